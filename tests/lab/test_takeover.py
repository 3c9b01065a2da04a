"""Pairs that somebody has set up by hand, taken over by `up` while clients are at work. Cases from the field."""

from __future__ import annotations

import pytest
from clients import smooth, traffic
from hand_made import BY_MULTICAST_WITH_AUTH, BY_UNICAST_WITH_AUTH, HAPROXY, INGRESS, by_hand
from harness import VIPS, Lab, held_by, wait_for

LESS, MORE = "unicast, password, script of its own", "multicast, password, ingress that ends"
WAYS = {
    LESS: (BY_UNICAST_WITH_AUTH, HAPROXY, ()),
    MORE: (BY_MULTICAST_WITH_AUTH, HAPROXY + INGRESS, ("--ignore", "ends")),
}


@pytest.mark.parametrize("way", [MORE, pytest.param(LESS, marks=pytest.mark.slow)])
def test_a_pair_made_by_hand_is_taken_over_without_a_failed_request(bare: Lab, way: str) -> None:
    """keepalived.conf comes with new scripts, and nodes elect anew: no connection fails, and the pair is lbdeploy's."""
    keepalived, haproxy, ignored = WAYS[way]
    by_hand(bare, keepalived, haproxy)
    with traffic(bare, *VIPS) as seen:
        done = bare.run("up", *ignored)
        assert done.code == 0, done.out + done.err
        wait_for(lambda: held_by(bare, "lb1"), 60)
    smooth(seen, moves=2)
    assert bare.do("up")["changes"] == []
    one_retires(bare)


def one_retires(lab: Lab) -> None:
    """Its keepalived of before would hear nobody, and take the VIPs that the other serves: it does not run again."""
    with traffic(lab, *VIPS) as seen:
        done = lab.run("down", "--limit", "lb1", "--yes")
        assert done.code == 0, done.out + done.err
        assert "the keepalived from before lbdeploy stays stopped and disabled" in done.out
        wait_for(lambda: held_by(lab, "lb2"))
    smooth(seen, moves=1)
    states = "systemctl is-active keepalived; systemctl is-enabled keepalived"
    assert lab.on("lb1", states, check=False).split() == ["inactive", "disabled"]
    assert "auth_pass" in lab.on("lb1", "cat /etc/keepalived/keepalived.conf")
    assert "Nothing to do" in lab.run("down", "--limit", "lb1", "--yes").out
