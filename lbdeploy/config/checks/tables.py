"""The tables of hosts.toml as checks see them: well-formed, as far as a check needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from lbdeploy.config.schema import NAMED, SINGLE

Key = tuple[str, ...]
Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tables:
    """`parsed` holds, by section, the tables without what is wrong in them; `data` all of them, as written.

    A check says by which keys it judges, and gets the tables in which these are known. So a mistake hides nothing that
    it has nothing to do with, and what only follows from it is not told as another one.
    """

    parsed: Data
    data: Data
    wrong: Set[Key]  # keys of which something is said already
    vague: Set[Key]  # tables with unknown keys, each of which may be meant for one that is not there

    @classmethod
    def of(cls, parsed: Data, data: Data, told: Iterable[Key]) -> Tables:
        """`told`: the keys of the problems that are known already."""
        wrong = {parts[:length] for parts in told for length in (2, 3)}
        return cls(parsed, data, wrong, frozenset(_with_unknown_keys(data)))

    def single(self, section: str, *keys: str) -> Any:
        """A table that there is one of, if these keys are known in it."""
        table = self.parsed.get(section)
        return table if table and self._knows((section,), self.data[section], keys) else None

    def named(self, section: str, *keys: str) -> dict[str, Any]:
        """The tables of a section in which these keys are known, by name."""
        found = self.parsed.get(section, {}).items()
        return {name: table for name, table in found if self._knows((section, name), self.data[section][name], keys)}

    def names(self, section: str) -> list[str]:
        """The names that a section gives, also to what is no table."""
        written = self.data.get(section)
        return list(written) if isinstance(written, dict) else []

    def written(self, section: str) -> dict[str, dict[str, Any]]:
        """The tables of a section as they are written, by name."""
        return dict(_tables(self.data, section))

    def complete(self, section: str, *keys: str) -> bool:
        """Whether there are tables of this section, and these keys are known in all of them."""
        return list(self.named(section, *keys)) == self.names(section) != []

    def _knows(self, table: Key, written: Data, keys: Iterable[str]) -> bool:
        return not any((*table, key) in self.wrong or (table in self.vague and key not in written) for key in keys)


def _tables(data: Data, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    tables = data.get(section)
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            yield name, table


def _with_unknown_keys(data: Data) -> Iterator[Key]:
    for section, single in SINGLE.items():
        if isinstance(table := data.get(section), dict) and table.keys() - single.model_fields.keys():
            yield (section,)
    networks = data.get("networks")
    for section, kind in NAMED.items():
        known = {*kind.model_fields, *(networks if section == "nodes" and isinstance(networks, dict) else ())}
        yield from ((section, name) for name, table in _tables(data, section) if table.keys() - known)
