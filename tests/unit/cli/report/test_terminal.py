"""What people see, on terminals of many kinds: pyte, which is one, draws what is sent to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pexpect
import pyte
import pytest
from goldens import GOOD

from lbdeploy.cli.command_line import cli
from lbdeploy.cli.report.wrap import columns

pytestmark = pytest.mark.terminal

LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))
BAD = GOOD.replace("router_id = 101", "router_id = 300").replace('"192.168.0.10/24"', '"192.168.0.10"')
JAPANESE = "本番環境の負荷分散装置"
# Bold, dim, and the eight colours that the terminal's owner has made readable; and back to normal.
MODEST = {"0", "1", "2", "22", *(str(n) for n in range(30, 38)), "39", ""}


@dataclass
class Shown:
    """What a terminal was sent, and what stands on it in the end: its rows without spaces at their ends."""

    sent: str
    rows: list[str]
    code: int

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


Show = Callable[..., Shown]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a Japanese name, and files in it that are good and bad."""
    place = tmp_path / JAPANESE
    place.mkdir()
    (place / "hosts.toml").write_text(GOOD)
    (place / "悪い設定.toml").write_text(BAD)
    # Nodes that are not to be reached: this machine, where nothing listens on that port.
    refusing = GOOD.replace('user = "ops"', 'user = "ops"\nport = 1')
    refusing = re.sub(r"(\[nodes\.lb(\d)\][^\n]*)", r'\1\nhost = "127.0.0.1\2"', refusing)
    (place / "refused.toml").write_text(refusing)
    return place


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """The tests' own, without what decides about colours."""
    own = {
        k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "LBDEPLOY_FILE")
    }
    return own | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "HOME": str(folder), **changes}


@pytest.fixture
def show(folder: Path) -> Show:
    """Runs lbdeploy on a terminal of 80 columns."""

    def call(*args: str, width: int = 80, **env: str) -> Shown:
        rows = 1000  # more than any command prints, so that nothing scrolls away
        process = pexpect.spawn(
            LBDEPLOY, list(args), encoding="utf-8", cwd=str(folder), env=environment(folder, **env), timeout=30,
            dimensions=(rows, width),
        )  # fmt: skip
        process.expect(pexpect.EOF)
        process.close()
        screen = pyte.Screen(width, rows)
        pyte.Stream(screen).feed(process.before or "")
        display = "\n".join(row.rstrip() for row in screen.display).rstrip().split("\n")
        assert not screen.cursor.hidden, "the cursor is left as it was"
        return Shown(process.before or "", display, process.exitstatus or 0)

    return call


