"""Standard input, output and error, whatever they are."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from console import LBDEPLOY, Shell
from goldens import GOOD


def test_odd_characters_can_be_shown_anywhere(tmp_path: Path) -> None:
    """A terminal that has no such character shows another one, instead of a crash."""
    (tmp_path / "hosts.toml").write_text(GOOD.replace('name = "k8s-api"', 'name = "kübernetes"'), encoding="utf-8")
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "LBDEPLOY_FILE": ""}
    done = subprocess.run([LBDEPLOY, "--json", "check"], check=False, capture_output=True, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert b"is not a plain name" in done.stderr
    assert "is not a plain name" in json.loads(done.stdout)["error"]["message"]
    assert b"Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_crash(tmp_path: Path) -> None:
    """When whoever reads the output has left, nothing is said about it."""
    (tmp_path / "hosts.toml").write_text(GOOD)
    reading, writing = os.pipe()
    os.close(reading)
    env = {**os.environ, "LBDEPLOY_FILE": ""}
    try:
        done = subprocess.run(
            [LBDEPLOY, "render"], check=False, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, env=env
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.terminal
@pytest.mark.parametrize("command", ["check", "--help", "schema", "render", "--json check"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(shell: Shell, command: str, closed: str) -> None:
    """As cron jobs and daemons have them: what is said there goes nowhere, and the exit code is what it would be."""
    done = shell(f"$L {command} {closed}")
    assert done.returncode == 0
    assert done.stdout == ""
    assert bool(done.stderr) == ("--json" in command and "2>&-" not in closed)


@pytest.mark.terminal
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("init", "init needs a terminal to ask its questions"),
        ("down", "down asks for confirmation, which needs a terminal"),
        ("--ask-sudo plan", "--ask-sudo needs a terminal"),
    ],
)
def test_without_standard_input_nobody_is_asked(shell: Shell, command: str, told: str) -> None:
    """The same as without a terminal."""
    done = shell(f"$L -f new.toml {command} <&-" if command == "init" else f"$L {command} <&-")
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.terminal
@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("--json check", "it had ended well, before it could say so"),
        ("--json render lb9", "it had ended with exit code 2, before it could say so"),
        ("check", "it had ended well, before it could say so"),
        ("render", "what was under way has been given up"),
        ("schema", "what was under way has been given up"),
    ],
)
def test_output_that_can_not_be_written_is_a_failure(shell: Shell, command: str, state: str) -> None:
    """A full disk: exit 1, what kept it from being written, and what came of the run."""
    done = shell(f"$L {command} >/dev/full")
    assert done.returncode == 1
    assert "error: the output could not be written: No space left on device\n" in done.stderr
    assert f"now: {state}\n" in done.stderr
