"""`lbdeploy render`: prints or writes every file as it would be on each node."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.output import show
from lbdeploy.cli.parameters import global_options
from lbdeploy.cli.shell_completion import nodes
from lbdeploy.common.redact import is_program
from lbdeploy.errors import UsageError
from lbdeploy.node.resources.text_diff import not_shown

if TYPE_CHECKING:
    from lbdeploy.node.resources import File


@click.command()
@click.argument("node", required=False, shell_complete=nodes)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write them to DIR/NODE.")
@click.option("--diff", is_flag=True, help="Show only what your templates change from the built-in ones.")
@global_options
@click.pass_obj
def render(app: App, *, node: str | None, out: Path | None, diff: bool) -> None:
    """Print every file as it would be on each node, offline.

    Secrets are hidden, and scripts, tokens and keys of your own are not printed: --out writes files as they are,
    readable by you alone where they hold any.

    \b
    lbdeploy render lb1                to read
    lbdeploy render --out rendered     to compare or keep
    lbdeploy render --diff             what your own templates change
    """
    from lbdeploy.planning.desired import files
    from lbdeploy.planning.known_files import of_each

    if diff and out:
        raise UsageError("--diff and --out cannot be combined", fix="leave one of them out")
    names = tuple(each.name for each in app.cluster.nodes) if node is None else (app.node(node),)
    chosen = [app.cluster.node(name) for name in names]
    rendered = of_each(app.cluster, chosen, lambda node: files(app.cluster, node))
    if diff:
        show_differences(app, rendered)
        return
    if out:
        write_files(rendered, out)
    elif not app.json:
        print_files(app, rendered)
    documents = [
        {"node": name, "path": file.path, "mode": "0" + file.mode, "content": shown(file)}
        for name, each in rendered.items()
        for file in each
    ]
    app.finish(0, files=documents)


def show_differences(app: App, rendered: Mapping[str, Sequence[File]]) -> None:
    """Print a diff for each file that the operator's own templates change."""
    from lbdeploy.node.resources.text_diff import difference
    from lbdeploy.planning.desired import files

    # A path without a templates folder beside it, so that the built-in ones are used.
    plain = replace(app.cluster, path=Path(os.devnull, "hosts.toml"))
    found = []
    for name, own in rendered.items():
        for built_in, file in zip(files(plain, plain.node(name)), own, strict=True):
            if built_in.content != file.content:
                text = difference(file.path, built_in.content, file.content)
                found.append({"node": name, "path": file.path, "diff": text})
                app.reporter.difference(name, file.path, text)
    if not found:
        app.reporter.say(("No difference: ", "good"), "every file is as the built-in templates make it")
    app.finish(0, files=found)


def print_files(app: App, rendered: Mapping[str, Sequence[File]]) -> None:
    """Print every file below a line with its node, path and mode."""
    for name, files in rendered.items():
        for file in files:
            head = f"==> {name}:{file.path} (mode 0{file.mode}) <=="
            app.reporter.say((head, "name"))
            show(shown(file))


def shown(file: File) -> str:
    """The part of a file's content that may be shown."""
    if file.secret and not is_program(file.content):
        return f"({not_shown(file.content)}: --out writes it)\n"
    if file.secret:
        return f"({file.content.count(chr(10))} lines of a script of your own are not printed: --out writes them)\n"
    return file.content


def write_files(rendered: Mapping[str, Sequence[File]], out: Path) -> None:
    """Write every file to `out`/NODE/PATH, with its mode. Raises UsageError where that fails."""
    try:
        for name, files in rendered.items():
            for file in files:
                path = out / name / file.path.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
                # Also where the file existed with another mode: nobody else may read a secret meanwhile.
                path.chmod(0o600)
                path.write_text(file.content, encoding="utf-8")
                path.chmod(int(file.mode, 8))
    except OSError as error:
        raise UsageError(
            f"{error.filename or out} can't be written: {error.strerror}", fix="name another --out DIR"
        ) from None
    count = sum(map(len, rendered.values()))
    show(f"{count} files written below {out}", err=True)
