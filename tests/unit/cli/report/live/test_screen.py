"""The live screen of one cluster: what stands where, at any size."""

from __future__ import annotations

import pytest
from statuses import pair
from watching import fault, text, watched

from lbdeploy.cli.report.live.layout import width_of
from lbdeploy.cli.report.live.screen import last_screen, screen
from lbdeploy.cli.report.live.sections import Watched
from lbdeploy.cli.report.live.view import LiveView, Page
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.operations.status import Status

SIZES = [(60, 14), (80, 24), (100, 30), (140, 40), (30, 6)]


def drawn(shown: Watched, view: LiveView | None = None, size: tuple[int, int] = (80, 24)) -> list[str]:
    return [text(line).rstrip() for line in screen(shown, view or LiveView(selected=-1), size)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("page", ["overview", "help", "details", "history", "drill"])
def test_each_page_is_as_large_as_the_terminal_and_begins_with_how_the_cluster_is(
    seed: Cluster, page: Page, size: tuple[int, int]
) -> None:
    lines = screen(watched(fault(seed)), LiveView(page=page), size)
    assert len(lines) == size[1]
    assert max(map(width_of, lines)) <= size[0]
    assert text(lines[0]).split()[:2] == ["k8s-api", "DEGRADED"]
    assert "q" in text(lines[-1])


def test_all_of_a_pair_fits_sixty_columns_and_fourteen_rows(seed: Cluster) -> None:
    lines = drawn(watched(pair(seed)), size=(60, 14))
    assert lines[0] == "k8s-api  HEALTHY  2/2 nodes  3/3 servers  VIPs on lb1"
    first = [line.split(" ")[0] for line in lines]
    assert first[1:11] == [
        "node", "lb1", "lb2", "VIP", "192.168.0.10", "192.168.1.10", "server", "master1", "master2", "master3",
    ]  # fmt: skip
    assert lines[12].endswith("more lines: h shows them")


@pytest.mark.parametrize("size", SIZES)
def test_what_happens_moves_nothing(seed: Cluster, size: tuple[int, int]) -> None:
    """Each node, VIP and server stays in its row, while something is wrong, and while a node does not answer."""
    names = ("lb1 ", "lb2 ", "192.168.0.10 ", "master1 ", "master3 ")
    away = Status(seed, {"lb2": pair(seed).nodes["lb2"]}, {"lb1": ConnectError("gone", node="lb1")})
    found = [
        {name: at for name in names for at, line in enumerate(lines[: size[1] - 3]) if line.startswith(name)}
        for lines in (
            drawn(watched(pair(seed)), size=size),
            drawn(watched(fault(seed)), size=size),
            drawn(watched(away, pair(seed).nodes, lb1=7.0), size=size),
        )
    ]
    assert found[0] == found[1] == found[2]


def test_a_row_that_is_chosen_keeps_the_colours_that_say_how_it_is(seed: Cluster) -> None:
    row = screen(watched(fault(seed)), LiveView(selected=0), (80, 24))[2]
    styles = {part[0].strip(): part[1] for part in row if isinstance(part, tuple)}
    assert (styles["lb1"], styles["FAULT"], styles["inactive"]) == ("selected", "bad", "bad")


def test_the_number_of_problems_is_told_in_sixty_columns(seed: Cluster) -> None:
    lines = drawn(watched(fault(seed)), size=(60, 14))
    assert lines[0] == "k8s-api DEGRADED 1/2 nodes 3/3 servers VIPs on lb2 1 problem"


def test_what_is_wrong_stands_above_what_has_changed(seed: Cluster) -> None:
    lines = drawn(watched(fault(seed)), size=(100, 30))
    at = lines.index("what is wrong, and the last changes")
    assert lines[at + 1] == "✗ lb1: haproxy is inactive"
    assert any(line.endswith("lb2 is MASTER") for line in lines[at + 2 :])


def test_a_filter_leaves_rows_and_says_what_it_leaves_out(seed: Cluster) -> None:
    """The tables keep their room."""
    lines = drawn(watched(pair(seed)), LiveView(filter="master2", selected=-1))
    assert [line.split()[0] for line in lines if line.startswith("master")] == ["master2"]
    assert "2 nodes, none with master2" in lines[1]
    assert lines[-1].startswith("/master2  Esc clears it")
    assert lines.index(next(line for line in lines if line.startswith("server"))) == drawn(watched(pair(seed))).index(
        next(line for line in drawn(watched(pair(seed))) if line.startswith("server"))
    )


def test_what_a_silent_node_said_last_is_grey(seed: Cluster) -> None:
    away = Status(seed, {"lb2": pair(seed).nodes["lb2"]}, {"lb1": ConnectError("gone", node="lb1")})
    lines = screen(watched(away, pair(seed).nodes, lb1=7.0), LiveView(selected=-1), (80, 24))
    row = next(line for line in lines if text(line).startswith("lb1"))
    assert {part[1] for part in row if isinstance(part, tuple) and part[0].strip() not in ("", "lb1")} == {"quiet"}


@pytest.mark.parametrize("size", [(60, 14), (80, 24), (140, 40)])
def test_the_last_screen_has_no_keys_and_no_empty_lines_at_its_end(seed: Cluster, size: tuple[int, int]) -> None:
    lines = [text(line).rstrip() for line in last_screen(watched(pair(seed)), size)]
    assert lines[0].startswith("k8s-api  HEALTHY")
    assert lines[-1]
    assert not any("q quit" in line for line in lines)
