"""In which order nodes are changed, in which way, and what clients notice of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, LONG_AGO, SEED, as_by, cluster, has, links, observe, plans, running, stopped, survey
from clusters import leftovers, with_options
from goldens import GOOD, GROUPS, OPTIONS

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LastNodeError
from lbdeploy.node.drift import diff
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import GroupState, Observation
from lbdeploy.node.resources import Gone, Journal, Packages
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, desired, files
from lbdeploy.planning.plan import Plan, Strategy
from lbdeploy.planning.stages import NOTHING, foreseen, staged
from lbdeploy.planning.vrrp.agreement import agreement
from lbdeploy.planning.vrrp.members import differing, hands_over, identity_changes, joins, winner
from lbdeploy.rollout.gate import objections, refuse_the_last

HAPROXY, KEEPALIVED = "service haproxy", "service keepalived"
MOVED = "the VIPs move to {} after preempt_delay (30 s): open connections are cut, new ones go through"
AWAY = (
    "the VIPs move to another node and return, each after preempt_delay (30 s): open connections are cut, "
    "new ones go through"
)
REELECTED = (
    "VRRP elects anew: the standby takes the VIPs, both hold them for about a second, and they return after "
    "preempt_delay (30 s): open connections are cut, new ones go through"
)
States = Mapping[str, Mapping[str, Any]]


class Scene:
    """A cluster as an earlier hosts.toml made it, one node of which holds the VIPs, and what is to become of it.

    `states` are those by node and resource that are otherwise; `asked`: what the run asks of packages.
    """

    def __init__(self, before: Cluster, after: Cluster, holder: str = "", states: States | None = None, **asked: Any):
        self.cluster = after
        self.seen: list[Observation] = []
        plans = {}
        for node in after.nodes:
            known = any(node.name == each.name for each in before.nodes)
            earlier = as_by(before, node.name) if known else bare(after, node.name)
            seen = observe(after, node, states=earlier | dict((states or {}).get(node.name, {})))
            found = links(before, before.node(node.name), holds=node.name == holder) if known else seen.links
            seen = Observation(node, seen.now, seen.states, found, seen.servers, haproxy_answers=True)
            self.seen.append(seen)
            plans[node.name] = diff(desired(after, node, **asked), seen)
        self.plan: Plan = staged(after, plans, self.seen)

    @property
    def stages(self) -> list[tuple[str, str, str]]:
        return [(str(each.way), " ".join(each.names), each.cost) for each in self.plan.stages]

    def foreseen(self, index: int) -> str:
        return " ".join(sorted(foreseen(self.cluster, self.plan, self.plan.stages[index], self.seen)))


def bare(cluster: Cluster, name: str) -> dict[str, Any]:
    """The states of a node on which there is nothing yet."""
    return {each.id: nothing(each) for each in desired(cluster, cluster.node(name)) if nothing(each) is not None}


def nothing(resource: Resource[Any]) -> Any:
    if isinstance(resource, Packages | Journal):
        return PackageState({}) if isinstance(resource, Packages) else JournalState()
    if isinstance(resource, Gone):
        return {}
    return {"file": FileState("missing"), "service": ServiceState()}.get(resource.id.split()[0])


Change = Callable[..., Scene]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """The sample's pair, of which lb1 holds the VIPs, after one thing in hosts.toml was replaced by another."""

    def make(*replaced: tuple[str, str], holder: str = "lb1", states: States | None = None, **asked: Any) -> Scene:
        text = GOOD
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new, 1)
        return Scene(reader.load(SEED), cluster(tmp_path, text), holder, states, **asked)

    return make


PRIORITY_1, PRIORITY_2 = "priority = 200", "priority = 100"
SWAPPED = ((PRIORITY_1, "priority = x"), (PRIORITY_2, PRIORITY_1), ("priority = x", PRIORITY_2))
BALANCE = ('balance = "roundrobin"', 'balance = "leastconn"')
PORTS_END = "192.168.0.10 port 6443, 192.168.1.10 port 6443 end"
ONE_BY_ONE = [("reload", "lb2", NOTHING), ("reload", "lb1", NOTHING)]
TOGETHER = [("together", "lb2 lb1", NOTHING)]
REELECT = [("reelect", "lb2 lb1", REELECTED)]


