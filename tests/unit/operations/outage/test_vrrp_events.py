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


@given(st.text())
def test_no_journal_makes_it_fail(text: str) -> None:
    assert all(event.node == "lb1" for event in vrrp_events.read(text, "lb1", Clock(), 0.0))
