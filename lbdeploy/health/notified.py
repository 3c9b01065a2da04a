"""Whether the operator's `notify_*` scripts have been told of each node's state. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.node.keepalived_state import ToldState
from lbdeploy.node.observation import Observation

CHECK = "notify"
_TIMED_OUT = (124, 137)  # the exit status of timeout(1), and of a script that it had to kill
_SOON = 3  # attempts after which nothing is likely to change within seconds


def notified(state: ClusterState) -> Iterator[Finding]:
    """A finding for each node, where hosts.toml has such scripts."""
    for each in state.observations if state.cluster.vrrp.told else ():
        yield _judged(each, each.told or ToldState(), state.cluster.vrrp.notify_timeout)


def _judged(seen: Observation, told: ToldState, timeout: int) -> Finding:
    name, fix = seen.node.name, "there: journalctl -u lbdeploy-notify -n 20; it is tried again by itself"
    if told.result == "delivered":
        return Finding.passed(name, CHECK, f"its script was told of {told.state}")
    if not told.result:
        return Finding.warning(name, CHECK, "no script was told of its state yet", fix, settling=True)
    if told.result == "delivering" and told.attempts == 1:
        return Finding.warning(name, CHECK, f"its script is being told of {told.state}", fix, settling=True)
    why = f"takes longer than {timeout} s" if told.status in _TIMED_OUT else f"ends with {told.status}"
    detail = f"notify_{told.state.lower()} {why}, {told.attempts} times so far: {_for(seen, told)}"
    found = Finding.failed(name, CHECK, detail, fix, settling=told.attempts < _SOON)
    return found if told.state == "MASTER" else found.as_warning()


def _for(seen: Observation, told: ToldState) -> str:
    return f"it was to be told of {told.state} {max(0, round(seen.now - told.since))} s ago"
