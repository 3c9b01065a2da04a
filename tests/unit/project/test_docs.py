"""README and docs/ are true: generated pages are current, links lead somewhere, commands exist."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lbdeploy import errors
from lbdeploy.cli.command_line import cli
from lbdeploy.errors import LbdeployError
from lbdeploy.operations import exit_status

TOP = Path(__file__).parents[3]
MAP = (TOP / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = [*sorted(TOP.glob("*.md")), *sorted((TOP / "changelog").glob("*.md")), *sorted((TOP / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    written = re.findall(r'<a id="([^"]+)">', text)
    assert len(written) == len(set(written)), "one place for each"
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings} | {*written}


def test_generated_pages_are_what_the_code_would_write() -> None:
    """Whoever changes a key, a command or an error runs `make docs`. In a process of its own: click keeps options."""
    subprocess.run([sys.executable, TOP / "tools" / "python" / "docs.py", "--check"], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and every anchor a heading, or an id, of it."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_commands_and_their_options_exist(page: Path) -> None:
    """What a page tells people to type is a command that there is, with options that it has."""
    text = page.read_text(encoding="utf-8")
    typed = re.findall(r"`lbdeploy ([^`]*)`", text) + re.findall(r"^(?: {4}|\$ )lbdeploy (.*)$", text, re.MULTILINE)
    for line in typed:
        check_typed(line.partition("#")[0])


def check_typed(line: str) -> None:
    """Walk down the commands, word by word."""
    command: click.Command = cli
    known = {"--help", "--version"} | options(cli)
    words = iter(line.replace("[", " ").replace("]", " ").split())
    for word in words:
        if word in ("-f", "--file"):
            next(words)
        elif word.startswith("-"):
            assert word in known, f"lbdeploy {line}"
        elif isinstance(command, click.Group) and word != "COMMAND":
            found = command.get_command(click.Context(cli), word)
            assert found, f"lbdeploy {line}"
            command = found
            known |= options(command)
        elif command.name == "exec":
            return


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_rows_of_tables_have_the_cells_of_their_head(page: Path) -> None:
    """A `|` in a cell, in code or not, ends it unless it is escaped: what follows would stand in the next column."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r"(?:^ *\|.*\|\n?)+", text, re.MULTILINE):
        rows = table.rstrip("\n").split("\n")
        cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
        assert cells == [cells[0]] * len(rows), rows[0]


def commands(group: click.Group) -> Iterator[click.Command]:
    """Every command, those of groups, too."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


@pytest.mark.parametrize("command", [cli, *commands(cli)], ids=lambda command: command.name)
def test_help_has_examples_that_can_be_typed(command: click.Command) -> None:
    """Each command's help shows how it is typed, with options that it has, in lines that fit 80 columns."""
    _, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    lines = [line.strip() for line in examples.replace("\\\n", "").splitlines() if "lbdeploy" in line]
    assert lines
    assert all(len(line) <= 78 for line in examples.splitlines())
    for line in lines:
        typed = re.split(r"\s{3,}[a-z]| [|>] |\)\"", line.partition("lbdeploy ")[2])[0]
        check_typed(re.sub(r"--lab COMMAND", "--lab", typed))


def test_the_manual_page_is_sound() -> None:
    """groff finds nothing to warn of, and every command is in it."""
    page = TOP / "docs" / "man" / "lbdeploy.1"
    text = page.read_text(encoding="utf-8")
    assert all(f".SS lbdeploy {each.name}" in text for each in cli_commands())
    assert not re.search(r"^'|^\.(?![A-Z]|nf|fi)|[^\x20-\x7e\n]", text, re.MULTILINE), "requests that nobody meant"


@pytest.mark.terminal
def test_the_manual_page_can_be_read() -> None:
    """groff finds nothing to warn of, and shows options as they are typed."""
    argv = ["groff", "-ww", "-man", "-Tutf8", str(TOP / "docs" / "man" / "lbdeploy.1")]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert "--limit NODE[,NODE]" in re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_exit_codes_are_told_in_the_words_of_the_code(page: str) -> None:
    """In full, and in the order of their numbers."""
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", (TOP / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in rows] == sorted(exit_status.MEANINGS.items())
    assert exit_status.RULE in (TOP / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["docs/fleets.md", "docs/ja/index.md"])
