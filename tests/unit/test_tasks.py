"""lbdeploy as Fabric tasks: what can be said of them without nodes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.parser import Parser

from lbdeploy import api, tasks
from lbdeploy.cli.command_line import cli
from lbdeploy.config.model import Cluster
from lbdeploy.errors import UsageError

TOP = Path(__file__).parents[2]


def typed(*words: str) -> list[list[str]]:
    """What is run for a command line of fab: the words of each lbdeploy command."""
    collection = Collection.from_module(tasks)
    ran = []
    for found in Parser(collection.to_contexts()).parse_argv(list(words)):
        task = collection[found.name]
        ran.append([*task.name.split("-"), *tasks._words(task.parameters, found.as_kwargs)])
    return ran


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        ("up", [["up"]]),
        ("plan -f x/hosts.toml --limit lb1,lb2 --lab", [["plan", "--limit=lb1,lb2", "--file=x/hosts.toml", "--lab"]]),
        ("up --ignore disk --ignore apt -v -v", [["up", "--ignore=disk", "--ignore=apt", "--verbose", "--verbose"]]),
        ("rebuild lb1 --host-key=-x --wait", [["rebuild", "--host-key=-x", "--wait", "--", "lb1"]]),
        ("rollback --list verify --wait 60", [["rollback", "--list"], ["verify", "--wait=60"]]),
        ("drill --kind haproxy", [["drill", "--", "haproxy"]]),
        ("adopt --nodes lb1 --nodes lb2", [["adopt", "--", "lb1", "lb2"]]),
        ("lab-stop lb1", [["lab", "stop", "--", "lb1"]]),
    ],
)
def test_a_task_runs_the_command_with_its_arguments(words: str, ran: list[list[str]]) -> None:
    """Options are those of the command, and several tasks can stand on one line."""
    assert typed(*words.split()) == ran


def test_the_lines_of_the_page_can_be_typed() -> None:
    """docs/library.md shows fab's command lines that are understood."""
    text = (TOP / "docs" / "library.md").read_text()
    lines = re.findall(r"^fab (.*)$", text, re.MULTILINE)
    assert len(lines) >= 4
    assert all(typed(*shlex.split(line)) for line in lines)


@pytest.mark.terminal
def test_the_examples_of_the_page_are_typed(tmp_path: Path) -> None:
    """mypy --strict finds nothing wrong with any program in docs/library.md; Fabric has no types."""
    found = re.findall(r"^```python\n(.*?)^```", (TOP / "docs" / "library.md").read_text(), re.MULTILINE | re.DOTALL)
    blocks = [each for each in found if "lbdeploy.tasks" not in each and "fabric" not in each]
    files = [tmp_path / f"example{number}.py" for number in range(len(blocks))]
    for file, block in zip(files, blocks, strict=True):
        file.write_text(block)
    argv = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(TOP / ".mypy_cache"), *map(str, files)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_command_is_a_task() -> None:
    """But for those that are about the command line itself."""

    def leaves(group: click.Group, *path: str) -> Iterable[str]:
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            if isinstance(command, click.Group):
                yield from leaves(command, *path, name)
            else:
                yield "-".join((*path, name))

    assert {each.name for each in vars(tasks).values() if isinstance(each, tasks.CommandTask)} == {
        name for name in leaves(cli) if name not in tasks.NO_TASKS
    }
    assert {"plan", "up", "verify", "rollback", "lab_up"} <= set(tasks.__all__)


def test_an_argument_that_there_is_not_is_a_type_error() -> None:
    """For fabfiles that call tasks as functions."""
    with pytest.raises(TypeError, match="fil"):
        tasks.check(Context(), fil="x")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("task", "given", "ran"),
    [
        ("verify", {"wait": 60}, "verify --wait=60"),
        (
            "up",
            {"lock_wait": 5, "verbose": 2, "lab": True, "upgrade": False},
            "up --lock-wait=5 --verbose --verbose --lab",
        ),
        (
            "plan",
            {"limit": ["lb1", "lb2"], "ignore": ["disk", "apt"]},
            "plan --limit=lb1 --limit=lb2 --ignore=disk --ignore=apt",
        ),
        (
            "plan",
            {"limit": [], "ignore": "disk", "file": Path("x/hosts.toml")},
            "plan --ignore=disk --file=x/hosts.toml",
        ),
        ("drill", {"kind": "haproxy", "hold": 2.5}, "drill --hold=2.5 -- haproxy"),
    ],
)
def test_a_task_called_as_a_function(task: str, given: dict[str, Any], ran: str) -> None:
    """Numbers are values, lists are what the command takes several of, and what is false or empty is left out."""
    words = list(tasks._words(vars(tasks)[task].parameters, given))
    assert sorted([task, *words]) == sorted(shlex.split(ran))
    assert isinstance(cli.make_context("lbdeploy", [task, *words]), click.Context)


def test_fabs_dry_run_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """It shows what would be run."""
    context = Context()
    context.config.run.dry = True
    tasks.up(context, limit="lb1")  # type: ignore[attr-defined]
    assert capsys.readouterr().out == "lbdeploy up --limit=lb1\n"


@pytest.mark.parametrize("kind", ["link", "power"])
def test_what_might_stay_broken_is_refused(seed: Cluster, kind: Any) -> None:
    """Outside the lab nobody can undo it from here: before anybody is contacted."""
    with pytest.raises(UsageError, match="can be undone in the lab only"):
        api.drill(seed, kind)
