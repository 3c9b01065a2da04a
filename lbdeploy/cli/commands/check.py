"""`lbdeploy check`: validates hosts.toml, or several, and lints the files that would be written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import global_options
from lbdeploy.errors import LbdeployError, UsageError

if TYPE_CHECKING:
    from lbdeploy.planning.lint.lints import Lint


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option("--fix", is_flag=True, help="Correct misspelt keys and tables in the file, where there is no doubt.")
@global_options
@click.pass_obj
def check(app: App, files: tuple[Path, ...], *, fix: bool) -> None:
    """Validate hosts.toml and lint what would be written, offline.

    Reads the file, the scripts, certificates and templates that it uses, and renders every node's files.

    \b
    lbdeploy check
    lbdeploy check sites/*.toml        many files
    lbdeploy check --fix               correct what is certainly a typo
    """
    several = [Path(file) for file in app.files] + [file for file in files if str(file) not in app.files]
    if len(several) > 1:
        _each(app, several, fix=fix)
        return
    if several:
        _name(app, several[0])
    corrected = _repair(app) if fix else []
    from lbdeploy.operations.exit_status import linted
    from lbdeploy.planning.lint.known import known_lints

    lints = known_lints(app.cluster)
    ended = linted(lints)
    if fix:
        ended.document["corrected"] = corrected
    end(app, ended, lambda: _tell(app, lints))


def _tell(app: App, lints: Sequence[Lint]) -> None:
    """What was found, and what comes next where the file can be used."""
    app.reporter.lints(app.cluster, lints)
    if not any(each.severity == "error" for each in lints):
        app.reporter.say(("Next: ", "next"), "lbdeploy doctor; on nodes that are set up already: lbdeploy plan")


def _name(app: App, file: Path) -> None:
    """Take a file given as an argument for the one of -f."""
    app.file = file
    app.files = [str(file)]


def _repair(app: App) -> list[str]:
    """Correct the file, and say what was done."""
    from lbdeploy.config.loading.text import read
    from lbdeploy.config.mistakes.repair import repaired

    text, done = repaired(app.file, read(app.file))
    if done:
        try:
            app.file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{app.file} can't be written: {error.strerror}", fix="correct it by hand") from None
    for line in done:
        app.reporter.say(("Corrected: ", "good"), line)
    return done


def _each(app: App, files: list[Path], *, fix: bool) -> None:
    """Check one file after the other; the worst result is that of all."""
    from lbdeploy.operations.exit_status import linted, of_many
    from lbdeploy.planning.lint.known import known_lints

    app.files = [str(file) for file in files]
    results: list[dict[str, Any]] = []
    for file in files:
        one = _one(app, file)
        try:
            corrected = {"corrected": _repair(one)} if fix else {}
            lints = known_lints(one.cluster)
            ended = linted(lints)
            app.reporter.lints(one.cluster, lints)
            results.append({"file": str(file), "exit_code": ended.exit_code, **ended.document, **corrected})
        except LbdeployError as error:
            app.complain(error)
            results.append({"file": str(file), "exit_code": error.exit_code, "error": error.to_json()})
    bad = [each for each in results if each["exit_code"]]
    app.reporter.say((f"{len(files) - len(bad)} of {len(files)} files are valid", "bad" if bad else "good"))
    code = max(each["exit_code"] for each in results)
    app.finish(code, files=results, **of_many(results, code))


def _one(app: App, file: Path) -> App:
    """The same invocation, for one of its files."""
    one = App()
    one.json, one.verbose, one.command = app.json, app.verbose, app.command
    one.__dict__["reporter"] = app.reporter
    _name(one, file)
    return one
