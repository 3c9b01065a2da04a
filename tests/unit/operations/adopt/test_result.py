"""What `adopt` gives back."""

from __future__ import annotations

import tomllib

from handmade_files import adopt_all, seed_pair


def test_it_has_the_file_as_it_is_written_and_the_table_for_programs() -> None:
    found = adopt_all(seed_pair())
    assert tomllib.loads(found.text) == found.draft
    assert sum(found.to_json()["counts"].values()) == len(found.rows)
