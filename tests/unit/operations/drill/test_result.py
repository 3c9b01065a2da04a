"""Drills, without nodes: what a series of probes says, what the timers predict, and what is drawn of it."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders import BIG, SEED, cluster
from drills import OTHER, VIP, result, results, seeded
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.cli.report.drill import lines
from lbdeploy.cli.report.drill_page import page
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.operations.drill import faults
from lbdeploy.operations.drill.faults import NAMES, Name, kind
from lbdeploy.operations.drill.prediction import expected
from lbdeploy.operations.drill.result import DrillResult, together
from lbdeploy.operations.drill.timeline import timeline
from lbdeploy.operations.outage import node_clients, vip_moves, vrrp_events
from lbdeploy.operations.outage.client import PERIOD, Prober
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.operations.outage.gaps import ProbeResult, cut, gaps, longest, stall
from lbdeploy.operations.outage.views import HERE, View
from lbdeploy.operations.outage.vip_moves import Placed
from lbdeploy.operations.outage.vrrp_events import Event

patterns = st.text(alphabet=".x", max_size=80)


@pytest.mark.parametrize(
    ("pattern", "probes", "closed"),
    [("", 0, True), ("....", 0, True), ("..x..", 2, True), (".xxx.x.", 4, True), ("..xx", 2, False), ("xx..", 2, True)],
)
def test_the_gap_is_from_the_last_good_probe_to_the_next_good_one(pattern: str, probes: int, closed: bool) -> None:
    gap = longest(results(pattern))
    assert (gap.seconds if gap else 0) == pytest.approx(probes * PERIOD)
    assert gap is None or gap.closed == closed


@pytest.mark.parametrize(("failed", "lost"), [("a", 1), ("aa", 2), ("aaa", 0), ("x", 0), ("ax", 0)])
def test_a_connection_that_a_move_cut_is_no_outage(failed: str, lost: int) -> None:
    """One or two accepted probes (a) between good ones were cut; a third, or one not accepted, is an outage."""
    run = [ProbeResult(VIP, 1 + number, "reset", each == "a") for number, each in enumerate(failed)]
    assert len(cut([ProbeResult(VIP, 0), *run, ProbeResult(VIP, 9)])) == lost


@given(patterns)
def test_there_is_a_gap_where_and_only_where_probes_failed(pattern: str) -> None:
    assert bool(gaps(results(pattern))) == ("x" in pattern)


@given(patterns)
def test_gaps_follow_on_each_other_and_hold_every_failure(pattern: str) -> None:
    found, fired = gaps(results(pattern)), results(pattern)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(any(gap.start <= probe.start <= gap.end for gap in found) for probe in fired if not probe.good)
    assert all(0 <= gap.seconds <= PERIOD * len(pattern) for gap in found)


@given(patterns, st.randoms())
def test_the_order_in_which_probes_ended_does_not_matter(pattern: str, random: object) -> None:
    shuffled = results(pattern)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gaps(shuffled) == gaps(results(pattern))


@given(patterns, st.integers(0, 79))
def test_another_failure_never_shortens_the_longest_gap(pattern: str, index: int) -> None:
    worse = pattern[:index] + "x" + pattern[index + 1 :]
    before, after = longest(results(pattern)), longest(results(worse))
    assert before is None or (after is not None and after.seconds >= before.seconds - 1e-9)


def test_a_prober_that_stood_still_is_found_out() -> None:
    assert stall([*results("..."), *results("...", 1.0)]) == pytest.approx(0.96)


@pytest.mark.parametrize(
    ("name", "advert", "seconds"),
    [
        ("power", 1, 3 + 156 / 256),  # three adverts are missed, then lb2 waits for its skew: RFC 3768 section 6.1
        ("power", 0.1, 0.3 + 0.1 * 156 / 256),  # RFC 5798: the skew counts in parts of the advert interval
        ("link", 2, 6 + 156 / 256),
        ("haproxy", 1, 0.1 + 156 / 256),  # systemd tells keepalived, which sends an advert of priority 0
        ("haproxy", 0.1, 0.1 + 0.1 * 156 / 256),
        ("hang", 1, 1 + 2 + 156 / 256),  # besides, the check's timeout
        ("keepalived", 1, 2 + 156 / 256),  # the VIPs stay until systemd has started it again, after a second
        ("keepalived", 0.1, 0),
    ],
)
def test_the_timers_predict_the_longest_outage(name: Name, advert: float, seconds: float) -> None:
    cluster = seeded(advert)
    assert expected(cluster, name, cluster.preferred, holds=True) == pytest.approx(seconds)


def test_a_keepalived_that_is_told_nothing_has_to_find_out() -> None:
    """With a keepalived.conf of the operator's own, which does not ask whether haproxy is stopped, a check finds it."""
    cluster = seeded(check_interval=2, check_fall=3)
    assert expected(cluster, "haproxy", cluster.preferred, holds=True, told=False) == pytest.approx(6 + 156 / 256)


