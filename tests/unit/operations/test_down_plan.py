"""`down`: what each node gets back, in which order nodes go, and which must not."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from builders import observe, stopped

from lbdeploy.cli.report.down import outcome
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LastNodeError, LbdeployError, RemoteError
from lbdeploy.node.drift import diff
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.original import (
    Content,
    OriginalFile,
    OriginalFileState,
    OriginalService,
    OriginalSysctl,
    Unit,
)
from lbdeploy.node.resources.purge import Purge, PurgeState
from lbdeploy.operations.down import Removed
from lbdeploy.operations.down_plan import plan_removal, purges
from lbdeploy.operations.down_steps import FILES, SYSCTLS, leave, original, purge
from lbdeploy.planning.desired import files, sysctls
from lbdeploy.rollout.survey import Survey
from lbdeploy.rollout.transaction import Task

CONF = OriginalFile("/etc/haproxy/haproxy.cfg")
RUNS, OFF, ABSENT = Unit("loaded", "active", "enabled"), Unit("loaded", "inactive", "disabled"), Unit()


def file_state(record: str = "known", now: str = "ours", was: str | None = None) -> OriginalFileState:
    content = Content() if was is None else Content("file", "644,root:root", was)
    return OriginalFileState(record, Content("file", "644,root:root", now), "/kept", content)


def known(cluster: Cluster, name: str, *, holds: bool = False, **states: Any) -> Observation:
    """A healthy node on which lbdeploy was the first to put anything; `purge`: the state of Purge."""
    seen = observe(cluster, cluster.node(name), holds=holds)
    conf = {file.path: file.content for file in files(cluster, seen.node)}
    mine: dict[str, Any] = {
        each.id: file_state(now=conf[each.path])
        if isinstance(each, OriginalFile)
        else ("1", "0")
        if isinstance(each, OriginalSysctl)
        else (RUNS, ABSENT)
        for each in original(purge=False)
        if isinstance(each, OriginalFile | OriginalSysctl | OriginalService)
    }
    return replace(seen, states={**seen.states, **mine, "purge": PurgeState(), **states})


def untouched(cluster: Cluster, name: str) -> Observation:
    """The same where lbdeploy never was, or is no more."""
    same: dict[str, Any] = dict.fromkeys((f"original {name}" for name in SYSCTLS), ("0", "0"))
    same |= {f"original {path}": file_state("none") for path in FILES}
    return known(cluster, name, **same, **{f"original {unit}": (OFF, OFF) for unit in ("haproxy", "keepalived")})


def survey(
    cluster: Cluster, *seen: Observation, beside: tuple[Observation, ...] = (), **errors: LbdeployError
) -> Survey:
    plans = {each.node.name: diff(original(purge=True), each) for each in seen}
    return Survey(
        cluster, {each.node.name: each for each in seen}, plans, errors, {each.node.name: each for each in beside}
    )


def test_what_down_takes_away_is_what_up_puts_there(seed: Cluster) -> None:
    """Whoever adds a file or a setting to `desired` adds it here, too."""
    assert {file.path for file in files(seed, seed.preferred)} == set(FILES)
    assert set(sysctls(seed)) <= set(SYSCTLS)


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (file_state(was="theirs"), "restore"),
        (file_state(), "remove"),
        (file_state("unknown"), "remove"),
        (file_state("none"), None),
        (file_state(now="same", was="same"), None),
    ],
)
def test_a_file_becomes_what_it_was(state: OriginalFileState, action: str | None) -> None:
    """Where lbdeploy is not, nothing is touched; where nothing is known, what is ours goes."""
    assert [change.action for change in CONF.compare(state, ())] == ([action] if action else [])


def test_what_a_node_says_of_a_file_is_read() -> None:
    """A link is compared by its goal, a file by content, mode and owner."""
    text = base64.b64encode(b"a\n\xff").decode()
    state = CONF.read(Answer(f"known\nfile 640,root:haproxy {text}\n/kept\nlink - {text}\n"))
    assert (state.record, state.source, state.now.kind, state.was.kind) == ("known", "/kept", "file", "link")
    assert (state.now.attributes, state.now.content) == ("640,root:haproxy", "a\n\udcff")
    assert CONF.read(Answer("none\nmissing - -\n/kept\nmissing - -\n")).now == Content()
    assert CONF.read(Answer("")).record == "none"


@pytest.mark.parametrize(
    ("now", "was", "actions"),
    [
        (RUNS, ABSENT, ["stop", "disable"]),
        (RUNS, OFF, ["stop", "disable"]),
        (RUNS, Unit("loaded", "inactive", "enabled"), ["stop"]),
        (RUNS, Unit("masked", "inactive", "masked"), ["stop", "mask"]),
        (RUNS, RUNS, ["restart"]),
        (OFF, RUNS, ["start", "enable"]),
        (OFF, ABSENT, []),
        (ABSENT, RUNS, []),
    ],
)
def test_a_service_becomes_what_it_was(now: Unit, was: Unit, actions: list[str]) -> None:
    """One that was not there does not run; one that ran is restarted for its old file; one that is gone is let be."""
    service = OriginalService("haproxy", reads=(CONF.path,))
    assert [change.action for change in service.compare((now, was), {CONF.path})] == actions


def test_what_a_node_says_of_services_and_settings_is_read() -> None:
    """Where nothing is remembered they stay as they are, unless they are known to be lbdeploy's."""
    now = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
    service, sysctl = OriginalService("haproxy"), OriginalSysctl("a.b", "/etc/c")
    assert service.read(Answer(f"none\n{now}was\n")) == (RUNS, RUNS)
    assert service.read(Answer(f"known\n{now}was\nLoadState=not-found\n")) == (RUNS, ABSENT)
    assert service.read(Answer(f"unknown\n{now}was\n")) == (RUNS, ABSENT)
    assert [sysctl.read(Answer(text)) for text in ("none\n1\n0\n", "known\n1\n0\n", "known\n1\n")] == [
        ("1", "1"), ("1", "0"), ("1", "1")
    ]  # fmt: skip


