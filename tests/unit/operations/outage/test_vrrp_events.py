"""VRRP's changes of state, as keepalived's journal tells them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations.outage import vrrp_events
from lbdeploy.operations.outage.clocks import Clock

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


def test_what_haproxy_loses_is_read_from_the_journal_once() -> None:
    """It has two targets for its log, and systemd's for its warnings."""
    line = "haproxy[{}]: Server k8s-api/master1 is DOWN, reason: Layer4 timeout, check duration: 5001ms. 2 active"
    texts = ("[WARNING]  (11) : Server k8s-api/master1 is DOWN", line.format(11), line.format(11), "Server x/y is UP")
    told = "".join(f"179542337{n}.{n}00000 lb1 haproxy[11]: {text}\n" for n, text in ((0, texts[0]), (0, texts[1])))
    told += f"1795423379.100000 lb1 {line.format(11)}\n1795423379.200000 lb1 haproxy[11]: Server a/b is UP, 3 active\n"
    found = list(vrrp_events.read(told, "lb1", Clock(), 0.0))
    down = "haproxy calls k8s-api/master1 DOWN"
    assert [each.what for each in found] == [down, down, "haproxy calls a/b UP"]
    assert "-u haproxy" in vrrp_events.script(0.0, servers=True)
    assert "haproxy" not in vrrp_events.script(0.0)


@given(st.text())
def test_no_journal_makes_it_fail(text: str) -> None:
    assert all(event.node == "lb1" for event in vrrp_events.read(text, "lb1", Clock(), 0.0))
