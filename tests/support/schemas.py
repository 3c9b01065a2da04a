"""Every document that tests make is checked against the schema of its command."""

from __future__ import annotations

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
    return document
