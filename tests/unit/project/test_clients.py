"""What the lab's own client finds: a judge that tests rely on."""

from __future__ import annotations

from typing import Any

import pytest
from chaos_changes import CHANGES
from chaos_faults import FAULTS
from chaos_judge import allowed_cut, allowed_outage, of_client
from clients import cut, gap, instants


def lost(*spans: tuple[float, float], why: str = "Connection reset by peer") -> list[dict[str, Any]]:
    return [{"vip": "192.168.0.10", "at": at, "until": until, "why": why, "connected": True} for at, until in spans]


@pytest.mark.parametrize(
    ("spans", "count"),
    [((), 0), (((0, 1), (0.2, 1.1), (0.9, 1.2)), 1), (((0, 1), (1.5, 2)), 2), (((0, 9), (1, 2), (3, 4)), 2)],
)
def test_connections_that_were_open_together_were_cut_together(
    spans: tuple[tuple[float, float], ...], count: int
) -> None:
    assert len(instants(lost(*spans))) == count


def test_what_was_open_at_a_move_is_cut_and_nothing_after_it() -> None:
    """However many; a connection that was begun later, and reset, went to the wrong node."""
    open_then = lost(*((at / 50, 1.0) for at in range(40)))
    assert cut({"failures": open_then, "late": []}, moves=1) == []
    assert cut({"failures": open_then + lost((1.5, 1.51)), "late": []}, moves=1) != []
    assert cut({"failures": open_then + lost((1.5, 1.51)), "late": []}, moves=2) == []


def test_those_that_tcp_asked_for_again_were_begun_in_the_moment_of_a_move() -> None:
    """However many that are on a busy machine; one VIP's moment is not another one's."""
    moment = lost(*((1 + n / 100, 2.0) for n in range(10)))
    later = lost((1.2, 2.2))
    other = [{**each, "vip": "192.168.1.10"} for each in later]
    assert cut({"failures": [], "late": moment + other}, moves=1) == []
    assert cut({"failures": [], "late": moment + later}, moves=1) == moment + later
    assert cut({"failures": [], "late": moment + later}, moves=2) == []
    assert cut({"failures": [], "late": later}, moves=0) == later


def test_without_a_failure_there_is_no_gap() -> None:
    seen = {"failures": [], "late": [], "gaps": {"192.168.0.10": 0.05}}
    assert gap(seen, "192.168.0.10") == 0
    assert gap({**seen, "failures": lost((1, 2))}, "192.168.0.10") == 0.05


@pytest.mark.parametrize(
    ("spans", "wrong"),
    [
        ([(7.5 + n / 50, 10.0) for n in range(120)], False),  # TCP asked again until a node had the VIP; then it moved
        ([(7.5 + n / 50, 7.51 + n / 50) for n in range(120)], True),
        ([(7.5 + n / 50, 7.51 + n / 50) for n in range(40)], False),
    ],
)
def test_chaos_judges_when_connections_were_cut_not_when_they_began(
    spans: list[tuple[float, float]], wrong: bool
) -> None:
    """One instant is what a move costs; a VIP that cuts all that it accepts, for longer than a second, is a fault."""
    seen = {"failures": lost(*spans), "late": [], "broken": [], "probes": 500, "streams": 2}
    told = list(of_client(seen, 6.0, breaks=True))
    assert [each.startswith("192.168.0.10 accepted connections and cut them") for each in told] == [True] * wrong


@pytest.mark.parametrize(
    ("fault", "target", "seconds"),
    [("keepalived killed", "lb1", 3.7), ("keepalived killed", "lb2", 1), ("haproxy killed", "lb1", 1)],
)
@pytest.mark.parametrize("change", ["VRRP's network", "haproxy setting"])
def test_chaos_lets_two_nodes_have_a_vip_only_where_a_holder_starts_anew_in_an_election(
    change: str, fault: str, target: str, seconds: float
) -> None:
    """For as long as the fault may cost; everywhere else connections may be cut for a second."""
    of = next(each for each in CHANGES if each.name == change), next(each for each in FAULTS if each.name == fault)
    assert allowed_cut(*of, target) == pytest.approx(seconds if change == "VRRP's network" else 1, abs=0.1)


@pytest.mark.parametrize(
    ("change", "target", "seconds"),
    [("VRRP's network", "lb1", 3.7), ("VRRP's network", "lb2", 3.7), ("haproxy setting", "lb1", 0.9)],
)
def test_chaos_lets_an_election_take_its_time_where_nodes_do_not_hear_each_other(
    change: str, target: str, seconds: float
) -> None:
    of = next(each for each in CHANGES if each.name == change), next(x for x in FAULTS if x.name == "haproxy killed")
    assert allowed_outage(*of, target) == pytest.approx(seconds, abs=0.1)