def test_only_what_lbdeploy_installed_is_purged() -> None:
    """Of what apt would remove along, only what came with it; what somebody else's package needs is said."""
    mine = "state\nthere haproxy\nthere keepalived\nmine haproxy\nmine liblua\nmine socat\nasked haproxy\n"
    apt = "takes haproxy\ntakes hatop\nfrees haproxy\nfrees liblua\nfrees gcc\n"
    state = Purge(("haproxy",)).read(Answer(mine + apt))
    assert state == PurgeState(("haproxy", "liblua"), ("hatop",), kept=True, staying=("keepalived",))
    assert Purge(("haproxy",)).read(Answer("")) == PurgeState()


def test_the_holder_goes_last_and_packages_after_all(seed: Cluster) -> None:
    """Whatever the priorities say; what can't be undone comes when nothing runs any more."""
    gone = PurgeState(("haproxy",), kept=True)
    seen = (known(seed, "lb1", purge=gone), known(seed, "lb2", holds=True, purge=gone))
    planned = plan_removal(seed, survey(seed, *seen))
    assert [stage.names for stage in planned.plan.stages] == [("lb1",), ("lb2",), ("lb1", "lb2")]
    assert [purges(stage) for stage in planned.plan.stages] == [False, False, True]
    assert planned.vips == ("192.168.0.10", "192.168.1.10")
    assert planned.plan.stages[1].cost == "the VIPs are gone"


def test_a_holder_that_goes_alone_hands_over(seed: Cluster) -> None:
    """No VIP is gone then; one whose keepalived.conf can't hand over says what that costs."""
    lb1, lb2 = known(seed, "lb1", holds=True), known(seed, "lb2")
    planned = plan_removal(seed, survey(seed, lb1, beside=(lb2,)))
    assert planned.vips == ()
    assert planned.plan.stages[0].cost.startswith("the VIPs move to another node first")
    conf = {"original /etc/keepalived/keepalived.conf": file_state(now="vrrp_instance a {\n}\n")}
    [stage] = plan_removal(seed, survey(seed, known(seed, "lb1", holds=True, **conf), beside=(lb2,))).plan.stages
    assert "connections fail for about a second" in stage.cost


def test_the_last_node_that_could_hold_the_vips_is_not_taken_alone(seed: Cluster) -> None:
    """But one that could not hold them itself may go, and so may all of them at once."""
    lb1, lb2 = known(seed, "lb1", holds=True), known(seed, "lb2", **{"service haproxy": stopped()})
    with pytest.raises(LastNodeError, match="lb2 cannot take over: haproxy is not running there"):
        plan_removal(seed, survey(seed, lb1, beside=(lb2,)))
    with pytest.raises(LastNodeError, match="lb2 cannot take over: it can't be reached"):
        plan_removal(seed, survey(seed, lb1))
    assert plan_removal(seed, survey(seed, lb2, beside=(lb1,))).plan.changes
    assert plan_removal(seed, survey(seed, lb1, lb2)).plan.changes
    assert plan_removal(seed, survey(seed, lb1, lb2=LbdeployError("off"))).unreached == ("lb2",)


def test_where_lbdeploy_is_not_there_is_nothing_to_do(seed: Cluster) -> None:
    """Not even a reason to refuse."""
    assert plan_removal(seed, survey(seed, untouched(seed, "lb1"))).plan.changes == ()


def test_what_is_not_known_and_what_is_needed_is_said(seed: Cluster) -> None:
    """Nodes of an earlier lbdeploy; and packages of others that would be lost."""
    lb2 = known(seed, "lb2", **{f"original {CONF.path}": file_state("unknown")})
    assert plan_removal(seed, survey(seed, known(seed, "lb1"), lb2)).unknown == ("lb2",)
    needed = known(seed, "lb2", purge=PurgeState(("haproxy",), ("hatop",)))
    with pytest.raises(RemoteError, match="hatop would be removed along"):
        plan_removal(seed, survey(seed, known(seed, "lb1"), needed))


def test_the_steps_of_a_node_that_leaves(seed: Cluster) -> None:
    """keepalived stops before haproxy; what the next boot goes by, and packages, wait until it is confirmed."""
    seen = known(seed, "lb1", purge=PurgeState(("haproxy",)))
    plan = diff(original(purge=True), seen)
    steps = "\n".join(leave(Task(plan, (), 30), ("10.0.0.1",), purge=False).script)
    wanted = ("keep", "systemctl stop keepalived", "systemctl stop haproxy", "release 10.0.0.1", "drop /etc/haproxy",
              "await 30", "drop /etc/sysctl.d", "disable haproxy")  # fmt: skip
    where = [steps.index(f"\n{each}") if each == "keep" else steps.index(each) for each in wanted]
    assert where == sorted(where)
    assert "purge haproxy" not in steps
    assert "purge haproxy" in purge(plan).script


def test_whoever_took_one_node_away_is_not_told_to_take_all(seed: Cluster) -> None:
    """What is named as the next step has the same --limit."""
    lb1, lb2 = known(seed, "lb1"), known(seed, "lb2")
    removed = Removed(plan_removal(seed, survey(seed, lb1, beside=(lb2,))), done=("lb1",))
    told = str(list(outcome(removed, purge=False, limited=True)))
    assert "lbdeploy down --limit lb1 --purge" in told
    assert "take lb1 out of hosts.toml" in told
