"""The only way out: what reaches a terminal, a log, a JSON document or a page has passed `safe_text`.

What a node says must neither steer the terminal that shows it, nor pass for something else, nor show a secret. So
control characters, and those that change the direction of text, become visible, and secrets are hidden.
"""

from __future__ import annotations

import re
from typing import Any

from lbdeploy.common.redact import hidden, hidden_in_base64

# C0 but tab and newline, DEL and C1 (ECMA-48); Unicode's line separators, its controls of direction (annex 9), marks
# that take no room, and tags; halves of surrogate pairs, which stand for bytes that are not UTF-8.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)


def neutral(text: str) -> str:
    """The text with a mark in the place of each character that would steer the program that shows it."""
    return text if text.isascii() and text.isprintable() else _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


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
