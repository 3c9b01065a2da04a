"""README and docs/ are true: generated pages are current, links lead somewhere, commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lbdeploy.cli import cli

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_pages_are_what_the_code_would_write() -> None:
    """Whoever changes a key, a command or an error runs `make docs`."""
    subprocess.run([sys.executable, TOP / "tools" / "docs.py", "--check"], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there, and every anchor a heading of it."""
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


def options(command: click.Command) -> set[str]:
    """Every way to write an option of a command."""
    return {option for parameter in command.params for option in parameter.opts}
