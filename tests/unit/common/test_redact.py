"""Passwords in the files of nodes are on no screen, and nobody but root reads them there."""

from __future__ import annotations

from base64 import b64encode

import pytest

from lbdeploy.common.redact import hidden, hidden_in_base64, holds_password
from lbdeploy.node.resources import File
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.original import OriginalFile
from lbdeploy.node.resources.text_diff import difference

SECRETS = (
    "        auth_pass s3cret",
    '    auth_pass "s3cret with spaces s3cret"',
    "auth_pass\ts3cret",
    "    stats auth admin:s3cret",
    "  user tiger password $6$s3cret",
    "  user tiger groups G1 insecure-password s3cret",
    '  http-check send hdr Authorization "Basic s3cret=="',
    "  option httpchk GET / HTTP/1.0\\r\\nAuthorization:\\ Basic\\ s3cret",
    'Acquire::http::Proxy "http://ann:s3cret@proxy.example.org:3128";',
)
HARMLESS = (
    "auth_type PASS",
    "sudo: a password is required",
    "ops@192.168.1.11 password changed",
    "see https://example.org:8080/a@b",
    "stats socket /run/haproxy/admin.sock mode 660 level admin",
    "# who may read it: user root",
)


@pytest.mark.parametrize("line", SECRETS)
def test_passwords_are_hidden(line: str) -> None:
    """What stands around them stays: one sees what it is."""
    for text in (line, f"-{line}\n+{line}\n", f"printf %s '{line}\n'"):
        assert "s3cret" not in hidden(text)
        assert hidden(text).count("(hidden)") == text.count(line)
        assert holds_password(text)
    assert hidden(line).split()[0] == line.split(maxsplit=1)[0]


@pytest.mark.parametrize("line", HARMLESS)
def test_other_words_are_not_hidden(line: str) -> None:
    """Also those that speak of passwords."""
    assert hidden(line) == line
    assert not holds_password(line)


def test_base64_of_passwords_is_hidden() -> None:
    """As old files are read from nodes; other base64 stays."""
    secret, other = (b64encode(text.encode()).decode() for text in (f"a\n{SECRETS[0]}\n", "nothing of the kind here"))
    assert hidden_in_base64(f"file 640 {secret}\nfile {other}\n") == (
        f"file 640 (base64 of a file with a password)\nfile {other}\n"
    )


def test_diffs_hide_passwords() -> None:
    """A new password is still a difference."""
    old, new = "a\n auth_pass s3cret\nb\n", "a\n auth_pass s3cret2\nb\n"
    assert difference("/f", old, new) == (
        "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n- auth_pass (hidden)\n+ auth_pass (hidden)\n b\n"
    )
    wanted = File("/f", new)
    state = wanted.read(Answer(f"file 600 root:root 1.0\n{old}|\n"))
    gone = OriginalFile("/f")
    word = b64encode(old.encode()).decode()
    was = gone.read(Answer(f"known\nfile 600,root:root {word}\n/was\nmissing - -\n"))
    for change in (*wanted.compare(state, ()), *gone.compare(was, ())):
        assert change.diff
        assert "(hidden)" in change.diff
        assert "s3cret" not in change.diff
