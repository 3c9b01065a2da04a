#!/usr/bin/env python3
"""Puts each key of hosts.toml into the site's search, as an entry of its own that leads to the key's row.

Usage: python tools/python/search_keys.py, after `zensical build`

The search ranks titles above texts, and knows only headings as titles: in a table, a key would be found behind every
page that mentions it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pages import hosts_toml

INDEX = Path(__file__).parents[2] / "site" / "search.json"
PAGE = "hosts-toml.html"
LEVEL = 3  # of a key, below its table's heading
ROW = re.compile(r'^\| <a id="([^"]+)"></a>`[^`]+` \|.*\| (.*) \|$', re.MULTILINE)


def main() -> None:
    """Write the index anew."""
    index = json.loads(INDEX.read_text(encoding="utf-8"))
    INDEX.write_text(json.dumps(with_keys(index), separators=(",", ":")), encoding="utf-8")


def with_keys(index: dict[str, Any]) -> dict[str, Any]:
    """The index with the keys first, each once."""
    others = [each for each in index["items"] if not each["location"].startswith(f"{PAGE}#") or each["level"] != LEVEL]
    return {**index, "items": [*keys(hosts_toml.page()), *others]}


def keys(page: str) -> Iterator[dict[str, Any]]:
    """An entry of the index for each row of the page's tables."""
    for name, meaning in ROW.findall(page):
        text = re.sub(r"`([^`]*)`", r"\1", meaning)
        place = f"{PAGE}#{name}"
        yield {"location": place, "level": LEVEL, "title": name, "text": text, "path": ["hosts.toml"], "tags": []}


if __name__ == "__main__":
    main()