@pytest.mark.parametrize(
    ("replaced", "stages"),
    [
        pytest.param((), [], id="nothing"),
        pytest.param((BALANCE,), ONE_BY_ONE, id="haproxy"),
        pytest.param(
            (("port = 6443", "port = 6444"),),
            [ONE_BY_ONE[0], ("reload", "lb1", f"{PORTS_END}; others notice nothing")],
            id="port",
        ),
        pytest.param((("preempt_delay = 30", "preempt_delay = 60"),), ONE_BY_ONE, id="preempt_delay"),
        pytest.param((("advert_interval = 1", "advert_interval = 2"),), TOGETHER, id="advert interval"),
        pytest.param((("advert_interval = 1", "advert_interval = 0.5"),), TOGETHER, id="VRRP version"),
        pytest.param((('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.9/24"]'),), TOGETHER, id="VIP added"),
        pytest.param(
            (('"192.168.0.10/24"', '"192.168.0.9/24"'),),
            [("together", "lb2 lb1", "connections to 192.168.0.10 end; others notice nothing")],
            id="VIP replaced",
        ),
        pytest.param((("router_id = 101", "router_id = 102"),), REELECT, id="router_id"),
        pytest.param((('"192.168.1.12"', '"192.168.1.13"'),), REELECT, id="address of the standby"),
        pytest.param((('"192.168.1.11"', '"192.168.1.13"'),), REELECT, id="address of the holder"),
        pytest.param((('network = "management"', 'network = "external"'),), REELECT, id="network of VRRP"),
        pytest.param(
            (('interface = "ens33"', 'interface = "ens34"'),),
            [("reload", "lb2", NOTHING), ("away", "lb1", AWAY)],
            id="interface of a VIP",
        ),
        pytest.param(
            (('interface = "ens32"', 'interface = "ens34"'),),
            [("reload", "lb2", NOTHING), ("away", "lb1", AWAY)],
            id="interface of VRRP",
        ),
        pytest.param(SWAPPED, [("reload", "lb2", NOTHING), ("reload", "lb1", MOVED.format("lb2"))], id="swapped"),
        pytest.param(((PRIORITY_2, "priority = 150"),), [("reload", "lb2", NOTHING)], id="standby still the lesser"),
        pytest.param(
            ((PRIORITY_2, "priority = 201"),), [("reload", "lb2", MOVED.format("lb2"))], id="standby now the greater"
        ),
        pytest.param(((PRIORITY_1, "priority = 201"),), [("reload", "lb1", NOTHING)], id="holder even greater"),
        pytest.param(
            ((PRIORITY_1, "priority = 99"),), [("reload", "lb1", MOVED.format("lb2"))], id="holder now the lesser"
        ),
        pytest.param(
            ((PRIORITY_2, "priority = 250"), ("preempt_delay = 30", "preempt = false")), ONE_BY_ONE, id="no preemption"
        ),
        pytest.param((BALANCE, ("advert_interval = 1", "advert_interval = 2")), TOGETHER, id="both"),
    ],
)
def test_a_change_of_hosts_toml_goes_the_way_that_costs_least(
    change: Change, replaced: tuple[tuple[str, str], ...], stages: list[tuple[str, str, str]]
) -> None:
    """One node at a time where peers go on hearing each other, the holder last; else all of them at once."""
    assert change(*replaced).stages == stages


def test_the_holder_is_last_whoever_it_is(change: Change) -> None:
    """Not the priority tells who goes last, but who has the VIPs."""
    scene = change(BALANCE, holder="lb2")
    assert [names for _, names, _ in scene.stages] == ["lb1", "lb2"]


INSTALLED = PackageState({"haproxy": "2", "keepalived": "2", "socat": "1"})
NEWER = {"haproxy": "3", "keepalived": "2", "socat": "1"}


@pytest.mark.parametrize(
    ("asked", "stages"),
    [
        ({"upgrade": True}, [("away", "lb2", NOTHING), ("away", "lb1", AWAY)]),
        ({"reinstall": ("keepalived",)}, [("away", "lb2", NOTHING), ("away", "lb1", AWAY)]),
        ({"reinstall": ("socat",)}, ONE_BY_ONE),
    ],
)
def test_what_debian_restarts_is_changed_while_another_node_has_the_vips(
    change: Change, asked: dict[str, Any], stages: list[tuple[str, str, str]]
) -> None:
    """A package of a daemon that is installed anew stops the daemon for a moment; one of a tool does not."""
    found = replace(INSTALLED, candidates=NEWER if "upgrade" in asked else {})
    states = {name: {"packages haproxy, keepalived, socat": found} for name in ("lb1", "lb2")}
    assert change(states=states, **asked).stages == stages


def test_a_program_that_was_replaced_is_restarted_while_another_node_has_the_vips(change: Change) -> None:
    """unattended-upgrades may have left a daemon that runs a deleted program."""
    old = {HAPROXY: running(replaced=True)}
    scene = change(states={"lb1": old, "lb2": old})
    assert scene.stages == [("away", "lb2", NOTHING), ("away", "lb1", AWAY)]
    assert [each.action for _, each in scene.plan.changes] == ["restart", "restart"]


