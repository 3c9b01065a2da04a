"""Every document that tests make is checked against the schema of its command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from lbdeploy.operations.documents import schema_of


@cache
def _validator(command: str) -> Draft202012Validator:
    schema = schema_of(command)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def conforming(document: Any) -> Any:
    """The document, which has the form that its command promises."""
    wrong = [f"{error.json_path}: {error.message}" for error in _validator(document["command"]).iter_errors(document)]
    assert not wrong, wrong
    assert not (apart := [*_apart(document)]), apart
    return document


def _apart(part: Any) -> Iterator[Any]:
    """Advice whose command is not the one that its words tell people."""
    if isinstance(part, dict):
        words = part.get("fix_command")
        if isinstance(words, list) and shlex.join(words) not in part["fix"]:
            yield part
        part = list(part.values())
    for each in part if isinstance(part, list) else ():
        yield from _apart(each)
