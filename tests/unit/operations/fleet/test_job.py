"""Jobs of many clusters: their labels, and the exit code of all."""

from __future__ import annotations

from jobs import result

from lbdeploy.operations.fleet.job import labels, worst


def test_the_worst_exit_code_is_the_one_with_most_to_do() -> None:
    """From an interrupted run down to one with nothing to do; one that nobody knows is a failure."""

    def of(*codes: int | None) -> int:
        return worst([result("x", code) for code in codes])

    order = [130, 1, 7, 4, 6, 5, 2, 3, 0]
    assert [of(*order[at:]) for at in range(len(order))] == order
    assert (of(0, 99, 7), of(None, 3), of()) == (1, 3, 0)


def test_files_are_told_apart_by_short_names() -> None:
    """The name alone, or the folder of a hosts.toml; where two are alike, all of it."""
    files = ["sites/berlin.toml", "paris/hosts.toml", "a/rome.toml", "b/rome.toml"]
    assert list(labels(files).values()) == ["berlin", "paris", "a/rome.toml", "b/rome.toml"]
