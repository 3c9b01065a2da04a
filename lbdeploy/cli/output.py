"""Writing plain text and documents to standard output and standard error, made safe to show: see `common.sanitize`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lbdeploy.common.sanitize import neutral, safe_document, safe_text
from lbdeploy.errors import UsageError


def show(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Write a text, on standard output or on standard error."""
    print(safe_text(text), end=end, file=sys.stderr if err else sys.stdout, flush=True)


def as_json(document: Mapping[str, Any]) -> str:
    """A document as one line of JSON."""
    import json

    return json.dumps(document, ensure_ascii=False)


def show_document(document: Mapping[str, Any], form: Callable[[Mapping[str, Any]], str] = as_json) -> None:
    """Write a document on standard output in a form, with every text in it made safe to show."""
    print(neutral(form(safe_document(document))), flush=True)


def write_file(path: Path, content: str | bytes, mode: int = 0o666, state: str = "nothing was changed") -> None:
    """Write a file as a whole or not at all; a former one is replaced, unless it is no file (such as /dev/stdout).

    `mode` is what the umask leaves of it. Raises UsageError where it can't be written; `state` is told with it.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path, data, mode)
    except OSError as error:
        what = f"{path} can't be written: {error.strerror}"
        raise UsageError(what, state=state, fix="name another file") from None


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write it beside the file, and rename it: a symbolic link stays, and its target is replaced."""
    place = path.resolve()
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
        beside.replace(place)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