def test_what_can_be_done_gently_is_done_before_what_can_not(change: Change) -> None:
    """A node with changes of both kinds is changed twice, and each change is made once."""
    scene = change(BALANCE, states={"lb1": {KEEPALIVED: running(replaced=True)}})
    assert scene.stages == [*ONE_BY_ONE, ("away", "lb1", AWAY)]
    assert [f"{each.action} {each.name}" for each in scene.plan.stages[1].plans["lb1"].changes] == [
        f"update {HAPROXY_CFG}",
        "reload haproxy",
    ]
    assert [f"{each.action} {each.name}" for each in scene.plan.stages[2].plans["lb1"].changes] == [
        "restart keepalived"
    ]


def test_what_dpkg_is_to_repair_comes_before_everything_else(change: Change) -> None:
    """Nobody knows what it restarts, so all that the node needs is done while another one has the VIPs."""
    broken = {"packages haproxy, keepalived, socat": PackageState(INSTALLED.versions, interrupted=True)}
    scene = change(BALANCE, states={"lb1": broken})
    assert scene.stages == [("reload", "lb2", NOTHING), ("away", "lb1", AWAY)]
    assert [each.action for each in scene.plan.stages[1].plans["lb1"].changes] == ["repair", "update", "reload"]


def without_handover(cluster: Cluster, name: str) -> dict[str, Any]:
    """A keepalived.conf that knows nothing of a handover, as of an earlier lbdeploy."""
    state = as_by(cluster, name)[f"file {KEEPALIVED_CONF}"]
    conf = state.content.replace("track_file", "no_such_block")
    return {f"file {KEEPALIVED_CONF}": FileState("file", "644", "root:root", LONG_AGO, conf)}


def test_a_holder_that_can_not_hand_over_gets_the_file_for_it_first(seed: Cluster, change: Change) -> None:
    """keepalived.conf is reloaded before the daemon is restarted; so then there is a handover."""
    states = {"lb1": without_handover(seed, "lb1") | {KEEPALIVED: running(replaced=True)}}
    scene = change(states=states)
    assert scene.stages == [("reload", "lb1", NOTHING), ("away", "lb1", AWAY)]
    assert hands_over(scene.plan.stages[1].plans["lb1"])


def test_where_there_is_no_handover_the_cost_is_said(seed: Cluster, change: Change) -> None:
    """Where dpkg has to be repaired first, the old configuration is still in force."""
    broken = {"packages haproxy, keepalived, socat": PackageState(INSTALLED.versions, interrupted=True)}
    scene = change(states={"lb1": without_handover(seed, "lb1") | broken})
    ((way, names, cost),) = scene.stages
    assert (way, names) == ("away", "lb1")
    assert "no track_file for a handover: connections fail for about a second" in cost
    assert not hands_over(scene.plan.stages[0].plans["lb1"])


def test_an_interface_moves_by_reload_where_there_is_no_handover(seed: Cluster, change: Change) -> None:
    """A holder whose keepalived knows no handover can't be relieved: there is nothing better than a reload."""
    scene = change(('interface = "ens33"', 'interface = "ens34"'), states={"lb1": without_handover(seed, "lb1")})
    assert [(way, names) for way, names, _ in scene.stages] == [("reload", "lb2"), ("reload", "lb1")]


@pytest.mark.parametrize(
    ("states", "stage"),
    [
        ({"lb1": {HAPROXY: stopped()}}, ("reload", "lb1", MOVED.format("lb1"))),
        ({"lb1": {KEEPALIVED: stopped()}}, ("reload", "lb1", MOVED.format("lb1"))),
        ({"lb1": {HAPROXY: stopped(), KEEPALIVED: stopped()}}, ("reload", "lb1", MOVED.format("lb1"))),
    ],
)
def test_a_preferred_node_that_comes_back_takes_the_vips(
    change: Change, states: States, stage: tuple[str, str, str]
) -> None:
    """A node that does not run is changed in one go, and VRRP prefers it to the one that has the VIPs now."""
    scene = change(holder="lb2", states=states)
    assert scene.stages == [stage]
    assert scene.foreseen(0) == "lb1 lb2"


def test_a_preferred_node_may_be_about_to_take_the_vips_as_the_run_begins(change: Change) -> None:
    """Found by chaos: lb1's preempt_delay ends in the middle of the change that makes it the standby."""
    scene = change(("priority = 200", "priority = 50"), holder="lb2")
    assert scene.stages == [("reload", "lb1", NOTHING)]
    assert scene.foreseen(0) == "lb1 lb2"


def test_a_standby_that_comes_back_takes_nothing(change: Change) -> None:
    """Everything that it needs is done at once, restarts included, and clients notice nothing."""
    states = {"lb2": {HAPROXY: stopped(), KEEPALIVED: running(replaced=True)}}
    scene = change(states=states)
    assert scene.stages == [("reload", "lb2", NOTHING)]
    assert [each.action for _, each in scene.plan.changes] == ["start", "restart"]
    assert scene.foreseen(0) == "lb1"


