"""Lines that are no TOML since they come from elsewhere."""

from __future__ import annotations

import pytest

from lbdeploy.config.mistakes.foreign import not_of_toml


@pytest.mark.parametrize(
    ("source", "said", "fix", "column"),
    [
        ("priority = \uff12\uff10\uff10", "\uff12\uff10\uff10 is written in full-width", "write 200", 12),
        ("\uff3bvrrp\uff3d", "\uff3bvrrp\uff3d is written in full-width", "write [vrrp]", 1),
        ("priority\u3000= 200", "this line has a space of another kind (U+3000)", "write a plain space there", 9),
        ("  external:  # ours", "this is YAML", "write [table] headers", 1),
        ("  - lb1", "this is YAML", "write [table] headers", 1),
        ("---", "this is YAML", "write [table] headers", 1),
        ("=======", "a merge has left", "keep one of them", 1),
        (">>>>>>> theirs", "a merge has left", "keep one of them", 1),
    ],
)
def test_where_it_comes_from_is_told(source: str, said: str, fix: str, column: int) -> None:
    """With what to write instead, and the place."""
    found = not_of_toml(source, [source])
    assert found
    assert (found[0].startswith(said), found[1].startswith(fix), found[2]) == (True, True, column)


@pytest.mark.parametrize(
    "source", ["router_id: 101", 'name = "\uff21"', "a = 1 # \u3000\uff11", "a = '\u00a0' x", "name = \u00e9", "x y"]
)
def test_what_is_in_texts_and_comments_is_none_of_it(source: str) -> None:
    """And neither is a colon between a key and its value."""
    assert not_of_toml(source, ["[cluster]", source]) is None