def test_the_heir_is_the_best_of_the_others() -> None:
    cluster = seeded()
    lb1, lb2 = cluster.nodes
    assert expected(cluster, "power", lb2, holds=True) == pytest.approx(3 + (256 - lb1.priority) / 256)
    assert expected(cluster, "power", lb1, holds=False) == 0


def test_the_heir_is_who_keepalived_prefers_at_this_moment(tmp_path: Path) -> None:
    """What it tracks lowers lb-a below lb-c: that one takes over, after a skew by its own effective priority."""
    three = cluster(tmp_path, BIG.replace("advert_interval = 0.25", "advert_interval = 1"))
    now = {"lb-a": 20, "lb-b": 250, "lb-c": 60}
    nominal, effective = (
        expected(three, "power", three.node("lb-b"), holds=True, priorities=each) for each in (None, now)
    )
    assert nominal == pytest.approx(3 + (256 - 150) / 256)
    assert effective == pytest.approx(3 + (256 - 60) / 256)


@given(st.sampled_from(NAMES), st.integers(1, 60), st.integers(1, 60), st.integers(1, 10))
def test_slower_checks_never_predict_a_shorter_outage(name: Name, interval: int, timeout: int, fall: int) -> None:
    quick = seeded(check_interval=interval, check_timeout=timeout, check_fall=fall)
    for slow in (
        seeded(check_interval=interval + 1, check_timeout=timeout, check_fall=1),
        seeded(check_interval=interval, check_timeout=timeout + 1, check_fall=fall),
        seeded(check_interval=interval, check_timeout=timeout, check_fall=fall + 1),
    ):
        one = replace(quick.vrrp, check_fall=min(fall, slow.vrrp.check_fall))
        faster = replace(quick, vrrp=one)
        predicted = expected(slow, name, slow.preferred, holds=True)
        assert predicted >= expected(faster, name, faster.preferred, holds=True) > 0


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_to_a_node_is_shell(seed: Cluster, name: Name) -> None:
    what = kind(name, seed.preferred, seed.vrrp.network)
    for script in (faults.arm(what, 12.5), faults.break_it(what), faults.undo(what), what.repairing, what.breaking):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_the_other_nodes_loop_is_bash_and_ends(seed: Cluster) -> None:
    script = node_clients.script([(VIP, 6443)], 12.4)
    assert "timeout -k 1 13 " in script
    subprocess.run(["bash", "-n"], input=node_clients._LOOP, text=True, check=True)


def test_probes_of_another_node_are_told_by_the_operators_clock() -> None:
    """Answers that came late, or never, are failures; probes of the last moment tell nothing."""
    asked = [f"ask {VIP} {100 + n * 0.02:.6f}" for n in range(100)]
    answered = [f"good {VIP} {100 + n * 0.02:.6f} {100 + n * 0.02 + 0.001:.6f}" for n in range(100) if n != 5]
    late = [f"good {VIP} 100.100000 101.2", "a word from a shell", "ask"]
    found = node_clients.read([*asked, *answered, *late], [(VIP, 6443)], Clock(ahead=50.0))
    assert [probe.start for probe in found if not probe.good] == pytest.approx([50.1])
    assert max(probe.start for probe in found) == pytest.approx(51.08, abs=0.02)


JOURNAL = """\
1795423366.172693 lb1 Keepalived_vrrp[549]: (VI_K8S_API) Entering BACKUP STATE
1795423369.391870 lb1 Keepalived_vrrp[549]: (VI_K8S_API) Entering MASTER STATE
1795423370.000000 lb1 Keepalived_vrrp[549]: Script `check_haproxy` now returning 1
1795423370.000100 lb1 Keepalived_vrrp[549]: (VI_K8S_API) Entering FAULT STATE
1795423370.000200 lb1 systemd[1]: Reloaded keepalived.service
-- Boot 1234 --
"""


def test_who_took_over_when_is_read_from_the_journal() -> None:
    found = list(vrrp_events.read(JOURNAL, "lb1", Clock(ahead=2.0), 1795423365.0))
    assert [(round(each.at, 1), each.what, each.state) for each in found] == [
        (1795423367.4, "enters MASTER", "MASTER"),
        (1795423368.0, "check_haproxy returns 1", ""),
        (1795423368.0, "enters FAULT", "FAULT"),
    ]