@pytest.mark.parametrize(
    ("state", "replaced", "told"),
    [
        ({HAPROXY: stopped()}, (), True),
        ({KEEPALIVED: stopped()}, (), True),
        ({KEEPALIVED: running(replaced=True)}, (), False),
        ({KEEPALIVED: stopped()}, (("[vrrp]", '[vrrp]\ninitial_state = "MASTER"'),), False),
    ],
)
def test_a_node_whose_daemons_are_started_can_be_told_to_wait(
    change: Change, state: dict[str, Any], replaced: tuple[tuple[str, str], ...], told: bool
) -> None:
    """By the file that its keepalived will track; not one that runs already, or that would take the VIPs at once."""
    assert joins(change(*replaced, states={"lb1": state}).plan.nodes["lb1"]) is told


def test_where_nothing_lives_yet_all_begin_at_once(seed: Cluster) -> None:
    """There are no clients, so there is nothing to keep."""
    scene = Scene(seed, seed, states={node.name: bare(seed, node.name) for node in seed.nodes})
    assert scene.stages == [("begin", "lb1 lb2", "there are no clients yet")]
    assert scene.foreseen(0) == "lb1 lb2"


THIRD = '[nodes.lb3]\nexternal = "192.168.0.13"\nmanagement = "192.168.1.13"\npriority = {}\n[vrrp]'


@pytest.mark.parametrize(("priority", "cost"), [(50, NOTHING), (250, MOVED.format("lb3"))])
def test_a_newcomer_comes_last(change: Change, priority: int, cost: str) -> None:
    """Before the others send it their adverts it would hear nobody, and take the VIPs that another one has."""
    scene = change(("[vrrp]", THIRD.format(priority)))
    assert scene.stages == [*ONE_BY_ONE, ("reload", "lb3", cost)]
    assert scene.foreseen(2) == ("lb1" if priority == 50 else "lb1 lb3")


def test_a_newcomer_that_is_known_already_is_no_holder_and_goes_first(change: Change) -> None:
    """Once the others send it adverts, as after a run that was interrupted, it is a standby like any other."""
    third = ("[vrrp]", THIRD.format(50))
    scene = change(third)
    known = {name: as_by(scene.cluster, name) for name in ("lb1", "lb2")}
    known["lb1"] |= {f"file {HAPROXY_CFG}": FileState("file", "644", "root:root", 1.0, "old\n")}
    assert [names for _, names, _ in change(third, states=known).stages] == ["lb3", "lb1"]


# What peers must agree on: how it is changed, and what is told of lb1, which has it as it was.
AGREED = {
    "router_id": (("router_id = 101", "router_id = 102"), "reelect", "virtual_router_id 101 instead of 102"),
    "VIP list": (
        ('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.9/24"]'),
        "together",
        "VIPs 192.168.0.10 and 192.168.1.10 instead of 192.168.0.10 and 192.168.0.9 and 192.168.1.10",
    ),
    "advert_interval": (("advert_interval = 1", "advert_interval = 2"), "together", "advert_int 1 instead of 2"),
    "network": (
        ('network = "management"', 'network = "external"'),
        "reelect",
        "unicast_src_ip 192.168.1.11 instead of 192.168.0.11",
    ),
    "mode": (
        ("[vrrp]", '[vrrp]\nmode = "multicast"'),
        "reelect",
        "unicast_src_ip 192.168.1.11 instead of none; mcast_src_ip none instead of 192.168.1.11",
    ),
}
agreed = pytest.mark.parametrize(("edit", "way", "told"), AGREED.values(), ids=AGREED)


@agreed
def test_what_runs_is_changed_before_a_reinstalled_node_starts(
    change: Change, tmp_path: Path, edit: tuple[str, str], way: str, told: str
) -> None:
    """Started first, it would not hear the holder: both would hold the VIPs. The last healthy node has to be forced."""
    after = cluster(tmp_path, GOOD.replace(*edit))
    scene = change(edit, states={"lb2": bare(after, "lb2")})
    assert [each[:2] for each in scene.stages] == [(way, "lb1"), ("reload", "lb2")]
    assert ("no other node takes the VIPs meanwhile" in scene.stages[0][2]) is (way == "reelect")
    found = survey(scene.cluster, *scene.seen)
    with pytest.raises(LastNodeError) as caught:
        refuse_the_last(found.plan.stages[0], found, force=False)
    assert f"must hear lb1, which has {told}" in caught.value.message
    assert "put that back in hosts.toml as lb1 has it, then lbdeploy up; change it once" in (caught.value.fix or "")
    refuse_the_last(found.plan.stages[0], found, force=True)


