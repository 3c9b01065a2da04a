"""What somebody who watches has chosen to see, and how each key changes that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Page = Literal["overview", "help", "details", "history", "drill"]
PAGES: dict[str, Page] = {"?": "help", "h": "history", "d": "drill"}
STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}
MOST = 40  # characters of a filter


@dataclass(frozen=True, slots=True)
class LiveView:
    """`selected`: the row that Enter opens; `top`: the first line of a page that is shown.

    `typing`: keys go into the filter; `opened`: of many clusters, this one.
    """

    page: Page = "overview"
    selected: int = 0
    top: int = 0
    filter: str = ""
    typing: bool = False
    opened: int | None = None
    over: bool = False

    def pressed(self, key: str, rows: int) -> LiveView:
        """The view after a key. `rows`: how many can be selected."""
        if self.typing:
            return self._typed(key)
        if key in ("q", "escape"):
            return replace(self, over=True) if key == "q" else self._back()
        return self._moved(key, rows) if self.page == "overview" else self._turned(key)

    def _turned(self, key: str) -> LiveView:
        """A key on a page that is not the overview."""
        if step := STEPS.get(key):
            return replace(self, top=max(0, self.top + step))
        return self._to("overview" if key == "enter" else _other(self.page, key))

    def _to(self, page: Page) -> LiveView:
        return self if page == self.page else replace(self, page=page, top=0)

    def _moved(self, key: str, rows: int) -> LiveView:
        if step := STEPS.get(key):
            return replace(self, selected=max(0, min(self.selected + step, rows - 1)))
        if key == "/":
            return replace(self, typing=True)
        return self._to("details" if key == "enter" and rows else _other(self.page, key))

    def _typed(self, key: str) -> LiveView:
        if key == "enter":
            return replace(self, typing=False)
        if key == "escape":
            return replace(self, typing=False, filter="", selected=0)
        if key == "erase":
            return replace(self, filter=self.filter[:-1], selected=0)
        return replace(self, filter=(self.filter + key)[:MOST], selected=0) if len(key) == 1 else self

    def _back(self) -> LiveView:
        """One step back: from a page, from a filter, from one of many clusters."""
        if self.page != "overview":
            return replace(self, page="overview")
        if self.filter:
            return replace(self, filter="", selected=0)
        return self if self.opened is None else LiveView(selected=self.opened)


def _other(page: Page, key: str) -> Page:
    """The page of a key; its own key leaves it."""
    wanted = PAGES.get(key, page)
    return "overview" if key in PAGES and wanted == page else wanted
