"""What is written without colours: texts and documents, as they may be shown."""

from __future__ import annotations

import json

import pytest
from garbage import pieces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdeploy.cli.output import show, show_document

BAD = "\x1b]0;x\x07 auth_pass s3cret"
SAFE = "\N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER} auth_pass (hidden)"


def test_texts_are_written_as_they_may_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """On either stream."""
    show(BAD)
    show(BAD, err=True, end="")
    assert capsys.readouterr() == (f"{SAFE}\n", SAFE)


def test_documents_are_valid_whatever_is_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts are masked one by one, so that nothing of the document itself is lost."""
    show_document({"a": BAD, "b": [BAD, 1], "c": "d"})
    line = capsys.readouterr().out
    assert json.loads(line) == {"a": SAFE, "b": [SAFE, 1], "c": "d"}
    assert line.count("\n") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces, st.dictionaries(pieces, st.recursive(pieces, st.lists, max_leaves=4), max_size=3))
def test_no_text_damages_what_is_written(
    capsys: pytest.CaptureFixture[str], text: str, more: dict[str, object]
) -> None:
    """JSON stays JSON, on one line; and no other form gets a control character."""
    show_document({"text": text, **more})
    line = capsys.readouterr().out
    assert isinstance(json.loads(line), dict)
    assert line.count("\n") == 1
    show_document({"text": text}, lambda document: f"<{document['text']}>")
    assert all(each in "\n\t" or each.isprintable() or ord(each) >= 0xA0 for each in capsys.readouterr().out)
