"""Mistakes in any file: how it ends, and what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from linted import built_in, lints


def test_a_last_line_without_a_newline_is_found(tmp_path: Path) -> None:
    """haproxy refuses a file whose last line has no end; the finding names that line."""
    text = built_in("haproxy.cfg") + "# end"
    (found,) = lints(tmp_path, "haproxy.cfg", text)
    assert (found.severity, found.message[:30]) == ("error", "the last line has no newline, ")
    assert found.line is not None


@pytest.mark.parametrize("name", ["haproxy.cfg", "keepalived.conf", "check-haproxy.sh", "sysctl.conf"])
@pytest.mark.parametrize("text", ["", "  \n\n"])
def test_an_empty_file_is_found(tmp_path: Path, name: str, text: str) -> None:
    """The validators accept an empty file, so it is found here."""
    (found,) = lints(tmp_path, name, text)
    assert (found.severity, found.message) == ("error", "is empty, which the validators accept")
