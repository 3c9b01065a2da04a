"""What `adopt` has made of a pair that was built by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.config.draft import Draft
from lbdeploy.operations.adopt.rows import LineRow, Verdict


@dataclass(frozen=True, slots=True)
class Adopted:
    """A hosts.toml as tables, the `files` that it names, by their paths beside it, and the table of lines."""

    draft: Draft
    files: Mapping[str, str]
    rows: Sequence[LineRow]
    notes: Sequence[str] = ()

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many rows have each verdict."""
        found: dict[Verdict, int] = {"kept": 0, "equal": 0, "changes": 0, "ends": 0}
        for each in self.rows:
            found[each.verdict] += 1
        return found

    @property
    def text(self) -> str:
        """The hosts.toml, as it is written."""
        from lbdeploy.config import writer

        return writer.text(self.draft)

    def to_json(self) -> dict[str, Any]:
        """The table for programs."""
        return {"lines": [each.to_json() for each in self.rows], "counts": self.counts, "notes": list(self.notes)}
