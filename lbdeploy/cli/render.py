"""`lbdeploy render`: every file as it would lie on each node, shown or written."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App, global_options
from lbdeploy.cli.complete import nodes
from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.resources import File


@click.command()
@click.argument("node", required=False, shell_complete=nodes)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write them below DIR/NODE."
)
@global_options
@click.pass_obj
def render(app: App, node: str | None, out: Path | None) -> None:
    """Print every file as it would lie on each node, offline.

    \b
    lbdeploy render lb1                to read
    lbdeploy render --out rendered     to compare, or to keep
    """
    from lbdeploy.desired import files

    names = app.limit(node) or tuple(each.name for each in app.cluster.nodes)
    rendered = {name: files(app.cluster, app.cluster.node(name)) for name in names}
    if out:
        write_files(rendered, out)
    elif not app.json:
        print_files(rendered)
    documents = [
        {"node": name, "path": file.path, "mode": "0" + file.mode, "content": file.content}
        for name, each in rendered.items()
        for file in each
    ]
    app.finish(0, files=documents)


def print_files(rendered: Mapping[str, Sequence[File]]) -> None:
    """Every file with a line above it that names node, path and mode."""
    from lbdeploy.report.terminal import coloured

    for name, files in rendered.items():
        for file in files:
            head = f"==> {name}:{file.path} (mode 0{file.mode}) <=="
            click.echo(click.style(head, bold=True) if coloured(sys.stdout) else head, color=True)
            click.echo(file.content)


def write_files(rendered: Mapping[str, Sequence[File]], out: Path) -> None:
    """Every file below `out`/NODE at its path, with its mode. Raises UsageError where that can't be."""
    try:
        for name, files in rendered.items():
            for file in files:
                path = out / name / file.path.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(file.content, encoding="utf-8")
                path.chmod(int(file.mode, 8))
    except OSError as error:
        raise UsageError(
            f"{error.filename or out} can't be written: {error.strerror}", fix="name another --out DIR"
        ) from None
    count = sum(map(len, rendered.values()))
    click.echo(f"{count} files written below {out}", err=True)
