"""What may be shown: no text steers what shows it, seems to be another, or has a secret in it."""

from __future__ import annotations

import unicodedata
from base64 import b64encode

import pytest
from garbage import anything, pieces
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.common.sanitize import neutral, safe_document, safe_text

MARK = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lb1: Größe\tund\n漢字 ✓ 👍", "lb1: Größe\tund\n漢字 ✓ 👍"),
        ("\x1b]0;title\x07\x1b[2J\r", f"{MARK}]0;title{MARK}{MARK}[2J{MARK}"),
        ("\x9b2J\x85\x7f", f"{MARK}2J{MARK}{MARK}"),
        ("\u202egnp.\u2066\u061c\u200e", f"{MARK}gnp.{MARK * 3}"),
        ("a\u2028b\ufeffc\U000e0041", f"a{MARK}b{MARK}c{MARK}"),
        (b"\xff".decode(errors="surrogateescape"), MARK),
        ("auth_pass s3cret\nfine", "auth_pass (hidden)\nfine"),
        (b64encode(b"x\nauth_pass s3cret\n").decode(), "(base64 of a file that may hold a secret)"),
    ],
)
def test_texts_are_made_safe(text: str, shown: str) -> None:
    """Words of any language stay, and so do lines and columns."""
    assert safe_text(text) == shown


@given(st.one_of(st.text(), anything, pieces))
def test_no_text_steers_a_terminal(text: str) -> None:
    """Nothing is left of the categories of Unicode that do; what is safe stays as it is, and can be encoded."""
    shown = safe_text(text)
    assert not {unicodedata.category(each) for each in shown if each not in "\n\t"} & {"Cc", "Cs", "Zl", "Zp"}
    assert not any(unicodedata.bidirectional(each) in BIDI for each in shown)
    assert safe_text(shown) == shown == neutral(shown)
    shown.encode()


BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def test_documents_are_made_safe() -> None:
    """Every text in them, keys included; numbers and others stay."""
    document = {"a\x1b": ["\x07", 1, None, True, ("x", {"detail": "stats auth u:s3cret"})], "n": 1.5}
    assert safe_document(document) == {
        f"a{MARK}": [MARK, 1, None, True, ["x", {"detail": "stats auth (hidden)"}]],
        "n": 1.5,
    }
