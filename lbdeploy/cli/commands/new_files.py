"""Writing a new hosts.toml, and what lies beside it: nothing that exists is overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.config.draft import Draft

NOTHING = "nothing was written"


def refuse_to_overwrite(paths: Iterable[Path], force: bool) -> None:
    """Raises UsageError where one of the files exists, unless overwriting was asked for."""
    for path in paths:
        if os.path.lexists(path) and not force:
            raise UsageError(
                f"{path} is there already",
                state="it was left alone",
                fix=f"run the same command with --force, which overwrites {path}; or with --output FILE",
            )


def write_draft(path: Path, draft: Draft, force: bool) -> Path | None:
    """Write hosts.toml as a whole or not at all, and the schema beside it, unless there is one.

    Returns the schema's path where it was written.
    """
    from lbdeploy.config import json_schema, writer

    beside = path.with_name(json_schema.FILE_NAME)
    write(path, writer.text(draft), force)
    with suppress(OSError):
        _place(beside, json_schema.text(), force=False)
        return beside
    return None


def write_beside(path: Path, text: str, force: bool, mode: int) -> None:
    """Write a file that hosts.toml names, in a folder beside it, which is made. Raises UsageError."""
    if path.parent.parent.is_dir():
        path.parent.mkdir(exist_ok=True)
    write(path, text, force, mode)


def write(path: Path, text: str, force: bool, mode: int = 0o666) -> None:
    """Write a file as a whole or not at all. Raises UsageError."""
    try:
        _place(path, text, force, mode)
    except FileExistsError:
        refuse_to_overwrite([path], force)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}", state=NOTHING, fix="--output FILE") from None


def _place(path: Path, text: str, force: bool, mode: int = 0o666) -> None:
    """Create a file; with `force`, replace an existing one as a whole. Raises OSError."""
    target = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except BaseException:
            target.unlink()
            raise
    if force:
        target.replace(path.resolve())  # a symbolic link stays, and its target is replaced
