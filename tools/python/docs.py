#!/usr/bin/env python3
"""Generates the pages of docs/ that the code itself can write.   Usage: python tools/python/docs.py [--check]"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lbdeploy.config import json_schema
from pages import architecture, commands, decisions, doctor, errors, hosts_toml, man, verify

TOP = Path(__file__).parents[2]
PAGES: dict[str, Callable[[], str]] = {
    "docs/images/architecture.svg": architecture.page,
    "docs/hosts-toml.md": hosts_toml.page,
    "docs/hosts.schema.json": json_schema.text,
    "docs/commands.md": commands.page,
    "docs/doctor.md": doctor.page,
    "docs/verify.md": verify.page,
    "docs/errors.md": errors.page,
    "docs/decisions/index.md": decisions.page,
    "docs/man/lbdeploy.1": man.page,
}


def main() -> int:
    """Write the pages; with --check, say instead which of them are not as they would be written."""
    if "--check" in sys.argv:
        return check()
    for name, page in PAGES.items():
        path = TOP / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(page(), encoding="utf-8")
    return 0


def check() -> int:
    """The exit code: 1 where a page is missing or out of date."""
    old = [name for name, page in PAGES.items() if not current(TOP / name, page())]
    for name in old:
        print(f"{name} is out of date: make docs", file=sys.stderr)
    return bool(old)


def current(path: Path, text: str) -> bool:
    """Whether the file has this text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
