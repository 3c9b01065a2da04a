"""`lbdeploy rebuild`, without nodes: what it refuses, whom it changes, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import SEED, as_by, cluster, observe, plans, stopped

from lbdeploy.common.typed import typed
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, InterruptedRunError, LbdeployError, RemoteError
from lbdeploy.events import silent
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.file import FileState
from lbdeploy.operations.exit_status import rebuilt
from lbdeploy.operations.rebuild import Rebuild, Rebuilt
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF
from lbdeploy.rollout.request import Options

THIRD = '[nodes.lb3]\nexternal = "192.168.0.13"\nmanagement = "192.168.1.13"\npriority = 50\n\n[vrrp]'
ORIGIN: Any = SimpleNamespace(about="ann")
Seen = Mapping[str, Observation | LbdeployError]


class BegunError(Exception):
    """The run has taken the lock: it was not refused."""


@contextmanager
def taken(*_: object) -> Iterator[None]:
    raise BegunError
    yield


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Cluster, Seen], Rebuild]:
    """A rebuild of lb1 that finds the nodes so, as often as it looks; no time passes."""
    clock = iter(range(10**6))
    time = SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock))
    monkeypatch.setattr("lbdeploy.rollout.loop.locking", taken)
    monkeypatch.setattr("lbdeploy.rollout.run.former_peers", lambda *_: [])
    for module in ("lbdeploy.operations.rebuild", "lbdeploy.rollout.observer"):
        monkeypatch.setattr(sys.modules[module], "time", time)

    def make(cluster: Cluster, seen: Seen) -> Rebuild:
        pool: Any = SimpleNamespace(nodes=cluster.nodes, each=lambda nodes, work: dict(seen))
        return Rebuild(cluster, pool, silent, ORIGIN, Options(limit=("lb1",)))

    return make


def lost(name: str) -> ConnectError:
    return ConnectError("no answer", node=name, state="nothing was changed on it", fix="see whether it runs")


def member(cluster: Cluster, name: str, **changes: Any) -> Observation:
    return observe(cluster, cluster.node(name), **changes)


def bare(cluster: Cluster, name: str) -> Observation:
    """A host that was installed anew."""
    files = {f"file {path}": FileState("missing") for path in (HAPROXY_CFG, KEEPALIVED_CONF)}
    states = files | {f"service {daemon}": stopped() for daemon in ("haproxy", "keepalived")}
    return member(cluster, name, states=states, haproxy_answers=False)


@pytest.fixture
def trio(tmp_path: Path) -> Cluster:
    return cluster(tmp_path, SEED.read_text().replace("[vrrp]", THIRD, 1))


def test_a_host_that_does_not_answer_yet_is_told_of_as_it_is(seed: Cluster, run: Any) -> None:
    """Exit code 4, by which a script knows that it may try again: it is not left out, as `up` would do."""
    with pytest.raises(ConnectError) as caught:
        run(seed, {"lb1": lost("lb1"), "lb2": member(seed, "lb2", holds=True)}).rebuild(wait=True)
    assert (caught.value.node, caught.value.exit_code) == ("lb1", 4)


def test_a_holder_that_can_not_be_reached_is_named(seed: Cluster, run: Any) -> None:
    """That nobody else holds the VIPs is not known then: its own error says why."""
    with pytest.raises(ConnectError, match="no answer") as caught:
        run(seed, {"lb1": bare(seed, "lb1"), "lb2": lost("lb2")}).rebuild(wait=False)
    assert caught.value.node == "lb2"
    assert caught.value.state == "nothing was changed; whether lb2 holds the VIPs is not known"


def test_nodes_that_hold_nothing_are_an_error_of_their_own(seed: Cluster, run: Any) -> None:
    with pytest.raises(RemoteError, match="no other node holds the VIPs alone"):
        run(seed, {"lb1": bare(seed, "lb1"), "lb2": member(seed, "lb2")}).rebuild(wait=False)


def test_a_third_node_that_is_away_stops_nothing(trio: Cluster, run: Any) -> None:
    """Of three, two may have to be rebuilt: it is told of, as something that is not well, once the node is a member."""
    seen = {"lb1": bare(trio, "lb1"), "lb2": member(trio, "lb2", holds=True), "lb3": lost("lb3")}
    with pytest.raises(BegunError):
        run(trio, seen).rebuild(wait=False)
    seen |= {"lb1": member(trio, "lb1", holds=True), "lb2": member(trio, "lb2")}
    ending = rebuilt(run(trio, seen).rebuild(wait=True))
    assert (ending.exit_code, ending.document["role"]) == (6, "holder")
    assert ending.document["error"]["message"].endswith("but the cluster is not healthy: lb3: no answer")
    assert [each["node"] for each in ending.document["findings"] if not each["ok"]] == ["lb3"]


def elsewhere(tmp_path: Path) -> tuple[Cluster, Cluster]:
    """hosts.toml before and after lb1 got another address, and something else was edited in it."""
    text = SEED.read_text().replace('"192.168.1.11"', '"192.168.1.19"').replace("roundrobin", "leastconn")
    return reader.load(SEED), cluster(tmp_path, text)


@pytest.mark.parametrize("edited", ["", "# mine\n"])
def test_a_node_that_would_not_hear_it_is_told_and_nothing_else(tmp_path: Path, run: Any, edited: str) -> None:
    """Its peers change in the keepalived.conf that it has; what else it lacks is left to `up`, and told of later."""
    before, after = elsewhere(tmp_path)
    states = as_by(before, "lb2")
    was = states[f"file {KEEPALIVED_CONF}"]
    states[f"file {KEEPALIVED_CONF}"] = replace(was, content=was.content + edited)
    rebuild = run(after, {"lb1": bare(after, "lb1"), "lb2": member(after, "lb2", holds=True, states=states)})
    with pytest.raises(BegunError):
        rebuild.rebuild(wait=False)
    survey = rebuild.start().survey
    told = survey.plans["lb2"]
    changes = [(each.name, each.action) for each in told.changes]
    assert changes == [(KEEPALIVED_CONF, "update"), ("keepalived", "reload")]
    assert survey.plan.order == (("lb2",), ("lb1",))
    (conf,) = [part.resource.content for part in told.parts if part.resource.id == f"file {KEEPALIVED_CONF}"]
    assert conf == states[f"file {KEEPALIVED_CONF}"].content.replace("192.168.1.11", "192.168.1.19")
    # When it has been told, the run is over, and the rest is drift.
    states[f"file {KEEPALIVED_CONF}"] = replace(was, content=conf)
    seen = {"lb1": member(after, "lb1", holds=True), "lb2": member(after, "lb2", states=states)}
    done = run(after, seen).rebuild(wait=False)
    assert done.plan.changes == ()
    drift = [each.detail for each in done.verdict.findings if each.is_error and each.node == "lb2"]
    assert any(HAPROXY_CFG in each for each in drift)


def test_a_node_that_hears_it_is_not_changed(seed: Cluster, run: Any) -> None:
    drift = {f"file {HAPROXY_CFG}": FileState("file", "644", "root:root", 1.0, "mine\n")}
    rebuild = run(seed, {"lb1": bare(seed, "lb1"), "lb2": member(seed, "lb2", holds=True, states=drift)})
    with pytest.raises(BegunError):
        rebuild.rebuild(wait=False)
    assert rebuild.start().plan.order == (("lb1",),)


def waited(run: Any, cluster: Cluster, **of_lb2: Any) -> Rebuilt:
    """The end of a rebuild whose node is a member, and does not take the VIPs however long one waits."""
    seen = {"lb1": member(cluster, "lb1"), "lb2": member(cluster, "lb2", holds=True, **of_lb2)}
    done: Rebuilt = run(cluster, seen).rebuild(wait=True)
    return done


def test_a_role_that_is_not_taken_back_in_time_is_a_failure(seed: Cluster, run: Any) -> None:
    """The node is as it should be, and so is the other one; but it was to have the VIPs by now."""
    ending = rebuilt(waited(run, seed))
    assert (ending.exit_code, ending.document["role"], ending.document["returns"]) == (1, "standby", True)
    error = ending.document["error"]
    assert error["message"].startswith("it has not taken the VIPs within ")
    assert (error["node"], error["state"]) == ("lb1", "it is as hosts.toml says, and lb2 holds the VIPs")


def test_vips_that_will_not_return_are_no_failure_and_it_is_said_why(tmp_path: Path, seed: Cluster, run: Any) -> None:
    """A handover holds them elsewhere, or nothing preempts."""
    still = cluster(tmp_path, SEED.read_text().replace("preempt_delay = 30", "preempt = false"))
    for outcome, why in (
        (waited(run, seed, priority_offset=101), "lb2 holds the VIPs after a handover: until lbdeploy handover --back"),
        (waited(run, still), "preempt is off"),
    ):
        ending = rebuilt(outcome)
        assert (ending.exit_code, ending.error) == (0, None)
        assert (ending.document["role"], ending.document["returns"]) == ("standby", False)
        assert why in ending.document["why"]


def test_a_node_that_is_lost_in_the_end_is_a_failure(seed: Cluster) -> None:
    """Whatever was done on it: nobody knows how it is."""
    other = member(seed, "lb2", holds=True)
    verdict = SimpleNamespace(healthy=False, findings=(), holders=("lb2",), to_json=dict)
    plan = SimpleNamespace(to_json=list, nodes=plans(seed, other))
    gone = Rebuilt(plan, verdict, ("lb1",), {"lb1": lost("lb1")}, name="lb1", returns=False)  # type: ignore[arg-type]
    assert rebuilt(gone).exit_code == 4


def test_ctrl_c_while_it_waits_says_that_the_node_goes_on(seed: Cluster, run: Any) -> None:
    """It is a member by then, and takes the VIPs by itself: there is nothing to go on with, or back to."""
    rebuild = run(seed, {"lb1": member(seed, "lb1"), "lb2": member(seed, "lb2", holds=True)})
    rebuild.context.interrupt.asked = True
    with pytest.raises(InterruptedRunError) as caught:
        rebuild.rebuild(wait=True)
    assert caught.value.state == "lb1 takes the VIPs by itself, after preempt_delay (30 s)"
    assert caught.value.fix == "lbdeploy verify --wait 60"


def test_what_to_type_after_an_interruption_is_rebuild_itself(seed: Cluster, run: Any) -> None:
    rebuild = run(seed, {"lb1": bare(seed, "lb1"), "lb2": member(seed, "lb2", holds=True)})
    with pytest.raises(BegunError):
        rebuild.rebuild(wait=False)
    assert rebuild.wording.halted_fix == "lbdeploy rebuild lb1 goes on"


@pytest.mark.parametrize(
    ("fix", "told"),
    [
        (typed("up", before="fix the cause, then: "), "fix the cause, then: lbdeploy rebuild lb1"),
        (typed("plan", after=" shows what is left"), "lbdeploy plan --limit lb1 shows what is left"),
        (typed("verify", after="; or: lbdeploy up"), "lbdeploy verify; or: lbdeploy up"),
        (typed("up", "--force-last", before="bring another node back first; or: "), "bring another node back first"),
    ],
)
def test_what_to_type_after_a_failure_is_rebuild_itself(seed: Cluster, run: Any, fix: str, told: str) -> None:
    """`up` would change other nodes, too, and rebuild is there for not doing that; it can't be forced."""
    rebuild = run(seed, {})
    assert rebuild.wording.advice(fix) == told


def test_another_name_of_an_interface_is_refused_with_those_there_are(tmp_path: Path, run: Any) -> None:
    """hosts.toml must say it first; nothing is changed."""
    renamed = SEED.read_text().replace("priority = 200", 'priority = 200\ninterfaces = { external = "enp1s0" }')
    after = cluster(tmp_path, renamed)
    then = reader.load(SEED)
    host = replace(bare(after, "lb1"), links=observe(then, then.node("lb1")).links)
    with pytest.raises(RemoteError, match="has no interface enp1s0") as caught:
        run(after, {"lb1": host, "lb2": member(after, "lb2", holds=True)}).rebuild(wait=False)
    assert "it has: ens32, ens33" in (caught.value.fix or "")
    assert caught.value.state == "nothing was changed"
