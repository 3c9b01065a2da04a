"""What is left of a table of hosts.toml without what is wrong in it, for the checks between tables. Pure.

Imported only for a file with a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, get_origin

from pydantic import ValidationError, create_model

from lbdeploy.config.schema import Table

Places = Iterable[tuple[int | str, ...]]


def remains(kind: type[Table], written: object) -> Table | None:
    """The table without the keys that are wrong, and its tables without the entries that are; None: it is no table.

    A key that it needs is None, or has no entries; one that it does not need has its default.
    """
    while isinstance(written, dict):
        try:
            needed = frozenset(name for name, field in kind.model_fields.items() if field.is_required())
            return _without(kind, needed.difference(written)).model_validate(written)
        except ValidationError as error:
            written = _less(written, [each["loc"] for each in error.errors(include_url=False)])
    return None


@cache
def _without(kind: type[Table], lacking: frozenset[str]) -> type[Table]:
    """The kind of table that does not need these keys."""
    empty: dict[str, Any] = {
        key: (Any, {} if get_origin(kind.model_fields[key].annotation) is dict else None) for key in lacking
    }
    return create_model(kind.__name__, __base__=kind, **empty)


def _less(table: dict[Any, Any], places: Places) -> dict[Any, Any] | None:
    """The table without what is at these places; None where that is the table itself."""
    if () in places:
        return None
    inner = {place[:2] for place in places if len(place) > 1 and isinstance(table[place[0]], dict)}
    whole = {place[0] for place in places if place[:2] not in inner}
    return {
        key: {name: each for name, each in value.items() if (key, name) not in inner}
        if isinstance(value, dict) else value
        for key, value in table.items() if key not in whole
    }  # fmt: skip
