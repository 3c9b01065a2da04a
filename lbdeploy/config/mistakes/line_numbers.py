"""Where a key of hosts.toml stands. Needed only to report problems, so tree-sitter is imported only then."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lbdeploy.common.paths import shown

if TYPE_CHECKING:
    from tree_sitter import Node

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A part of a line of the file: `column` and `width` count characters, the column from 1; `source` is the line."""

    line: int = 1
    column: int = 0
    width: int = 0
    source: str = ""


class LineNumbers:
    """The line of every key and table of a TOML text; lines count from 1."""

    def __init__(self, text: str) -> None:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        self._text = text.encode().split(b"\n")
        tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
        self._nodes: dict[Key, tuple[Node, Node | None]] = {}
        for key, name, value in _walk(tree.root_node, ()):
            self._nodes.setdefault(key, (name, value))

    def of(self, key: Key) -> int:
        """The line of `key`, or of the nearest table around it that the file has; 1 where it has none."""
        return self.place(key).line

    def place(self, key: Key, *, value: bool = False) -> TextSpan:
        """The place of a key, or of its value where that is on one line; of the nearest table where it has no key."""
        found = key
        while found and found not in self._nodes:
            found = found[:-1]
        if not found:
            return TextSpan()
        name, of = self._nodes[found]
        whole = value and found == key and of is not None and of.start_point.row == of.end_point.row
        return self._place(of if whole and of is not None else name)

    def _place(self, node: Node) -> TextSpan:
        line = self._text[node.start_point.row]
        before, marked = line[: node.start_point.column], line[node.start_point.column : node.end_point.column]
        return TextSpan(node.start_point.row + 1, len(_chars(before)) + 1, max(len(_chars(marked)), 1), _chars(line))


def place_in(file: Path, key: Key) -> str:
    """The file and the line of a key in it; the file alone where it can't be read any more."""
    try:
        return f"{shown(file)}:{LineNumbers(file.read_text(encoding='utf-8')).of(key)}"
    except (OSError, ValueError):
        return str(shown(file))


def _chars(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")


def _walk(node: Node, around: Key) -> Iterator[tuple[Key, Node, Node | None]]:
    """Every key with the node of its last part, and of its value if it has one."""
    for child in node.named_children:
        if child.type in ("pair", "table", "table_array_element"):
            first, *rest = child.named_children
            key = around + _key(first)
            value = rest[0] if child.type == "pair" and rest else None
            parts = list(_parts(first))
            yield from ((key[:end], parts[end - len(around) - 1], None) for end in range(len(around) + 1, len(key)))
            yield key, first, value
            yield from _walk(child, key)
        elif child.type == "inline_table":
            yield from _walk(child, around)


def _parts(node: Node) -> Iterator[Node]:
    """The nodes of the parts of a key."""
    for child in node.named_children if node.type == "dotted_key" else ():
        yield from _parts(child)
    if node.type != "dotted_key":
        yield node


def _key(node: Node) -> Key:
    if node.type == "dotted_key":
        return tuple(part for child in node.named_children for part in _key(child))
    text = (node.text or b"").decode()
    return (tomllib.loads(f"key = {text}")["key"] if node.type == "quoted_key" else text,)
