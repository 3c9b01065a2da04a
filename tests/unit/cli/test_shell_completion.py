"""Shells complete commands, options, and the names in the hosts.toml that the command line names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pexpect
import pytest
from builders import SEED

from lbdeploy.cli.app import App
from lbdeploy.cli.command_line import cli
from lbdeploy.cli.group import ORDER

pytestmark = pytest.mark.terminal

BIN = Path(sys.executable).parent
LBDEPLOY = str(BIN / "lbdeploy")

COMMANDS = list(ORDER)

Complete = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the sample, and with another file whose nodes have other names."""
    text = SEED.read_text()
    (tmp_path / "hosts.toml").write_text(text)
    (tmp_path / "other.toml").write_text(text.replace("lb1", "edge-a").replace("lb2", "edge-b"))
    (tmp_path / "broken.toml").write_text("[nodes.lb1\n")
    return tmp_path


@pytest.fixture(params=["bash", "zsh", "fish"])
def complete(request: pytest.FixtureRequest, folder: Path) -> Complete:
    """What lbdeploy answers a shell's script that asks about a command line; the last word is being typed."""
    shell = request.param

    def call(*words: str, file: str = "") -> list[str]:
        line, last = " ".join(("lbdeploy", *words)), words[-1]
        env = {**os.environ, "LBDEPLOY_FILE": file, "_LBDEPLOY_COMPLETE": f"{shell}_complete"}
        env |= {"COMP_WORDS": line, "COMP_CWORD": last if shell == "fish" else str(len(words))}
        done = subprocess.run([LBDEPLOY], check=False, capture_output=True, text=True, cwd=folder, env=env)
        assert done.stderr == ""
        return values(shell, done.stdout)

    return call


def values(shell: str, output: str) -> list[str]:
    """The candidates in an answer: lines of type,value; for zsh three lines each; for fish a tab before the help."""
    lines = [] if output == "\n" else output.splitlines()
    if shell == "zsh":
        return lines[1::3]
    return [line.partition(",")[2].partition("\t")[0] for line in lines]


def test_commands_are_completed(complete: Complete) -> None:
    """Those of lbdeploy in the order of the help, those of the lab below it."""
    assert complete("") == COMMANDS
    assert complete("ver") == ["verify"]
    assert complete("lab", "st") == ["start", "status", "stop"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]


def test_options_are_completed(complete: Complete) -> None:
    """Those of the command, and those that every command has."""
    assert set(complete("plan", "--")) >= {"--limit", "--ignore", "--file", "--json"}
    assert "vip-in-use" in complete("plan", "--ignore", "")


def test_nodes_are_completed(complete: Complete) -> None:
    """From ./hosts.toml; more than one, where there may be."""
    for words in (("render",), ("rebuild",), ("handover", "--to"), ("drill", "haproxy", "--node"), ("down", "--limit")):
        assert complete(*words, "") == ["lb1", "lb2"]
    assert complete("plan", "--limit", "lb2,") == ["lb2,lb1"]
    assert complete("plan", "--limit", "lb1,lb2,") == []
    assert complete("plan", "--limit", "x") == []


def parameters(group: click.Group) -> Iterator[tuple[str, click.Parameter]]:
    """Those of every command, with its name."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command
        if isinstance(command, click.Group):
            yield from parameters(command)
        yield from ((name, parameter) for parameter in command.params)


def test_whatever_takes_a_node_completes_nodes() -> None:
    """No command was forgotten."""
    context = click.Context(cli, obj=App())
    context.obj.file = SEED
    takers = [(name, each) for name, each in parameters(cli) if "NODE" in str(each.metavar) and "=" not in each.metavar]
    assert {"up", "down", "doctor", "status", "rebuild", "handover", "drill", "exec"} <= {name for name, _ in takers}
    for name, parameter in takers:
        found = [each.value for each in parameter.shell_complete(context, "lb")]
        assert found == ["lb1", "lb2"], f"{name} {parameter.name}"


def test_names_of_the_lab_are_completed(complete: Complete) -> None:
    """Nodes, servers, networks, and whoever else is there."""
    assert complete("lab", "stop", "") == ["lb1", "lb2", "master1", "master2", "master3"]
    assert complete("lab", "exec", "") == ["lb1", "lb2", "master1", "master2", "master3", "client", "operator"]
    assert complete("lab", "fresh", "") == ["lb1", "lb2"]
    assert complete("lab", "cut", "lb1", "--network", "m") == ["management"]


def test_names_are_those_of_the_file_that_is_named(complete: Complete) -> None:
    """By -f before or after the command, or by the environment; a file that can't be read has none."""
    assert complete("-f", "other.toml", "render", "") == ["edge-a", "edge-b"]
    assert complete("render", "--file", "other.toml", "edge-b") == ["edge-b"]
    assert complete("render", "", file="other.toml") == ["edge-a", "edge-b"]
    for name in ("broken.toml", "none.toml", "."):
        assert complete("-f", name, "render", "") == []


def test_completing_does_not_import_what_is_slow(folder: Path) -> None:
    """A key press is answered at once: no pydantic, no rich, no fabric."""
    env = {
        **os.environ,
        "_LBDEPLOY_COMPLETE": "bash_complete",
        "COMP_WORDS": "lbdeploy plan --limit ",
        "COMP_CWORD": "3",
    }
    code = (
        "import sys; from lbdeploy.cli.command_line import cli\n"
        "try: cli.main(prog_name='lbdeploy')\nfinally: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=folder, env=env
    )
    assert "plain,lb1\nplain,lb2\n" in done.stdout
    assert not {"pydantic", "rich", "fabric", "jinja2"} & set(done.stdout.split())


START = {
    "bash": (["--norc", "--noprofile", "-i"], "PS1='ready> '", 'eval "$(lbdeploy completion bash)"'),
    "zsh": (["-f", "-i"], "PS1='ready> '; autoload -U compinit; compinit -u -D", 'eval "$(lbdeploy completion zsh)"'),
    "fish": (
        ["--no-config", "-i"],
        "function fish_prompt; echo -n 'ready> '; end",
        "lbdeploy completion fish | source",
    ),
}


@pytest.mark.parametrize("shell", START)
def test_a_real_shell_completes_at_the_tab_key(shell: str, folder: Path) -> None:
    """The script is sourced, Tab is pressed, and the line is there to be run."""
    options, prompt, script = START[shell]
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TERM": "dumb",
        "LBDEPLOY_FILE": "",
        "HOME": str(folder),
    }
    terminal = pexpect.spawn(
        shell, options, encoding="utf-8", cwd=str(folder), env=env, timeout=20, dimensions=(24, 200), echo=False
    )
    terminal.sendline(prompt)
    terminal.sendline(script)
    terminal.sendline("echo sourced | tr a-z A-Z")
    terminal.expect_exact("SOURCED")
    for part in ("lbdeploy ver\t", " --wa\t", " 0 --limit lb1,\t", " --file other.t\t"):
        terminal.send(part)
        time.sleep(1)  # a shell asks lbdeploy, and then draws
    terminal.send("\x01echo [\x05]\r")  # to the line's beginning, and to its end
    terminal.expect(r"\[lbdeploy verify +--wait +0 +--limit +lb1,lb2 +--file +other.toml *\]")
    terminal.close(force=True)
