"""A command's document in the formats of other programs: monitoring, test reports, merge requests.

Each module has `text(document)`, for the document that --json would print; what is not the program's own is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Document = Mapping[str, Any]
NAMES = ("nagios", "prometheus", "junit", "markdown")


@dataclass(frozen=True, slots=True)
class Format:
    """A format, by its name. Its module is imported when there is something to print."""

    name: str

    def text(self, document: Document) -> str:
        """What standard output gets. `document` has `cluster`, the cluster's name, besides the keys of --json."""
        return str(self._module.text(document))

    def exit_code(self, document: Document) -> int:
        """The exit code: that of the command, except where the format has codes of its own."""
        own: Callable[[Document], int] | None = getattr(self._module, "exit_code", None)
        return own(document) if own else int(document["exit_code"])

    @property
    def _module(self) -> Any:
        return import_module(f"{__name__}.{self.name}")
