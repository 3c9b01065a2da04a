#!/usr/bin/env python3
"""Joins the fragments in changelog/.   Usage: tools/python/changelog.py [VERSION DATE]

Without arguments it shows what the next release would say; with them it writes that into CHANGELOG.md, and removes the
fragments. See changelog/README.md.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TOP = Path.cwd() if (Path.cwd() / "changelog").is_dir() else Path(__file__).parents[2]
KINDS = ("security", "removed", "changed", "added", "fixed")


def main(arguments: list[str]) -> int:
    """The exit code: 2 for bad usage, a fragment that is none, or a release without any."""
    found = fragments()
    unexpected = [path.name for path in found if not re.fullmatch(rf"[\w-]+\.({'|'.join(KINDS)})\.md", path.name)]
    if unexpected:
        return refuse(f"not NAME.KIND.md with KIND one of {', '.join(KINDS)}: {', '.join(unexpected)}")
    if not arguments:
        print(joined(found))
        return 0
    if len(arguments) != 2 or not re.fullmatch(r"\d{4}-\d\d-\d\d", arguments[1]):
        return refuse("usage: tools/python/changelog.py VERSION YYYY-MM-DD")
    if f"\n## {arguments[0]} (" in (TOP / "CHANGELOG.md").read_text(encoding="utf-8"):
        return refuse(f"CHANGELOG.md has {arguments[0]} already")
    if not found:
        return refuse("there are no fragments, so there is nothing to release")
    release(f"## {arguments[0]} ({arguments[1]})\n\n{joined(found)}", found)
    return 0


def refuse(message: str) -> int:
    """Say why not."""
    print(message, file=sys.stderr)
    return 2


def fragments() -> list[Path]:
    """Every file but the README, by name."""
    return sorted(path for path in (TOP / "changelog").iterdir() if path.name != "README.md")


def joined(found: list[Path]) -> str:
    """The fragments by kind, each as an item of a list."""
    sections = ((kind, [path for path in found if path.name.endswith(f".{kind}.md")]) for kind in KINDS)
    return "\n".join(f"### {kind.capitalize()}\n\n{''.join(map(item, paths))}" for kind, paths in sections if paths)


def item(path: Path) -> str:
    """A fragment as an item: its lines indented below the first."""
    return "- " + path.read_text(encoding="utf-8").strip().replace("\n", "\n  ") + "\n"


def release(section: str, found: list[Path]) -> None:
    """Put the section above those of earlier releases."""
    path = TOP / "CHANGELOG.md"
    head, mark, earlier = path.read_text(encoding="utf-8").partition("\n## ")
    path.write_text(f"{head.rstrip()}\n\n{section}{mark}{earlier}", encoding="utf-8")
    for each in found:
        each.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