@agreed
def test_a_pair_that_changes_does_so_before_a_newcomer_starts(
    change: Change, edit: tuple[str, str], way: str, told: str
) -> None:
    """One edit of hosts.toml may do both; the pair has a node to spare, so nothing is refused."""
    scene = change(edit, ("[vrrp]", THIRD.format(50)))
    assert [each[:2] for each in scene.stages] == [(way, "lb2 lb1"), ("reload", "lb3")]
    assert told
    found = survey(scene.cluster, *scene.seen)
    refuse_the_last(found.plan.stages[0], found, force=False)


@agreed
def test_a_node_that_lies_still_with_the_new_files_waits_too(
    change: Change, tmp_path: Path, edit: tuple[str, str], way: str, told: str
) -> None:
    """As after a run that was interrupted. It is enough that the other's keepalived runs, whatever its haproxy does."""
    new = as_by(cluster(tmp_path, GOOD.replace(*edit)), "lb2")
    scene = change(edit, states={"lb2": new | {HAPROXY: stopped(), KEEPALIVED: stopped()}})
    assert [each[:2] for each in scene.stages] == [(way, "lb1"), ("reload", "lb2")]
    half = change(edit, states={"lb2": new | {KEEPALIVED: stopped()}, "lb1": {HAPROXY: stopped()}})
    assert [names for _, names, _ in half.stages] == ["lb1", "lb2"]
    assert told


def test_a_link_is_judged_by_what_it_leads_to(change: Change) -> None:
    """keepalived follows it, so that peers may stop hearing each other."""
    name = f"file {KEEPALIVED_CONF}"
    links = {each.node.name: {name: FileState("link", content=each.states[name].content)} for each in change().seen}
    assert change(("router_id = 101", "router_id = 102"), states=links).stages == REELECT
    assert change(states=links).stages == ONE_BY_ONE


def test_what_is_told_of_a_difference_has_no_password(change: Change) -> None:
    """An adopted keepalived.conf may have one."""
    scene = change()
    has, plan = scene.seen[0].states[f"file {KEEPALIVED_CONF}"].content, scene.plan.nodes["lb1"]
    secret = has.replace("unicast_src_ip", "authentication {\n auth_type PASS\n auth_pass hunter2\n }\n unicast_src_ip")
    assert secret != has
    scene = change(states={"lb1": {f"file {KEEPALIVED_CONF}": FileState("file", "644", "root:root", 1.0, secret)}})
    assert differing(scene.cluster, plan) == []
    assert differing(scene.cluster, scene.plan.nodes["lb1"]) == ["another authentication"]


def test_a_node_that_leaves_is_forgotten_one_by_one(tmp_path: Path) -> None:
    """A peer that is gone from the list of peers costs nothing, though the list is the identity of nobody."""
    three = GOOD.replace("[vrrp]", THIRD.format(50))
    (tmp_path / "before").mkdir()
    scene = Scene(cluster(tmp_path / "before", three), cluster(tmp_path, GOOD), "lb1")
    assert scene.stages == ONE_BY_ONE


BIG_DRIFT = {f"file {HAPROXY_CFG}": FileState("file", "644", "root:root", LONG_AGO, "edited\n")}


@pytest.mark.parametrize(
    ("changed", "holder", "order"),
    [
        ("abc", "lb-b", "c a b"),
        ("abc", "lb-c", "a b c"),
        ("abc", "", "c a b"),
        ("ac", "lb-a", "c a"),
        ("b", "lb-b", "b"),
        ("", "lb-b", ""),
    ],
)
def test_of_several_standby_nodes_the_least_preferred_goes_first(
    tmp_path: Path, changed: str, holder: str, order: str
) -> None:
    """So that what turns out to be wrong is found on the node that matters least."""
    made = cluster(tmp_path, BIG)
    scene = Scene(made, made, holder, {f"lb-{name}": BIG_DRIFT for name in changed})
    assert [names for _, names, _ in scene.stages] == [f"lb-{name}" for name in order.split()]


@pytest.mark.parametrize(
    ("replaced", "index", "holders"),
    [
        ((("port = 6443", "port = 6444"),), 0, "lb1"),
        ((("port = 6443", "port = 6444"),), 1, "lb1"),
        (SWAPPED, 1, "lb1 lb2"),
        (((PRIORITY_2, "priority = 150"),), 0, "lb1"),
        (((PRIORITY_2, "priority = 201"),), 0, "lb1 lb2"),
        ((("advert_interval = 1", "advert_interval = 2"),), 0, "lb1"),
        ((("router_id = 101", "router_id = 102"),), 0, "lb1 lb2"),
        ((('interface = "ens33"', 'interface = "ens34"'),), 0, "lb1"),
        ((('interface = "ens33"', 'interface = "ens34"'),), 1, "lb2"),
    ],
)
def test_who_may_hold_the_vips_after_a_stage_is_foreseen(
    change: Change, replaced: tuple[tuple[str, str], ...], index: int, holders: str
) -> None:
    """The holder keeps them; or the one that VRRP prefers by then; or, where one is sent away, any other."""
    assert change(*replaced).foreseen(index) == holders


