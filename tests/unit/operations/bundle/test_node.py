"""What a node says for a bundle, whatever it says."""

from __future__ import annotations

import subprocess
from base64 import b64encode

import pytest
from garbage import pieces
from hypothesis import given

from lbdeploy.operations.bundle.contents import is_safe
from lbdeploy.operations.bundle.node import Questions
from lbdeploy.operations.bundle.questions import COMMANDS
from lbdeploy.planning.desired import FIREWALL_SERVICE, NOTIFY_SERVICE

SCRIPT = "#!/bin/sh\ncurl https://example.org/s3cret\n"


def said(questions: Questions, texts: dict[str, str], files: dict[str, str], *, ended: bool = True) -> str:
    """An answer as the script prints it."""
    parts = [f"{questions.nonce} text {path}\n{text}\n\n" for path, text in texts.items()]
    parts += [f"{questions.nonce} file {path} {b64encode(text.encode()).decode()}\n" for path, text in files.items()]
    return "".join([*parts, f"{questions.nonce} end\n" if ended else ""])


def files_of(**files: str) -> dict[str, str]:
    """The entries that come of files below /etc/haproxy, by name."""
    questions = Questions("lb1", {"/etc/haproxy/own": SCRIPT})
    paths = {f"/etc/haproxy/{name}": text for name, text in files.items()}
    part = questions.read(said(questions, {}, paths))
    return {each.path.removeprefix("nodes/lb1/files/etc/haproxy/"): each.text for each in part.entries}


def test_the_script_is_one_for_sh() -> None:
    """A POSIX shell has nothing to say against it."""
    done = subprocess.run(
        ["sh", "-n"], input=Questions("lb1", {}).script(), check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_service_of_lbdeploy_is_asked_for() -> None:
    """How it is, and what it has said."""
    for unit in (FIREWALL_SERVICE, NOTIFY_SERVICE):
        assert f" {unit} " in COMMANDS["system/services.txt"]
        assert f" -u {unit} " in COMMANDS["logs/lbdeploy.txt"]


def test_texts_and_files_lie_below_the_nodes_folder() -> None:
    """Each at its path."""
    questions = Questions("lb1", {})
    part = questions.read(said(questions, {"network/routes.txt": "default"}, {"/etc/hosts": "::1 localhost\n"}))
    assert [(each.path, each.text) for each in part.entries] == [
        ("nodes/lb1/network/routes.txt", "default\n"),
        ("nodes/lb1/files/etc/hosts", "::1 localhost\n"),
    ]
    assert part.missing == ()


def test_secrets_are_hidden() -> None:
    """In texts and in files, also keys of whatever file they stand in."""
    questions = Questions("lb1", {})
    secret = "auth_pass s3cret\nstats auth a:s3cret\n-----BEGIN PRIVATE KEY-----\ns3cret\n"
    part = questions.read(said(questions, {"logs/haproxy.txt": secret}, {"/etc/haproxy/haproxy.cfg": secret}))
    assert len(part.entries) == 2
    for each in part.entries:
        assert "s3cret" not in each.text
        assert "auth_pass (hidden)" in each.text


def test_of_programs_only_what_they_are_is_told() -> None:
    """Only their authors know what in them is secret; whether this version would write them is worth knowing."""
    found = files_of(own=SCRIPT, other=SCRIPT, changed="#!/bin/sh\n")
    assert "s3cret" not in "".join(found.values())
    assert "as this version would write it" in found["own"]
    assert "no file of lbdeploy's" in found["other"]


@pytest.mark.parametrize(
    "path", ["/../etc/x", "relative", "/a/./b", "/a//b", "/a b", "/a\x1b", "/" + "x" * 300, "/.ssh"]
)
def test_a_path_can_not_leave_the_archive(path: str) -> None:
    """It is left out, and that is told."""
    questions = Questions("lb1", {})
    assert not is_safe(path)
    part = questions.read(said(questions, {"../../x": "x"}, {path: "x"}))
    assert part.entries == ()
    assert len(part.missing) == 1


def test_what_was_not_said_any_more_is_missing() -> None:
    """What was said before the connection was lost is kept."""
    questions = Questions("lb1", {})
    part = questions.read(
        said(questions, {"network/routes.txt": "default"}, {}, ended=False), "the connection was lost"
    )
    assert [each.path for each in part.entries] == ["nodes/lb1/network/routes.txt"]
    assert [each.why for each in part.missing] == ["the connection was lost"]


@given(pieces, pieces)
def test_any_answer_is_read(one: str, other: str) -> None:
    """What makes no sense is left out; nothing in it steers a terminal."""
    questions = Questions("lb1", {})
    mark = questions.nonce
    part = questions.read(f"{mark} text logs/haproxy.txt\n{one}\n{mark} file {other}\n{mark} {one}")
    assert all(is_safe(f"/{each.path}") for each in part.entries)
    assert "\x1b" not in "".join(each.text for each in part.entries)
