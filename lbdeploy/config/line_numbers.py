"""The line of a key in hosts.toml. Needed only to report problems, so tree-sitter is imported only then."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Key = tuple[str, ...]


class LineNumbers:
    """The line of every key and table of a TOML text; lines count from 1."""

    def __init__(self, text: str) -> None:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
        self._lines: dict[Key, int] = {}
        for key, line in _walk(tree.root_node, ()):
            self._lines.setdefault(key, line)

    def of(self, key: Key) -> int:
        """The line of `key`, or of the nearest table around it that the file has; 1 where it has none."""
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines.get(key, 1)


def _walk(node: Node, around: Key) -> Iterator[tuple[Key, int]]:
    for child in node.named_children:
        if child.type in ("pair", "table", "table_array_element"):
            key = around + _key(child.named_children[0])
            yield from ((key[:end], child.start_point.row + 1) for end in range(len(around) + 1, len(key) + 1))
            yield from _walk(child, key)
        elif child.type == "inline_table":
            yield from _walk(child, around)


def _key(node: Node) -> Key:
    if node.type == "dotted_key":
        return tuple(part for child in node.named_children for part in _key(child))
    text = (node.text or b"").decode()
    return (tomllib.loads(f"key = {text}")["key"] if node.type == "quoted_key" else text,)
