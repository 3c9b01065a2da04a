"""What `down` only looks at."""

from __future__ import annotations

from builders import running, steps_of, stopped

from lbdeploy.node.resources import Service
from lbdeploy.node.resources.observed import Observed


def test_what_is_only_observed_never_changes() -> None:
    """It is probed, and asked for, like the resource that it is; whatever its state is, that is fine."""
    haproxy = Service("haproxy", ("/etc/haproxy/haproxy.cfg",))
    observed = Observed(haproxy)
    assert (observed.id, observed.units, observed.probe()) == (haproxy.id, haproxy.units, haproxy.probe())
    for state in (running(), stopped()):
        assert observed.compare(state, ("/etc/haproxy/haproxy.cfg",)) == []
        assert steps_of(observed, state) == ""
    assert observed.former() == []
