"""How a login becomes root."""

from __future__ import annotations

import subprocess

import pytest
from sshkeys import NODE

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Node
from lbdeploy.errors import LoginError, SudoError
from lbdeploy.ssh.transport.session import CommandResult
from lbdeploy.ssh.transport.sudo import Root, masked

WANTS = CommandResult("Welcome\nsudo: a password is required\n", 1)


def test_sudo_is_tried_without_a_password_then_with_it() -> None:
    """Once it has taken it, it gets it at once, on every connection; its output never holds the prompt."""
    answers = Answers(sudo_password="s3cret")
    root = Root(NODE, "ops", answers)
    assert root.way == ("env LC_ALL=C sudo -n -- sh -s", "")
    command, line = root.proof(WANTS)
    assert (command.startswith("env LC_ALL=C sudo -k -S -p "), line) == (True, "s3cret\n")
    root.proven(CommandResult("", 0))
    command, told = Root(NODE, "ops", answers).way
    assert command.startswith("env LC_ALL=C sudo -k -S -p ")
    assert told.startswith("s3cret\n")
    assert Root(NODE, "root", answers).way == ("sh -s", "")


@pytest.mark.parametrize("nopasswd", [False, True])
def test_a_password_that_sudo_does_not_read_is_no_command(nopasswd: bool) -> None:
    """Where a rule with NOPASSWD has come meanwhile, it is passed over, and the script runs all the same."""
    answers = Answers(sudo_password="echo * $HOME\\")
    root = Root(NODE, "ops", answers)
    root.proven(CommandResult("", 0))
    command, told = root.way
    read_by_sudo = "" if nopasswd else told.partition("\n")[0] + "\n"
    said = told.removeprefix(read_by_sudo) + "echo begun"
    shell = command.partition(" -- ")[2]
    run = subprocess.run(["sh", "-c", shell], input=said, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("begun\n", "")


def test_the_proof_of_a_password_runs_nothing() -> None:
    """Whether sudo reads it or not."""
    command, told = Root(NODE, "ops", Answers(sudo_password="echo s3cret")).proof(WANTS)
    shell = command.partition(" -- ")[2]
    run = subprocess.run(["sh", "-c", shell], input=told, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "")


def test_a_password_is_in_no_output() -> None:
    """As a shell would repeat it that took it for a command."""
    assert masked("sh: 1: s3cret: not found", "s3cret\n0123\n") == "sh: 1: (password): not found"
    assert masked("all is well", "") == "all is well"


def test_a_password_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over other connections to the node; and it is in no error."""
    monkeypatch.setenv("LBDEPLOY_SUDO_PASSWORD", "wr0ng")
    answers = Answers()
    root = Root(NODE, "ops", answers)
    prompt = root.proof(WANTS)[0].split()[6]
    with pytest.raises(SudoError, match="refused the password; it said: Sorry, try again") as refused:
        root.proven(CommandResult(f"{prompt}Sorry, try again.\n{prompt}\n", 1))
    assert not refused.value.wants_password
    with pytest.raises(SudoError) as again:
        Root(NODE, "ops", answers).proof(WANTS)
    assert not again.value.wants_password
    assert "wr0ng" not in f"{refused.value.message}{refused.value.detail}{refused.value.fix}{answers}"


@pytest.mark.parametrize(
    ("user", "said", "error", "wants"),
    [
        ("ops", "sudo: a password is required", SudoError, True),
        ("ops", "sudo: sorry, you must have a tty to run sudo", SudoError, True),
        ("ops", "sudo: interactive authentication is required", SudoError, True),  # sudo-rs, of Ubuntu 26.04
        ("ops", "ops may not run sudo on lb1.", SudoError, False),
        ("ops", "env: 'sudo': No such file or directory", SudoError, False),
        ("root", "This account is currently not available.", LoginError, False),
    ],
)
def test_a_login_that_does_not_become_root_is_told(user: str, said: str, error: type[Exception], wants: bool) -> None:
    """In the node's own words; only where a password would help, somebody is asked for one."""
    with pytest.raises(error, match=said.replace(".", r"\.")) as caught:
        Root(NODE, user, Answers()).proof(CommandResult(f"noise\n{said}\n", 1))
    assert getattr(caught.value, "wants_password", False) == wants


ODD = """a'b"$(c) \\ 漢 %s {}"""


@pytest.mark.parametrize("password", [ODD, "x"])
def test_a_password_is_masked_where_a_node_repeats_it(password: str) -> None:
    """A shell that took it for a command says so; an error with that in it is shown, logged, and part of JSON."""
    assert masked(f"sh: 1: {password}: not found", f"{password}\n") == "sh: 1: (password): not found"
    assert masked("anything", "") == "anything"
    root = Root(Node("lb1", 100, "lb1", {}, {}), "ops", Answers(sudo_password=password))
    with pytest.raises(SudoError) as raised:
        root.proven(CommandResult(f"sh: 1: {password}: not found\n", 127))
    error = raised.value
    assert f"{password}:" not in f"{error.message} {error.detail} {error.to_json()}"
    assert "(password): not found" in error.message
