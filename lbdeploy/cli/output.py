"""Writing plain text and documents to standard output and standard error, made safe to show: see `common.sanitize`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from lbdeploy.common.sanitize import neutral, safe_document, safe_text


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
