"""What becomes of the VIPs when something happens to the nodes that nobody asked for; see also test_drill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clients import traffic, turned_away
from harness import VIPS, Lab, held_by, sound, wait_for

LOST = "ip neigh replace 192.168.1.12 lladdr 02:00:00:00:00:99 dev ens32 nud permanent"  # what lb1 sends to lb2 is lost
FOUND = "ip neigh del 192.168.1.12 dev ens32"


@contextmanager
def unheard(lab: Lab) -> Iterator[None]:
    """lb2 hears nothing of lb1, while lb1 hears all of lb2."""
    lab.on("lb1", LOST)
    try:
        yield
    finally:
        lab.on("lb1", FOUND)


def gap(seen: dict[str, Any]) -> float:
    """Seconds from the first to the last connection to a VIP that was not answered."""
    times = [[each["at"] for each in seen["failures"] if each["vip"] == vip] for vip in VIPS]
    return max((max(those) - min(those) for those in times if those), default=0.0)


def test_two_holders_are_named_and_it_heals_by_itself(pair: Lab) -> None:
    """Where the standby hears nothing of the holder, both have the VIPs: `verify` names both, and so does `up`."""
    with traffic(pair, *VIPS) as seen, unheard(pair):
        wait_for(lambda: all(set(pair.holder(vip)) == {"lb1", "lb2"} for vip in VIPS), 15)
        found = pair.do("verify", code=6)
        assert {name for vip in found["vips"] for name in vip["holders"]} == {"lb1", "lb2"}
        said = [each["detail"] for each in found["findings"] if each["check"] == "vip" and not each["ok"]]
        assert said == [f"{vip} is on lb1 and lb2 at once" for vip in VIPS]
        refused = pair.do("handover", "--to", "lb2", code=1)["error"]
        assert "192.168.0.10 is on lb1 and lb2" in refused["message"]
        assert pair.do("rebuild", "lb2", code=1)["error"]["state"] == "nothing was changed"
    assert seen["probes"] > 20
    assert turned_away(seen) == []  # whichever of the two a client reaches, it serves
    wait_for(lambda: held_by(pair, "lb1"), 15)
    sound(pair)


def test_a_killed_haproxy_is_back_at_once(pair: Lab) -> None:
    """SIGKILL to all of haproxy on the holder: systemd starts it again, or the VIPs move; one holder in any case."""
    with traffic(pair, *VIPS) as seen:
        pair.on("lb1", "systemctl kill -s KILL haproxy")
        wait_for(lambda: all(pair.answers(vip) == "ok" for vip in VIPS), 10)
    assert gap(seen) < 2
    wait_for(lambda: held_by(pair, "lb1"), 20)
    sound(pair)


def test_a_holder_that_is_rebooted_comes_back_unnoticed(pair: Lab) -> None:
    """Going down costs the standby's skew; coming back, and taking the VIPs again, costs nothing."""
    with traffic(pair, *VIPS) as going:
        pair.on("lb1", "systemctl reboot", check=False)
        wait_for(lambda: held_by(pair, "lb2"), 15)
    assert gap(going) < 1.2
    with traffic(pair, *VIPS) as coming:
        wait_for(lambda: held_by(pair, "lb1"), 60)
    assert turned_away(coming) == []
    sound(pair)