def test_the_highest_priority_wins() -> None:
    """Those whose instance is not known can't win, and among none nobody does."""
    assert winner({}) is None
    assert winner({"a": None}) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("advert_interval = 1", "advert_interval = 2", True),
        ("router_id = 101", "router_id = 102", True),
        ('"192.168.0.10/24"', '"192.168.0.9/24"', True),
        ('"192.168.1.11"', '"192.168.1.13"', True),
        ("preempt_delay = 30", "preempt_delay = 60", False),
        (PRIORITY_1, "priority = 201", False),
        ('interface = "ens33"', 'interface = "ens34"', False),
        ("port = 6443", "port = 6444", False),
    ],
)
def test_what_peers_compare_must_not_be_changed_on_some_only(
    change: Change, old: str, new: str, expected: bool
) -> None:
    """What VRRP peers must agree on, and by what they know each other; the rest is each node's own matter."""
    changed = change((old, new))
    assert identity_changes(changed.cluster, changed.plan.nodes["lb1"]) is expected


@pytest.mark.parametrize("state", [FileState("missing"), FileState("other"), FileState("file", "644", "a:a", 1.0, "")])
def test_a_node_without_a_configuration_can_be_changed_by_itself(change: Change, state: FileState) -> None:
    """It speaks no VRRP yet, so nobody can stop hearing it."""
    states = {"lb1": {f"file {KEEPALIVED_CONF}": state}}
    changed = change(states=states, holder="lb2")
    assert not identity_changes(changed.cluster, changed.plan.nodes["lb1"])
    assert Strategy.TOGETHER not in {stage.way for stage in changed.plan.stages}


def stages_of(before: Cluster, after: Cluster) -> list[tuple[Strategy, tuple[str, ...], str]]:
    known = {node.name: {f.id: has(f) for f in files(before, node)} for node in before.nodes}
    known = {name: each | {leftovers(before, name).id: {}} for name, each in known.items()}
    looks = [observe(after, node, holds=node is after.preferred, states=known[node.name]) for node in after.nodes]
    plan = staged(after, plans(after, *looks), looks)
    return [(stage.way, stage.names, stage.cost) for stage in plan.stages]


def test_a_change_of_the_mode_elects_anew(tmp_path: Path) -> None:
    """Nodes of different modes don't hear each other, and keepalived begins anew: so the standby takes over first."""
    sample = reader.load(SEED)
    multicast = with_options(tmp_path, 'mode = "multicast"\n')
    for before, after in ((sample, multicast), (multicast, sample)):
        ((way, names, cost),) = stages_of(before, after)
        assert (way, names) == (Strategy.REELECT, ("lb2", "lb1"))
        assert "new ones go through" in cost


def test_other_options_are_reloads(tmp_path: Path) -> None:
    """They come and go one node at a time, the holder last, and clients notice nothing."""
    sample, tracking = reader.load(SEED), with_options(tmp_path, OPTIONS.replace('mode = "multicast"', ""))
    for before, after in ((sample, tracking), (tracking, sample)):
        assert stages_of(before, after) == [(Strategy.RELOAD, (n,), "clients notice nothing") for n in ("lb2", "lb1")]


# Groups of VIPs on a living pair: whose clients notice something of which change.
HOME = {"k8s-api": "lb1", "ingress_2": "lb2", "": "lb1"}
MANAGEMENT = 'vips = ["192.168.0.10", "192.168.1.10"]', 'vips = ["192.168.0.10"]'
TO_INGRESS = 'vips = ["192.168.0.9", "2001:db8::9"]', 'vips = ["192.168.0.9", "2001:db8::9", "192.168.1.10"]'


def nodes_of(before: Cluster, after: Cluster, homes: dict[str, str]) -> list[Observation]:
    """The nodes as an earlier hosts.toml has made them; which one holds the VIPs of each group."""
    found = []
    for node in after.nodes:
        own = [part for part in before.parts if homes[part.group] == node.name]
        there = {link.name: link for link in links(before, before.node(node.name), holds=False)}
        for part in own:
            for link in links(part, node, holds=True):
                addresses = dict.fromkeys((*there[link.name].addresses, *link.addresses))
                there[link.name] = type(link)(link.name, True, tuple(addresses))
        groups = {part.group: GroupState() for part in after.parts if part.group}
        found.append(observe(after, node, states=as_by(before, node.name), links=tuple(there.values()), groups=groups))
    return found


def regrouped(folder: Path, before: str, after: str, homes: dict[str, str] | None = None) -> tuple[Cluster, Plan]:
    """The plan of a change of hosts.toml."""
    was, will_be = cluster(folder, before), cluster(folder, after)
    nodes = nodes_of(was, will_be, homes or HOME)
    return will_be, staged(will_be, plans(will_be, *nodes), nodes)


