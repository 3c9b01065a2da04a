"""A long plan on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pexpect
import pytest

pytestmark = pytest.mark.terminal

PROGRAM = """
import sys
from lbdeploy.cli.report.reporter import Reporter
Reporter(json=False, verbose=0).say_at_length([(f"line {n}", ("!", "bad")) for n in range(int(sys.argv[1]))])
print("the last line")
"""
Shown = Callable[..., str]


@pytest.fixture
def shown() -> Shown:
    """What is on a terminal of 20 rows after so many lines; `keys` are typed once something stands there."""

    def run(lines: int, *, keys: str = "", wait: str = "the last line", **env: str) -> str:
        process = pexpect.spawn(
            sys.executable, ["-c", PROGRAM, str(lines)], encoding="utf-8", timeout=20, dimensions=(20, 60),
            env={"TERM": "xterm-256color", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **env},
        )  # fmt: skip
        if keys:
            process.expect_exact(wait)
            before = (process.before or "") + wait
            process.send(keys)
        else:
            before = ""
        process.expect(pexpect.EOF)
        process.close()
        assert process.exitstatus == 0
        return before + str(process.before or "")

    return run


def test_what_is_longer_than_the_terminal_goes_to_the_pager(shown: Shown) -> None:
    """With its colours; what comes after it stays below it."""
    text = shown(100, PAGER="head -n 3")
    assert text.count("line ") == 3
    assert "\x1b[31m" in text
    assert text.rstrip().endswith("the last line")


def test_less_says_how_to_leave_it(shown: Shown) -> None:
    """On its last line, where it has only a colon else; what its owner wants of it is left alone."""
    assert "line 17\x1b" in shown(100, keys="q", wait="q leaves, Space goes on")
    assert "q leaves" not in shown(100, keys="q", wait=":", LESS="R")


def test_what_fits_is_printed(shown: Shown) -> None:
    assert shown(10, PAGER="head -n 3").count("line ") == 10


@pytest.mark.parametrize("pager", ["", "cat", "no-such-program-here"])
def test_without_a_pager_all_of_it_is_printed(shown: Shown, pager: str) -> None:
    assert shown(100, PAGER=pager).count("line ") == 100


def test_ctrl_c_is_the_pagers(shown: Shown) -> None:
    """As less does, it may go on; what asked for it is not interrupted."""
    pager = "sh -c 'trap : INT; head -n 1 >/dev/null; echo reading; sleep 1; sleep 0.1; cat >/dev/null; echo read'"
    assert "read\r\nthe last line" in shown(100, keys="\x03", wait="reading", PAGER=pager)


def test_a_password_is_not_given_to_it(shown: Shown) -> None:
    assert "s3cret" not in shown(100, PAGER="sh -c env", LBDEPLOY_SUDO_PASSWORD="s3cret")
