"""What is known of a command line before it is read."""

from __future__ import annotations

import pytest

from lbdeploy.cli.app import App
from lbdeploy.cli.early_words import note_format, own


@pytest.mark.parametrize(
    ("typed", "ours"),
    [
        ("--json plan --limit lb1", "--json plan --limit lb1"),
        ("lab exec lb1 kubectl --json", "lab exec lb1"),
        ("-f lab --json lab -v exec -f exec lb1 a -f b", "-f lab --json lab -v exec -f exec lb1"),
        ("lab stop exec --json", "lab stop exec --json"),
        ("check -- --json", "check"),
        ("lab exec", "lab exec"),
    ],
)
def test_words_of_others_are_not_read(typed: str, ours: str) -> None:
    """Those of a command that runs in the lab, and those behind --."""
    assert own(typed.split()) == ours.split()


@pytest.mark.parametrize(
    ("typed", "form"),
    [("verify --format nagios", "nagios"), ("verify --format=junit -v", "junit"), ("verify --format yaml", ""),
     ("verify --format", ""), ("verify", "")],
)  # fmt: skip
def test_the_form_is_noted(typed: str, form: str) -> None:
    """Whatever is wrong with it, or beside it, is found later."""
    app = App()
    note_format(app, typed.split())
    assert (app.format.name if app.format else "") == form
    note_format(app, [*typed.split(), "--events", "--json"])
    assert (app.events, app.json) == (True, True)