def groups_with(*edits: tuple[str, str]) -> str:
    text = GROUPS
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def steps(plan: Plan) -> list[tuple[Strategy, str, str]]:
    return [(each.way, " ".join(each.names), each.cost) for each in plan.stages]


def test_the_group_that_has_the_pairs_router_id_goes_on(tmp_path: Path) -> None:
    """Groups come to a pair, one node after the other, and nobody notices."""
    _, plan = regrouped(tmp_path, GOOD, GROUPS)
    assert steps(plan) == [(Strategy.RELOAD, "lb2", NOTHING), (Strategy.RELOAD, "lb1", NOTHING)]


def test_it_may_have_another_name(tmp_path: Path) -> None:
    """keepalived goes by the router ID."""
    renamed = GROUPS.replace("[vrrp.groups.k8s-api]", "[vrrp.groups.api]").replace(
        'groups = "k8s-api"', 'groups = "api"'
    )
    _, plan = regrouped(tmp_path, GOOD, renamed)
    assert {cost for _, _, cost in steps(plan)} == {NOTHING}


def test_a_vip_that_changes_its_group_is_the_only_one_whose_clients_notice(tmp_path: Path) -> None:
    """Peers compare the VIPs of each group, so both nodes are changed at once."""
    everywhere = ('groups = "k8s-api"\n', "")
    _, plan = regrouped(tmp_path, groups_with(everywhere), groups_with(everywhere, MANAGEMENT, TO_INGRESS))
    cost = "connections to 192.168.1.10 end; others notice nothing"
    assert steps(plan)[-1:] == [(Strategy.TOGETHER, "lb2 lb1", cost)]


def test_another_router_id_moves_its_own_group_alone(tmp_path: Path) -> None:
    """The standby of that group is changed first, though it holds another one."""
    after, plan = regrouped(tmp_path, GROUPS, groups_with(("router_id = 101", "router_id = 103")))
    [(way, names, cost)] = steps(plan)
    assert (way, names) == (Strategy.REELECT, "lb2 lb1")
    assert cost.startswith("VRRP elects anew: the standby takes the VIPs of k8s-api, both hold them")
    assert after.part("k8s-api").vrrp.router_id == 103


def test_router_ids_of_groups_that_are_apart_cost_an_outage(tmp_path: Path) -> None:
    """No node is a standby for both: what to do first is said."""
    both = ("router_id = 101", "router_id = 103"), ("router_id = 102", "router_id = 104")
    _, plan = regrouped(tmp_path, GROUPS, groups_with(*both))
    assert "which different nodes hold: their clients get no answer for some seconds" in steps(plan)[-1][2]
    assert "lbdeploy handover --to NODE" in steps(plan)[-1][2]
    _, plan = regrouped(tmp_path, GROUPS, groups_with(*both), HOME | {"ingress_2": "lb1"})
    assert "the standby takes the VIPs of k8s-api and the VIPs of ingress_2" in steps(plan)[-1][2]


def test_priorities_of_a_group_move_its_vips_alone(tmp_path: Path) -> None:
    """After its own preempt_delay."""
    after, plan = regrouped(tmp_path, GROUPS, groups_with(("lb1 = 100, lb2 = 200", "lb1 = 210, lb2 = 200")))
    costs = [cost for _, _, cost in steps(plan)]
    moved = "the VIPs of ingress_2 move to lb1 after preempt_delay (5 s): open connections are cut, new ones go through"
    assert costs.count(moved) == 1
    nodes = nodes_of(cluster(tmp_path, GROUPS), after, HOME)
    assert foreseen(after.part("k8s-api"), plan, plan.stages[-1], nodes) == {"lb1"}
    assert foreseen(after.part("ingress_2"), plan, plan.stages[-1], nodes) == {"lb1", "lb2"}


# The VIPs of the groups, on one instance.
PLAIN = GOOD.replace('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.9/24", "2001:db8::9/64"]')
API = ("[vrrp.groups.k8s-api]", "[vrrp.groups.api]"), ('groups = "k8s-api"', 'groups = "api"')
OTHER_IDS = *API, ("router_id = 101", "router_id = 110"), ("router_id = 102", "router_id = 111")
ALL_VIPS = "192.168.0.10, 192.168.0.9, 192.168.1.10, 2001:db8::9"
RENAMED = ("ingress_2", "web"), ("router_id = 102", "router_id = 103")


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        pytest.param(PLAIN, groups_with(*OTHER_IDS), ALL_VIPS, id="to groups of which none has the router ID"),
        pytest.param(PLAIN, GROUPS, "192.168.0.9, 2001:db8::9", id="to groups of which one has the router ID"),
        pytest.param(
            GROUPS,
            groups_with(*RENAMED),
            "192.168.0.9, 2001:db8::9",
            id="a group gets another name and another router ID",
        ),
    ],
)
def test_vips_that_another_virtual_router_is_to_move_are_changed_together(
    tmp_path: Path, before: str, after: str, gone: str
) -> None:
    """One node at a time, both would hold them meanwhile: nor may a run leave out a peer."""
    will_be, plan = regrouped(tmp_path, before, after)
    [(way, names, cost)] = steps(plan)
    assert (way, set(names.split())) == (Strategy.TOGETHER, {"lb1", "lb2"})
    assert f"connections to {gone} end" in cost
    assert all(identity_changes(will_be, plan.nodes[name]) for name in ("lb1", "lb2"))


