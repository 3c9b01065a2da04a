"""Whether the operator's `notify_*` scripts have been told of each node's state. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.node.keepalived_state import ToldState
from lbdeploy.node.observation import Observation
from lbdeploy.node.paths import TELL_STATE

CHECK = "notify"
_TIMED_OUT = (124, 137)  # the exit status of timeout(1), and of a script that it had to kill
_MOMENT = 10  # s after a change of keepalived's state in which it may not have been told yet
_SOON = 3  # attempts after which nothing is likely to change within seconds


def notified(state: ClusterState) -> Iterator[Finding]:
    """A finding for each node, where hosts.toml has such scripts."""
    for each in state.observations if state.cluster.vrrp.told else ():
        yield _judged(each, each.told or ToldState(), state.cluster.vrrp.notify_timeout)


def _judged(seen: Observation, told: ToldState, timeout: int) -> Finding:
    return _of_another(seen, told) or _progress(seen, told, timeout)


def _of_another(seen: Observation, told: ToldState) -> Finding | None:
    """A finding where keepalived's state is another one than the one that was told last, whatever came of that."""
    state, since = seen.reported.state, seen.reported.since
    if not told.result or state not in ("MASTER", "BACKUP", "FAULT") or state == told.state:
        return None
    detail = f"keepalived is {state}, and the last state to be told was {told.state}"
    soon = not since or seen.now - since < _MOMENT
    found = Finding.failed(seen.node.name, CHECK, detail, f"there: {TELL_STATE} {state}", settling=soon)
    return found if "MASTER" in (state, told.state) else found.as_warning()


def _progress(seen: Observation, told: ToldState, timeout: int) -> Finding:
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