def test_no_exit_code_is_left_out(page: str) -> None:
    """Where they are told in other words."""
    codes = re.findall(r"^\| (\d+) \|", (TOP / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(code) for code in codes} == exit_status.MEANINGS.keys()


def test_tools_lie_by_their_language() -> None:
    """Those of the shell in tools/sh, those of Python in tools/python, and none beside these folders."""
    assert {path.name for path in (TOP / "tools").iterdir()} == {"sh", "python"}
    assert all(path.read_text().startswith("#!/bin/sh\n") for path in (TOP / "tools" / "sh").iterdir())
    python = [path for path in (TOP / "tools" / "python").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.suffix for path in python} == {".py"}


def test_every_variable_that_is_read_is_documented() -> None:
    """The environment's LBDEPLOY_*: in `docs/commands.md` and the manual page, and no others."""
    code = "".join(file.read_text(encoding="utf-8") for file in (TOP / "lbdeploy").rglob("*.py"))
    named = set(re.findall(r"""["'](LBDEPLOY_[A-Z_]+)["']""", code))
    for page, heading in (("commands.md", "## Environment"), ("man/lbdeploy.1", ".SH ENVIRONMENT")):
        told = (TOP / "docs" / page).read_text(encoding="utf-8").partition(heading)[2]
        assert set(re.findall(r"LBDEPLOY_[A-Z_]+", told.replace("\\", ""))) == named, page


def test_files_that_pages_name_on_nodes_are_written_by_the_code() -> None:
    """What lies below /var/lib/lbdeploy, by the names that the pages tell."""
    code = "".join(
        file.read_text(encoding="utf-8") for ending in ("*.py", "*.sh") for file in (TOP / "lbdeploy").rglob(ending)
    )
    for page in (*PAGES, TOP / "docs" / "man" / "lbdeploy.1"):
        for name in re.findall(r"/var/lib/lbdeploy/(\w+)", page.read_text(encoding="utf-8").replace("\\", "")):
            assert re.search(rf"(?:\$state|\{{STATE\}})\S*/{name}\b", code), f"{page.name}: {name}"


def test_security_names_files_that_are_there() -> None:
    """Each rule of SECURITY.md says where it is kept."""
    for name in re.findall(r"lbdeploy/[\w/]+(?:\.py)?", (TOP / "SECURITY.md").read_text(encoding="utf-8")):
        assert (TOP / name).exists(), name


def cli_commands() -> list[click.Command]:
    """Those that are no part of a group."""
    return [
        each for name in cli.list_commands(click.Context(cli)) if (each := cli.get_command(click.Context(cli), name))
    ]


def test_every_expected_failure_is_told_of() -> None:
    """Each kind in the error tree has its section in docs/errors.md, with exit code and remedy."""
    text = (TOP / "docs" / "errors.md").read_text(encoding="utf-8")
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, LbdeployError)]
    for kind in kinds:
        section = text.partition(f"\n## {kind.__name__.removesuffix('Error')}\n")[2].partition("\n## ")[0]
        assert f"Exit code {kind.exit_code}" in section
        assert "**To do:**" in section
    assert len(kinds) == text.count("\n## ")


def options(command: click.Command) -> set[str]:
    """Every way to write an option of a command."""
    return {option for parameter in command.params for option in parameter.opts}


def test_the_tests_that_prove_a_promise_exist() -> None:
    """docs/reliability.md names a test for each promise."""
    named = set(re.findall(r"`(test_\w+)`", (TOP / "docs" / "reliability.md").read_text(encoding="utf-8")))
    there = {
        name for file in (TOP / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert len(named) > 30
    assert named - there == set()


def test_the_map_has_every_module() -> None:
    """docs/architecture.md names each module of lbdeploy/ on one floor, and no others; so do the rules for imports."""
    folder = TOP / "lbdeploy"
    modules = {each.stem for each in folder.glob("*.py")} | {each.parent.name for each in folder.glob("*/__init__.py")}
    modules -= {"__init__", "__main__"}
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+) \| [^|]+ \|$", MAP.partition("## Floors")[2], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(modules)
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    assert sorted(re.findall(r"\w+", " ".join(contracts[0]["layers"]))) == sorted(modules)
