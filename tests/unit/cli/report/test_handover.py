"""The report of a handover."""

from __future__ import annotations

from ipaddress import ip_address

from builders import observe, survey

from lbdeploy.cli.report.handover import lines
from lbdeploy.config.model import Cluster
from lbdeploy.operations.handover.result import HandoverResult
from lbdeploy.operations.outage.gaps import ProbeResult
from lbdeploy.operations.outage.views import HERE, View
from lbdeploy.operations.outage.watch import Silence

VIP = ip_address("192.168.0.10")


def told(seed: Cluster, *, reached: bool = True, watches: int = 6, silence: float = 0.7, late: int = 0) -> list[str]:
    """The report of a handover from lb1 to lb2, as text."""
    after = survey(seed, observe(seed, seed.node("lb1")), observe(seed, seed.node("lb2"), holds=True))
    probes = tuple(ProbeResult(VIP, 999 + n / 50, "" if reached else "refused") for n in range(100))
    done = HandoverResult(
        views=(View(HERE, VIP, probes),),
        watches=watches,
        ended_watches=watches,
        silences=(Silence(VIP, 1001.4, 1001.4 + silence),) if watches and silence else (),
        giver="lb1",
        taker="lb2",
        began=1000.0,
        moved_at=1001.5,
        cut=2,
        late=late,
        expected=0.0,
        offsets={"lb1": 0, "lb2": 101},
        verdict=after.verdict,
    )
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines(seed, [done])]


def test_what_it_cost_clients(seed: Cluster) -> None:
    """New connections, open ones, and watches that only read; then until when it stays so."""
    assert told(seed)[:5] == [
        "Moved: lb2 has taken the VIPs from lb1",
        "0 of 100 probes failed; outage 0.00 s; open connections that were cut: 2",
        "6 of 6 watches that only read were ended, and heard nothing for at most 0.60 s",
        "They stay there until lbdeploy handover --back, or until lb2 is rebooted:",
        "lb1 takes them then, after preempt_delay (30 s).",
    ]


def test_what_tcp_asked_for_again_is_told(seed: Cluster) -> None:
    assert told(seed, late=1)[1].endswith("; open connections that were cut: 2; asked for again by TCP, 1 s late: 1")


def test_a_short_silence_is_not_called_none(seed: Cluster) -> None:
    """What is shorter than a busy machine's pauses is not noted: that is said, and not 0.00 s."""
    assert told(seed, silence=0)[2].endswith("were ended, and heard nothing for less than 0.4 s")


def test_what_was_not_measured_is_not_told(seed: Cluster) -> None:
    """A VIP that can't be reached from here, or watches that were never answered."""
    assert (
        told(seed, reached=False)[1]
        == "! 192.168.0.10 can't be reached from here: what it cost clients was not measured"
    )
    assert not any("watches" in line for line in told(seed, watches=0))