def piped(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs lbdeploy with its output in a pipe."""
    return subprocess.run(
        [LBDEPLOY, *args], check=False, capture_output=True, text=True, cwd=folder, env=environment(folder, **env)
    )


def widest(sent: str) -> int:
    """Columns of the longest line that was sent."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    return max(map(columns, plain.splitlines()))


def colours(sent: str) -> set[str]:
    """The parameters of every SGR sequence (ECMA-48 section 8.3.117)."""
    return {each for found in re.findall(r"\x1b\[([0-9;]*)m", sent) for each in found.split(";")}


def paths(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command as it is typed."""
    found = [before]
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        found += paths(command, (*before, name)) if isinstance(command, click.Group) else [(*before, name)]
    return found


@pytest.mark.parametrize("command", paths(cli), ids=" ".join)
def test_help_fits_eighty_columns(folder: Path, command: tuple[str, ...]) -> None:
    """No line of any help runs over, and none has a colour that was not asked for."""
    done = piped(folder, *command, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert widest(done.stdout) <= 80
    assert "\x1b" not in done.stdout


def test_help_on_a_terminal_is_as_wide_as_it(show: Show) -> None:
    """At 80 columns nothing wraps by itself."""
    shown = show("up", "--help")
    assert shown.rows[0] == "Usage: lbdeploy up [OPTIONS]"
    assert widest(shown.sent) <= 80
    assert "  --limit NODE[,NODE]             Only these nodes; repeatable." in shown.rows


def test_check_on_a_terminal(show: Show) -> None:
    """What the sample's check of servers misses, one line in the terminal's own green, and what comes next."""
    shown = show("check")
    assert shown.rows[0] == 'warning: hosts.toml: frontends.k8s-api.check = "tcp" takes a kube-apiserver'
    assert shown.rows[-2:] == [
        "hosts.toml is valid: 2 nodes, 2 VIPs, 3 servers; lb1 is the preferred MASTER.",
        "Next: lbdeploy doctor; on nodes that are set up already: lbdeploy plan",
    ]
    assert "32" in colours(shown.sent) <= MODEST


def test_problems_are_broken_between_words_and_paths_are_not(show: Show) -> None:
    """Each problem begins at its file and line, and goes on further in; Japanese takes two columns a character."""
    shown = show("-f", "悪い設定.toml", "check")
    assert shown.code == 2
    assert shown.rows == [
        "error: 悪い設定.toml has 2 problems",
        "  悪い設定.toml:12: networks.external.vip: '192.168.0.10' has no prefix length;",
        '    write the address with its prefix length, like "192.168.0.10/24"',
        '    12 │ vip = "192.168.0.10"     # a string or a list; IPv4 and IPv6',
        "       │       ^^^^^^^^^^^^^^",
        "  悪い設定.toml:30: vrrp.router_id: 300 is too large; write 255 or less",
        "    30 │ router_id = 300",
        "       │             ^^^",
        "  now: nothing was contacted",
        "  next: edit 悪い設定.toml, then: lbdeploy -f '悪い設定.toml' check",
    ]
    assert widest(shown.sent) <= 80
    assert colours(shown.sent) <= MODEST


def test_a_path_that_is_longer_than_a_line_can_be_copied(show: Show, folder: Path) -> None:
    """It is sent whole; where a line ends within it, that is the terminal's doing."""
    long = folder.parent / "elsewhere" / (JAPANESE * 5) / "hosts.toml"
    shown = show("-f", str(long), "check")
    assert shown.code == 2
    assert str(long) in shown.sent


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_any_width_will_do(show: Show, width: int) -> None:
    """Narrow or wide, all of it is there, and no line is longer than the terminal but for a word that is."""
    shown = show("-f", "悪い設定.toml", "check", width=width)
    longest = max(columns(word) for word in shown.sent.split()) + 4
    assert widest(shown.sent) <= max(width, longest)
    assert "300 is too large; write 255 or less" in shown.words


def test_render_on_a_terminal_is_what_would_be_written(show: Show, folder: Path) -> None:
    """The files are not touched by how they are shown; only the line above each is bold."""
    shown = show("render", "lb1", width=200)
    plain = piped(folder, "render", "lb1").stdout
    assert re.sub(r"\x1b\[[0-9;]*m|\r", "", shown.sent) == plain
    assert colours(shown.sent) == {"1", "0"}
    assert shown.rows[0] == "==> lb1:/etc/sysctl.d/zz-lbdeploy.conf (mode 0644) <=="


COMMANDS = [("check",), ("-f", "悪い設定.toml", "check"), ("render",), ("--help",), ("-f", "refused.toml", "plan")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=["dumb", "NO_COLOR"])
def test_no_colours_where_none_are_wanted(show: Show, command: tuple[str, ...], env: dict[str, str]) -> None:
    """NO_COLOR leaves the live display its place, and no colour, bold or dim; a dumb terminal gets plain text."""
    sent = show(*command, **env).sent
    assert colours(sent) == set()
    assert "TERM" not in env or "\x1b" not in sent


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("env", [{}, {"CI": "true"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}], ids=["pipe", "CI", "both"])
def test_pipes_and_logs_get_plain_text(folder: Path, command: tuple[str, ...], env: dict[str, str]) -> None:
    """No escape sequence, no spinner, no line broken: a log can be searched."""
    done = piped(folder, *command, **env)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    if "refused.toml" in command:
        assert "lb1: connect\n" in done.stderr
    if "悪い設定.toml" in command:
        line = "  悪い設定.toml:12: networks.external.vip: '192.168.0.10' has no prefix length; write the address with"
        assert f"{line} its prefix length, like" in done.stderr


@pytest.mark.parametrize("command", [each for each in COMMANDS if "--help" not in each], ids=" ".join)
def test_colours_can_be_forced(folder: Path, command: tuple[str, ...]) -> None:
    """FORCE_COLOR: for a CI whose log shows colours; only colours, nothing that moves a cursor."""
    done = piped(folder, *command, FORCE_COLOR="1", CI="true")
    printed = done.stdout + done.stderr
    assert colours(printed) - {"0"}
    assert colours(printed) <= MODEST
    assert set(re.findall(r"\x1b\[[0-9;?]*([A-Za-z])", printed)) == {"m"}


def test_the_live_display_leaves_only_what_counts(show: Show) -> None:
    """While it connects it draws; in the end there are the errors, each once, and the cursor."""
    shown = show("-f", "refused.toml", "plan", COLUMNS="")
    assert shown.code == 4
    assert "\x1b[?25l" in shown.sent, "it was drawn over"
    assert "connect " not in shown.text
    assert shown.text.count("error: ") == 1
    assert re.search(r"lb[12]: 127\.0\.0\.1[12]", shown.words)
    assert colours(shown.sent) <= MODEST


def test_json_on_a_terminal_is_one_line(show: Show) -> None:
    """Whoever looks at it on a terminal sees what a script would get."""
    *people, document = show("--json", "check", width=800).rows
    assert json.loads(document)["ok"]
    assert people[-2].startswith("hosts.toml is valid")


def test_control_characters_of_others_do_not_reach_the_terminal(show: Show, folder: Path) -> None:
    """What is written in a file, or said by a node, can't move the cursor or change the title."""
    (folder / "evil.toml").write_text(GOOD.replace('name = "k8s-api"', '"na\\u001b]0;me" = "x"'))
    sent = show("-f", "evil.toml", "check").sent
    assert "\x1b]" not in sent
    assert "unknown key" in sent
