"""The text of hosts.toml."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.config.loading.text import read


def test_the_text_is_read_as_it_is(tmp_path: Path) -> None:
    """With its comments; what is refused is in test_reader.py."""
    (tmp_path / "hosts.toml").write_text("# ü\n[cluster]\n", encoding="utf-8")
    assert read(tmp_path / "hosts.toml") == "# ü\n[cluster]\n"
