"""What `render` shows and writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from lbdeploy.errors import UsageError
from lbdeploy.report.terminal import coloured
from lbdeploy.resources import File


def print_files(rendered: Mapping[str, Sequence[File]]) -> None:
    """Every file with a line above it that names node, path and mode."""
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
