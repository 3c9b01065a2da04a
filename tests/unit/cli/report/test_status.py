"""What `status` makes of what nodes say, and whether it fits a screen."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.theme import Theme
from statuses import pair, snapshot

from lbdeploy.cli.report.reporter import Reporter
from lbdeploy.cli.report.status import once, span
from lbdeploy.cli.report.terminal import RICH
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.operations.exit_status import looked
from lbdeploy.operations.status import Status


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def drawn(status: Status, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, theme=Theme(RICH)).print(once(status))
    return out.getvalue().splitlines()


def test_a_healthy_pair_fits_a_small_screen_and_has_no_warnings(seed: Cluster) -> None:
    lines = drawn(pair(seed))
    assert pair(seed).warnings == []
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "k8s-api  HEALTHY  2/2 nodes  3/3 servers  VIPs on lb1 for 1 min"
    assert lines[1].split()[:4] == ["lb1", "MASTER", "2m", "200"]
    assert "12" in lines[1].split()
    assert "3/s" in lines[1].split()


def test_a_screen_that_is_too_narrow_lacks_the_last_columns_and_says_so(seed: Cluster) -> None:
    """No word is broken."""
    lines = drawn(pair(seed), 60)
    assert lines[0].split() == ["node", "VRRP", "for", "priority", "haproxy", "keepalived", "sessions"]
    assert lines[1].split()[:4] == ["lb1", "MASTER", "2m", "200"]
    assert "rate and last run: on a wider screen" in lines
    assert "wider" not in " ".join(drawn(pair(seed)))


def test_what_is_not_as_it_should_be_is_said(seed: Cluster) -> None:
    """The kernel and keepalived disagree, a service is down, nobody or two hold the VIPs, a node can't be reached."""
    nodes = {"lb1": snapshot(seed, "lb1", "BACKUP", holds=True), "lb2": snapshot(seed, "lb2", "FAULT", holds=True)}
    said = " ".join(each.detail for each in Status(seed, nodes).warnings)
    assert "keepalived says BACKUP, but it has VIPs" in said
    assert "in FAULT state" in said
    assert "is on lb1 and lb2 at once" in said
    alone = Status(seed, {"lb2": snapshot(seed, "lb2", "BACKUP", holds=False)}, {"lb1": ConnectError("no answer")})
    assert [each.detail for each in alone.warnings][:2] == [
        "no answer",
        "192.168.0.10 is on no node that could be looked at",
    ]
    assert alone.to_json()["nodes"][1]["reachable"] is False  # type: ignore[index]


def test_of_nodes_that_were_not_asked_nothing_is_claimed(seed: Cluster) -> None:
    """`--limit` to the standby node of a healthy pair: nothing is wrong, and nobody says that nobody holds the VIPs."""
    alone = Status(seed, {"lb2": snapshot(seed, "lb2", "BACKUP", holds=False)})
    assert alone.warnings == []
    assert [each.unknown for each in alone.vips] == [("lb1",), ("lb1",)]
    shown = "\n".join(drawn(alone))
    assert "none of those looked at" in shown
    assert "nobody" not in shown


def test_a_node_that_could_not_be_looked_at_is_an_error_in_the_document(seed: Cluster) -> None:
    """What scripts look for first, whatever the command."""
    ending = looked(Status(seed, pair(seed).nodes, {}))
    assert (ending.exit_code, "error" in ending.document) == (0, False)
    away = Status(seed, {"lb1": pair(seed).nodes["lb1"]}, {"lb2": ConnectError("no answer", node="lb2")})
    assert looked(away).exit_code == 4
    assert looked(away).document["error"] == {"type": "Connect", "message": "no answer", "node": "lb2"}


@pytest.mark.parametrize(("term", "drawable"), [("xterm", True), ("dumb", False)])
def test_a_screen_wants_a_terminal_that_can_be_drawn_on(
    monkeypatch: pytest.MonkeyPatch, term: str, drawable: bool
) -> None:
    """Elsewhere `--watch` shows it once: a dumb terminal would stay empty."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert Reporter(json=False, verbose=0).drawable == drawable


def test_where_no_node_answers_it_says_that(seed: Cluster) -> None:
    dead = Status(seed, {}, {"lb1": ConnectError("no answer"), "lb2": ConnectError("no answer")})
    assert dead.vips == []
    assert any("lb1, lb2: no answer" in line for line in drawn(dead))


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, ""), (0, "0s"), (59, "59s"), (90, "2m"), (7200, "2h"), (400_000, "5d")]
)
def test_times_are_short(seconds: float | None, shown: str) -> None:
    assert span(seconds) == shown


def test_each_key_of_the_document_is_told(seed: Cluster) -> None:
    """docs/status.md names what scripts find in each node's entry."""
    page = (Path(__file__).parents[4] / "docs" / "status.md").read_text(encoding="utf-8")
    told = page.partition("`nodes`: [{")[2].partition("`warnings`")[0]
    nodes = pair(seed).nodes.values()
    assert [key for each in nodes for key in each.to_json() if f"`{key}`" not in told] == []