def test_a_vip_that_is_written_otherwise_is_the_same(tmp_path: Path) -> None:
    """As on a pair that somebody has set up by hand: no VIP ends, and no peer has to agree on anything."""
    made = cluster(tmp_path, PLAIN)
    key, nodes = f"file {KEEPALIVED_CONF}", []
    for node in made.nodes:
        states = as_by(made, node.name)
        by_hand = replace(states[key], content=states[key].content.replace("2001:db8::9/", "2001:DB8:0:0::9/"))
        nodes.append(observe(made, node, holds=node is made.preferred, states=states | {key: by_hand}))
    plan = staged(made, plans(made, *nodes), nodes)
    assert steps(plan) == [(Strategy.RELOAD, name, "clients notice nothing") for name in ("lb2", "lb1")]


def test_groups_of_vips_that_stay_can_come_to_one_node_alone(tmp_path: Path) -> None:
    """The group with the router ID goes on, and the VIPs of the other one are new: nobody has to agree on anything."""
    will_be, plan = regrouped(tmp_path, GOOD, GROUPS)
    assert not any(identity_changes(will_be, each) for each in plan.nodes.values())


def test_the_gate_tells_the_groups_apart(tmp_path: Path) -> None:
    """VIPs that went to another node though nothing moves them: of which group they are."""
    after = cluster(tmp_path, GROUPS.replace("fall = 2", "fall = 3"))
    was = cluster(tmp_path, GROUPS)
    before = survey(after, *nodes_of(was, after, HOME))
    later = survey(after, *nodes_of(was, after, HOME | {"ingress_2": "lb1"}))
    stage = before.plan.stages[0]
    found = [each for each in objections(before.plan, stage, before, later, frozenset()) if each.check == "holder"]
    assert [(each.subject, each.detail) for each in found] == [
        ("ingress_2", "the VIPs of ingress_2 moved from lb2 to lb1, which the plan did not foresee")
    ]


def test_a_peers_other_groups_are_not_taken_for_the_changed_one(tmp_path: Path) -> None:
    """Its adverts are told by the router ID: another group may have as many VIPs as this one had."""
    after, plan = regrouped(tmp_path, GROUPS, groups_with(MANAGEMENT, TO_INGRESS))
    tools = agreement(after, plan.stages[-1])["lb1"][0]
    _, _, old, new = tools.partition("heeds='")[2].split("\n")[:4]
    advert = "192.168.1.12 host 21{router}c8{count}0001aaaa{vips}".format
    vips = "c0a8000ac0a8010a"
    assert re.match(f"^(?:{old})$", advert(router="65", count="02", vips=vips))
    assert not re.match(f"^(?:{old})$", advert(router="66", count="02", vips=vips))
    assert re.match(f"^(?:{new})$", advert(router="66", count="02", vips=vips))


def test_a_node_has_a_priority_in_each_group(tmp_path: Path) -> None:
    """What was handed over with one group does not count in the others; what its node was told, does."""
    whole = cluster(tmp_path, GROUPS)
    state = KeepalivedState("MASTER", 201, 5.0)
    node = observe(whole, whole.node("lb1"), groups={"ingress_2": GroupState(101, 7.0, state)}, priority_offset=-1)
    api, ingress = (node.of(part) for part in whole.parts)
    assert (api.priority, api.keepalived) == (199, KeepalivedState())
    assert (ingress.priority_offset, ingress.node.priority, ingress.offset_since) == (100, 100, 7.0)
    assert ingress.tracked == 1


@pytest.mark.parametrize("told", ["include /etc/keepalived/conf.d/*.conf\n", "@lb1 priority 200\n"])
def test_what_only_keepalived_can_read_is_replaced_by_an_election(change: Change, told: str) -> None:
    """Peers may not know the new instance by the old one; where such lines stay, it is as with any other file."""
    old = as_by(reader.load(SEED), "lb1")[f"file {KEEPALIVED_CONF}"]
    states = {name: {f"file {KEEPALIVED_CONF}": replace(old, content=told)} for name in ("lb1", "lb2")}
    scene = change(states=states)
    assert [(way, names) for way, names, _ in scene.stages] == [("reelect", "lb2 lb1")]
    assert all(identity_changes(scene.cluster, plan) for plan in scene.plan.nodes.values())
