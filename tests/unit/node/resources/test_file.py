"""A file with its content, mode and owner: probed by a real shell, compared, written."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import answer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdeploy.node.resources import File
from lbdeploy.node.resources.file import FileState


def look(file: File) -> FileState:
    return file.read(answer(file))


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
@example(b"")
@example(b"\n")
@example(b"no newline at the end")
@example(b"dos\r\nlines\r\n")
@example(b"\x00\xff\xfe binary \x0c\x1c\x85 |")
@example(b"|\n")
@example(b"|")
@example(b"file 644 root:root 1.0\n|\n")
@example("\u2028 é\n\n\n".encode())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_content_of_a_file_is_read_exactly(tmp_path: Path, content: bytes) -> None:
    """Every byte of a file arrives, whatever it holds and however it ends."""
    path = tmp_path / "it's a file"
    path.write_bytes(content)
    state = look(File(str(path), ""))
    assert state.kind == "file"
    assert state.content.encode(errors="surrogateescape") == content


def test_mode_owner_and_time_of_a_file_are_read(tmp_path: Path) -> None:
    """Mode and owner are as ls shows them; the time is that of the last change of content, mode or name."""
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o640)
    os.utime(path, (1, 1))
    state = look(File(str(path), ""))
    owner = subprocess.run(["stat", "-c", "%U:%G", path], check=True, capture_output=True, text=True).stdout.strip()
    assert (state.mode, state.owner) == ("640", owner)
    assert state.changed == pytest.approx(path.stat().st_ctime, abs=0.001)


def test_what_is_no_file_is_told_from_what_is_missing(tmp_path: Path) -> None:
    """A folder, a dangling symlink and a FIFO are something else; nothing at all is missing."""
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    names = ("real", "link", "dangling", "folder", "fifo", "nothing", "real/below")
    kinds = {name: look(File(str(tmp_path / name), "")).kind for name in names}
    assert kinds == {
        "real": "file",
        "link": "link",
        "dangling": "other",
        "folder": "other",
        "fifo": "other",
        "nothing": "missing",
        "real/below": "missing",
    }


@pytest.mark.parametrize("secret", [False, True])
def test_what_a_link_leads_to_is_read_as_daemons_do(tmp_path: Path, *, secret: bool) -> None:
    """They follow it, and may live by it: but a file of its own takes its place, with that content if it is undone."""
    (tmp_path / "real").write_text("old\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    link = File(str(tmp_path / "link"), "new\n", secret=secret)
    state = look(link)
    assert (state.kind, state.content) == ("link", "old\n")
    assert [(each.action, each.reason) for each in link.compare(state, ())] == [("replace", "is not a regular file")]
    assert link.as_observed(state) == replace(link, content="old\n")
    same = replace(link, content="old\n")
    assert [each.action for each in same.compare(look(same), ())] == ["replace"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FileState("file", "644", "root:root", 1.0, "new\n"), []),
        (FileState("file", "644", "root:root", 1.0, "old\n"), [("update", "its content differs")]),
        (FileState("file", "644", "root:root", 1.0, "new"), [("update", "its content differs")]),
        (FileState("missing"), [("create", "does not exist")]),
        (FileState("other"), [("replace", "is not a regular file")]),
        (FileState("file", "600", "root:root", 1.0, "new\n"), [("chmod", "is mode 600, should be mode 644")]),
        (
            FileState("file", "755", "ops:ops", 1.0, "new\n"),
            [("chmod", "is mode 755, should be mode 644 and owned by ops:ops, should be owned by root:root")],
        ),
    ],
)
def test_a_file_differs_by_kind_content_mode_and_owner(state: FileState, expected: list[tuple[str, str]]) -> None:
    """A file is as wanted only when its kind, content, mode and owner are."""
    changes = File("/etc/x", "new\n").compare(state, ())
    assert [(change.action, change.reason) for change in changes] == expected
    assert all((change.kind, change.name) == ("file", "/etc/x") for change in changes)