@given(st.text())
def test_no_journal_makes_it_fail(text: str) -> None:
    assert all(event.node == "lb1" for event in vrrp_events.read(text, "lb1", Clock(), 0.0))


@pytest.mark.parametrize(("node", "ahead"), [(1000.03, 0.0), (1005.05, 5.0), (995.05, -5.0)])
def test_a_clock_is_not_known_better_than_half_a_round_trip(node: float, ahead: float) -> None:
    assert Clock.compared(1000.0, node, 1000.1).ahead == pytest.approx(ahead)


ADDRESSES = """\
[2026-11-23T12:00:01.500000] Deleted 2: ens33    inet 192.168.0.10/24 scope global secondary ens33\\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: ens33    inet 192.168.0.10/24 scope global secondary ens33\\       valid_lft forever preferred_lft forever
[2026-11-23T12:00:02.000000] 2: ens33    inet6 fe80::1/64 scope link
[2026-11-23T12:00:0
"""
NOON = 1795435200.0


def test_who_has_a_vip_is_read_from_what_kernels_tell() -> None:
    """Of the VIPs alone; a line that was cut off is passed over."""
    found = vip_moves.read(ADDRESSES.splitlines(), "lb1", [VIP], Clock(ahead=1.0))
    assert list(found) == [Placed(NOON + 0.5, "lb1", VIP, has=False), Placed(0.0, "lb1", VIP, has=True)]


@pytest.mark.parametrize(
    ("moves", "one", "two"),
    [
        ("0+lb1", 0.0, 0.0),
        ("0+lb1 102-lb1 103+lb2", 3.0, 0.0),
        ("0+lb1 103+lb2 104-lb1", 4.0, 1.0),
        ("0+lb1 103+lb2", None, 7.0),  # both keep it
        ("0+lb1 102-lb1", None, 0.0),  # nobody has it
        ("0+lb1 103+lb2 103.01-lb1 108-lb2 108.05+lb1", 0.0, 0.0),  # as a node takes a VIP back
        ("0+lb1 90+lb2 99-lb1 115+lb1", 0.0, 0.0),  # before, and after
        ("", None, 0.0),  # nobody told anything
    ],
)
def test_a_vip_is_on_one_node_again_when_it_stays_there(moves: str, one: float | None, two: float) -> None:
    placed = [Placed(float(at), node, VIP, mark == "+") for at, mark, node in re.findall(r"([\d.]+)([+-])(\w+)", moves)]
    found = vip_moves.one_holder(placed, 100.0, 110.0)
    assert found == (one if one is None else pytest.approx(one))
    assert vip_moves.two_holders(placed, 100.0, 110.0) == pytest.approx(two)


def test_the_contract_of_the_document(seed: Cluster) -> None:
    document = result(seed).to_json()
    assert document["outage_ms"] == pytest.approx(1220)
    assert (document["probes"], document["failed"], document["expected_ms"]) == (310, 60, 1610)
    assert (document["from"], document["to"]) == ("lb1", "lb2")
    assert document["streams"] == {"opened": 2, "broken": 1}


def test_a_vip_that_cant_be_reached_from_here_counts_as_another_node_saw_it(seed: Cluster) -> None:
    blind = View(HERE, OTHER, tuple(ProbeResult(OTHER, 999.0 + n, "No route to host") for n in range(5)))
    seen = View("lb2", OTHER, tuple(ProbeResult(OTHER, each.start, each.failure) for each in results(".xxx.", 1000.0)))
    both = result(seed, ".....")
    both = replace(both, views=(*both.views, blind, seen))
    assert both.outage == pytest.approx(0.08)
    assert [(view.client, view.vip) for view in both.measured] == [(HERE, VIP), ("lb2", OTHER)]
    assert "can't be reached from here" in text(both)


@pytest.mark.parametrize(
    ("pattern", "healthy", "ok"),
    [
        ("." * 50 + "x" * 60 + ".", True, True),
        ("." * 50 + "x" * 200 + ".", True, False),  # longer than predicted
        ("." * 50 + "x" * 10, True, False),  # never answered again
        ("." * 50 + "x" * 60 + ".", False, False),
        ("x" * 50, True, False),  # nothing was measured
    ],
)
def test_what_is_a_success(seed: Cluster, pattern: str, healthy: bool, ok: bool) -> None:
    assert result(seed, pattern, healthy=healthy).ok == ok


def test_several_drills_are_one_document(seed: Cluster) -> None:
    document = together([result(seed), result(seed, "..x..")])
    assert document["outage_ms"] == pytest.approx(1220)
    assert document["failed"] == 61
    assert len(document["drills"]) == 2  # type: ignore[arg-type]


