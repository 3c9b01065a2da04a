"""Lines that come from elsewhere and are no TOML: another format, an editor's characters, a merge. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import normalize

CONFLICT = re.compile(r"<{7}|={7}|>{7}|\|{7}")
YAML = re.compile(r"\s*(?:[\w.\"-]+:\s*(?:#.*)?|- .*|---.*)$")
IN_QUOTES = re.compile(r"\"[^\"]*\"|'[^']*'|#.*")


def not_of_toml(source: str, lines: Sequence[str]) -> tuple[str, str, int] | None:
    """What is wrong with such a line, what would be right, and the column; None where it is no such line."""
    if CONFLICT.match(source):
        fix = "keep one of them, and remove the lines that begin with <<<<<<<, ======= and >>>>>>>"
        return "a merge has left both sides of a conflict here", fix, 1
    fix = "write [table] headers and KEY = VALUE lines; lbdeploy init writes such a file"
    if YAML.match(source):
        return "this is YAML, and not TOML", fix, 1
    if next((line for line in lines if line.strip()), "").lstrip().startswith("{"):
        return "this is JSON, and not TOML", fix, 1
    return _wide(source)


def _wide(source: str) -> tuple[str, str, int] | None:
    """Full-width letters and digits, and spaces that are none, which look right: outside of texts and comments."""
    bare = IN_QUOTES.sub(lambda found: " " * len(found[0]), source)
    at, plain = next(((at, each) for at, old in enumerate(bare) if (each := _narrow(old))), (0, ""))
    if not plain:
        return None
    if plain == " ":
        return f"this line has a space of another kind (U+{ord(bare[at]):04X})", "write a plain space there", at + 1
    word = re.match(r"[^\s=\[\]]+", bare[at:])
    wide = word[0] if word else bare[at]
    narrow = normalize("NFKC", wide)
    return f"{wide} is written in full-width characters, which TOML does not take", f"write {narrow}", at + 1


def _narrow(character: str) -> str:
    """The ASCII character that this one is another form of, or ""."""
    found = normalize("NFKC", character)
    return found if not character.isascii() and found.isascii() and len(found) == 1 else ""
