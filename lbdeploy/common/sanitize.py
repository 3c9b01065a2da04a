"""The only way out: what reaches a terminal, a log, a JSON document or a page has passed `safe_text`.

What a node says must neither steer the terminal that shows it, nor pass for something else, nor show a secret. So
control characters, and those that change the direction of text, become visible, and secrets are hidden.
"""

from __future__ import annotations

from typing import Any

from lbdeploy.common.redact import hidden, hidden_in_base64

# C0 but tab and newline, DEL and C1 (ECMA-48); Unicode's line separators, its controls of direction (annex 9), marks
# that take no room, and tags; halves of surrogate pairs, which stand for bytes that are not UTF-8; and no characters.
_STEERING = (
    (0x00, 0x08), (0x0B, 0x1F), (0x7F, 0x9F), (0x61C, 0x61C), (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E),
    (0x2060, 0x206F), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0xFFFE, 0xFFFF), (0xE0000, 0xE007F),
)  # fmt: skip


class _Neutral(dict[int, int]):
    """What `str.translate` puts in the place of a character; computed as they come, since most never do."""

    def __missing__(self, code: int) -> int:
        steers = any(first <= code <= last for first, last in _STEERING)
        self[code] = ord("\N{REPLACEMENT CHARACTER}") if steers else code
        return self[code]


_neutral = _Neutral()


def neutral(text: str) -> str:
    """The text with a mark in the place of each character that would steer the program that shows it."""
    return text if text.isascii() and text.isprintable() else text.translate(_neutral)


def safe_text(text: str) -> str:
    """The text, safe to show: neutral, and without secrets."""
    return neutral(hidden_in_base64(hidden(text)))


def safe_markup(text: str) -> str:
    """The text, safe to show in a page, or in a picture in XML."""
    from html import escape

    return escape(safe_text(text))


def safe_document(value: Any) -> Any:
    """A JSON document with every text in it made safe to show."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, dict):
        return {safe_text(str(key)): safe_document(each) for key, each in value.items()}
    return [safe_document(each) for each in value] if isinstance(value, list | tuple) else value