def text(result: DrillResult, width: int = 80) -> str:
    return "\n".join("".join(p if isinstance(p, str) else p[0] for p in line) for line in lines(result, width))


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_timeline_fits_and_no_short_silence_is_lost(seed: Cluster, width: int) -> None:
    drawn = text(result(seed, "." * 50 + "x" + "." * 250), width)
    rows = {line.split()[0]: line for line in drawn.splitlines() if line.startswith(("192", "lb"))}
    assert all(len(line) <= max(width, 40) for line in drawn.splitlines() if line.startswith(("192", "lb2")))
    assert "x" in rows["192.168.0.10"].partition(" ")[2]
    assert re.search(r"b+M+$", rows["lb2"])


@given(patterns.filter(lambda pattern: "." in pattern))
def test_the_rows_of_a_timeline_have_no_holes(pattern: str) -> None:
    shown = timeline(result(reader.load(SEED), pattern))
    for row in (*shown.vips, *shown.nodes):
        assert all(one.end == pytest.approx(two.start) for one, two in pairwise(row.spans))
        assert all(span.start < span.end for span in row.spans)


def test_the_report_says_what_others_saw_and_who_had_the_vips(seed: Cluster) -> None:
    placed = (Placed(0.0, "lb1", VIP, has=True), Placed(1000.1, "lb1", VIP, has=False))
    other = View("lb2", VIP, tuple(results("." * 50 + "x" * 59 + ".", 999.0)))
    whole = result(seed, placed=(*placed, Placed(1000.8, "lb2", VIP, has=True)))
    whole = replace(whole, views=(*whole.views, other))
    assert "Outage 1.22 s (lb2 saw 1.20 s), predicted" in text(whole)
    for drawn in (text(whole), page(seed, [whole])):
        assert "Each VIP was on one node after 0.80 s; two had them for 0.00 s" in drawn
    assert whole.to_json()["one_holder_ms"] == 800
    assert "Not every VIP was on one node" in text(replace(whole, placed=placed))


def test_the_page_is_well_formed_and_refers_to_nothing(seed: Cluster) -> None:
    """What nodes said is text, not markup."""
    nasty = Event(1000.7, "lb2", "<script>alert('&')</script>")
    drawn = page(seed, [result(seed, events=(nasty,)), result(seed, "..x..")])
    assert "<script" not in drawn
    assert "http" not in drawn.replace("http-equiv", "")
    pictures = re.findall(r"<svg.*?</svg>", drawn, re.DOTALL)
    assert [len(ElementTree.fromstring(each).findall("rect")) > 3 for each in pictures] == [True, True]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def answer(listener: socket.socket) -> None:
    """Greet back until the listener is closed."""
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"\x15")
    except OSError:
        return


def test_the_prober_tells_what_answers_from_what_does_not(server: socket.socket) -> None:
    """One server answers; another only accepts; at a third address nobody listens."""
    threading.Thread(target=answer, args=(server,), daemon=True).start()
    here = ip_address("127.0.0.1")
    with socket.create_server(("127.0.0.2", 0)) as mute:
        targets = [(here, server.getsockname()[1]), (ip_address("127.0.0.2"), mute.getsockname()[1])]
        with Prober([*targets, (ip_address("127.0.0.3"), 1)]) as prober:
            time.sleep(0.4)
    seen = {str(vip): {probe.failure for probe in prober.results if probe.vip == vip} for vip, _ in targets}
    assert "" in seen["127.0.0.1"]
    assert seen["127.0.0.2"] == {"no answer in time"}
    assert {probe.failure for probe in prober.results if str(probe.vip) == "127.0.0.3"} == {"Connection refused"}
    assert len([probe for probe in prober.results if probe.vip == here]) >= 10


def test_where_the_repair_may_fail_the_operator_must_say_so(tmp_path: Path) -> None:
    """Power and link on real nodes are refused, and nothing is contacted; so is a command that names no kind."""
    from lbdeploy.cli.app import App
    from lbdeploy.cli.commands.drill import _names
    from lbdeploy.errors import UsageError

    app = App()
    for name in ("power", "link"):
        with pytest.raises(UsageError, match="console"):
            _names(app, name, everything=False, console=False)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="name one kind"):
        _names(app, None, everything=False, console=False)
    with pytest.raises(UsageError, match="name one kind"):
        _names(app, "hang", everything=True, console=False)
    assert _names(app, None, everything=True, console=False) == ("haproxy", "hang", "keepalived")
    assert _names(app, None, everything=True, console=True) == NAMES
