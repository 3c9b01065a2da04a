"""What each key does to what is shown."""

from __future__ import annotations

import pytest

from lbdeploy.cli.report.live.view import LiveView


def after(keys: str | list[str], view: LiveView | None = None) -> LiveView:
    view = view or LiveView()
    for key in keys:
        view = view.pressed(key, 5)
    return view


@pytest.mark.parametrize(("key", "page"), [("?", "help"), ("h", "history"), ("d", "drill"), ("enter", "details")])
def test_a_page_has_a_key_and_esc_leaves_it(key: str, page: str) -> None:
    assert after([key]).page == page
    assert after([key, "escape"]).page == "overview"
    assert after([key, key]).page == "overview"


def test_from_one_page_to_another() -> None:
    assert after("?d").page == "drill"


def test_q_ends_it_on_any_page() -> None:
    assert after("q").over
    assert after("?q").over


def test_a_row_is_chosen_among_those_there_are() -> None:
    assert after(["up"]).selected == 0
    assert after(["down"] * 9).selected == 4
    assert after("jjk").selected == 1


def test_a_filter_is_typed_kept_and_cleared() -> None:
    """While it is typed, letters are no keys."""
    typed = after("/qd")
    assert (typed.filter, typed.typing, typed.over) == ("qd", True, False)
    assert after(["erase"], typed).filter == "q"
    kept = after(["enter"], typed)
    assert (kept.filter, kept.typing) == ("qd", False)
    assert after(["escape"], kept).filter == ""
    assert after(["escape"], typed).filter == ""


def test_a_page_is_scrolled_and_the_next_begins_at_its_top() -> None:
    assert after(["?", "down", "down", "up"]).top == 1
    assert after(["?", "down", "d"]).top == 0


def test_where_nothing_can_be_chosen_enter_does_nothing() -> None:
    assert LiveView().pressed("enter", 0) == LiveView()


def test_esc_leaves_a_cluster_that_was_opened() -> None:
    opened = LiveView(opened=3)
    assert after(["escape"], opened) == LiveView(selected=3)
    assert after(["escape"]) == LiveView()
