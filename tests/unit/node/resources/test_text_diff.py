"""Diffs of files, as they are shown."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbdeploy.node.resources import File
from lbdeploy.node.resources.file import FileState


def test_a_diff_names_both_sides_as_people_expect() -> None:
    """An update is shown as a unified diff of the file; a new file comes from nowhere."""
    (change,) = File("/etc/x", "a\nc\n").compare(FileState("file", "644", "root:root", 1.0, "a\nb\n"), ())
    assert change.diff == "--- a/etc/x\n+++ b/etc/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    (change,) = File("/etc/x", "a").compare(FileState("missing"), ())
    assert change.diff == "--- /dev/null\n+++ b/etc/x\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n"


def patched(old: str, diff: str) -> str:
    """The text after a unified diff was applied to it, as patch(1) does it."""
    lines = [line + "\n" for line in old.split("\n")]
    lines[-1] = lines[-1][:-1]
    result, at = [], 0
    hunks = re.split(r"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@\n", diff, flags=re.MULTILINE)
    for start, count, body in zip(hunks[1::3], hunks[2::3], hunks[3::3], strict=True):
        first = int(start) - (0 if count == "0" else 1)
        result += lines[at:first]
        at = first
        for line in body.replace("\n\\ No newline at end of file\n", "\0").split("\n"):
            for each in re.split(r"(?<=\0)", line) if line else ():
                text = each[1:-1] if each.endswith("\0") else each[1:] + "\n"
                if each[:1] in ("-", " "):
                    assert lines[at] == text
                    at += 1
                if each[:1] in ("+", " "):
                    result.append(text)
    return "".join(result + lines[at:])


texts = st.lists(st.sampled_from(["a", "b", "", "\f", "\r", "\u2028", "+", "-", "@@", "\x1c x"]), max_size=12).map(
    "\n".join
)


@given(texts, texts)
@example("a\n", "a")
@example("a", "a\n")
@example("", "a\n")
@example("a\n", "")
@settings(max_examples=100)
def test_a_diff_leads_from_the_old_content_to_the_new(old: str, new: str) -> None:
    """Applied to what is there, the diff gives what is wanted, to the last newline."""
    for change in File("/etc/x", new).compare(FileState("file", "644", "root:root", 1.0, old), ()):
        assert patched(old, change.diff or "") == new
