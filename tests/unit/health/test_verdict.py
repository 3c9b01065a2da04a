"""What is said of a cluster, drawn from what its nodes show: healthy ones, and every way of not being it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from builders import (
    BIG,
    LONG_AGO,
    NOW,
    captured,
    cluster,
    links,
    observe,
    plans,
    running,
    server,
    stopped,
    wanted_state,
)
from goldens import GOOD, GROUPS

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import holders, is_live
from lbdeploy.health.state import ClusterState
from lbdeploy.health.verdict import Verdict, judge
from lbdeploy.health.vips import preempting
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import Answered, parse_ip_a, parse_show_stat
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.planning.desired import KEEPALIVED_CONF, desired

HAPROXY, KEEPALIVED, PACKAGES = "service haproxy", "service keepalived", "packages haproxy, keepalived, socat"
GROUP_HOLDERS = (("k8s-api", "lb1"), ("ingress_2", "lb2"))
WHOLE = dict.fromkeys(("haproxy", "keepalived", "socat"), "1")


# The VIPs, each on the interface of the other one.
OTHERS = {
    "192.168.0.10/24": ip_interface("192.168.1.10/24"),
    "192.168.1.10/24": ip_interface("192.168.0.10/24"),
}


def lb1(seed: Cluster, *, holds: bool = True, **changes: Any) -> Observation:
    return observe(seed, seed.node("lb1"), holds=holds, **changes)


def lb2(seed: Cluster, *, holds: bool = False, **changes: Any) -> Observation:
    return observe(seed, seed.node("lb2"), holds=holds, **changes)


def verdict(seed: Cluster, *observations: Observation, **errors: ConnectError) -> Verdict:
    return judge(seed, observations, plans(seed, *observations), errors)


def failed(found: Verdict) -> set[tuple[str | None, str, str]]:
    return {(each.node, each.check, each.detail) for each in found.findings if each.is_error}


def of(found: Verdict, check: str) -> list[Finding]:
    return [each for each in found.findings if each.check == check]


def holder(found: Verdict) -> Finding:
    (finding,) = of(found, "holder")
    return finding


def test_a_healthy_pair_has_its_vips_on_the_preferred_node(seed: Cluster) -> None:
    """Everything is as it should be: nothing is wrong, nothing is in doubt, and each VIP has one holder."""
    found = verdict(seed, lb1(seed), lb2(seed))
    assert found.healthy
    assert found.settled(["lb1", "lb2"])
    assert all(each.ok for each in found.findings)
    assert [(str(each.vip.ip), each.interface, each.holders) for each in found.vips] == [
        ("192.168.0.10", "ens33", ("lb1",)),
        ("192.168.1.10", "ens32", ("lb1",)),
    ]
    assert {each.detail for each in of(found, "vip")} == {
        "192.168.0.10 is on ens33, and on no other node",
        "192.168.1.10 is on ens32, and on no other node",
    }
    assert holder(found).detail == "lb1 holds the VIPs, as its priority says"
    assert {each.detail for each in of(found, "server")} == {f"k8s-api/master{n} is up" for n in (1, 2, 3)}
    checks = {each.check for each in found.findings}
    assert checks == {
        "packages",
        "file",
        "sysctl",
        "service",
        "check",
        "address",
        "vip",
        "holder",
        "backend",
        "server",
        "frontend",
        "api",
    }


def test_the_seeds_own_example_is_healthy_and_names_the_servers_that_are_down(seed: Cluster) -> None:
    """The procedure's `ip a` and `show stat`: the VIPs are where they should be, two of three servers are down."""
    seen = {"servers": parse_show_stat(captured("show_stat/seed"))}
    master = lb1(seed, links=parse_ip_a(captured("ip_a/seed_master")), **seen)
    found = verdict(seed, master, lb2(seed, links=parse_ip_a(captured("ip_a/seed_backup")), **seen))
    assert found.healthy
    assert found.holders == ("lb1",)
    down = [each for each in of(found, "server") if not each.ok]
    assert [each.detail for each in down] == [
        f"k8s-api/master{n} (192.168.1.2{n}:6443): DOWN L4CON "
        "(Connection refused at initial connection step of tcp-check), seen from lb1 and lb2: "
        f"nothing listens at 192.168.1.2{n}:6443, or there is no way to it"
        for n in (2, 3)
    ]
    assert all(each.is_warning and each.fix for each in down)
    assert [each.detail for each in of(found, "backend")] == 2 * ["k8s-api has 1 of 3 servers up"]
    assert list(found.frontends()) == [("k8s-api", 1, 3)]


def test_vips_on_both_nodes_are_wrong(seed: Cluster) -> None:
    """Two masters at once: each VIP is told with the nodes that have it."""
    found = verdict(seed, lb1(seed), lb2(seed, holds=True))
    assert not found.healthy
    assert {each for each in failed(found) if each[1] == "vip"} == {
        (None, "vip", "192.168.0.10 is on lb1 and lb2 at once"),
        (None, "vip", "192.168.1.10 is on lb1 and lb2 at once"),
    }
    assert found.vips[0].holders == ("lb1", "lb2")
    assert not found.settled(["lb1"])


def test_vips_on_no_node_are_wrong(seed: Cluster) -> None:
    """Nobody holds the VIPs: that is no matter of who holds them."""
    found = verdict(seed, lb1(seed, holds=False), lb2(seed))
    assert failed(found) == {
        (None, "vip", "192.168.0.10 is on no node"),
        (None, "vip", "192.168.1.10 is on no node"),
    }
    assert of(found, "holder") == []
    assert found.holders == ()
    assert not found.settled([])


def only(seed: Cluster, node: str, network: str) -> tuple[Any, ...]:
    """The node's links, with the VIP of one network only."""
    both, none = (links(seed, seed.node(node), holds=holds) for holds in (True, False))
    interface = seed.node(node).interfaces[network]
    return tuple(full if full.name == interface else bare for full, bare in zip(both, none, strict=True))


def test_vips_on_different_nodes_are_wrong(seed: Cluster) -> None:
    """The VIPs belong together: a client of one network would otherwise come out on another node."""
    found = verdict(
        seed,
        lb1(seed, links=only(seed, "lb1", "external")),
        lb2(seed, links=only(seed, "lb2", "management")),
    )
    assert failed(found) == {
        (None, "holder", "the VIPs are not all on one node: 192.168.0.10 on lb1, 192.168.1.10 on lb2")
    }


def test_one_vip_missing_is_wrong(seed: Cluster) -> None:
    """A holder that has only one of two VIPs."""
    found = verdict(seed, lb1(seed, links=only(seed, "lb1", "external")), lb2(seed))
    assert failed(found) == {
        (None, "vip", "192.168.1.10 is on no node"),
        (None, "holder", "the VIPs are not all on one node: 192.168.0.10 on lb1, 192.168.1.10 on no node"),
    }


def test_a_vip_on_the_wrong_interface_is_wrong(seed: Cluster) -> None:
    """A VIP serves nobody where it is not on the interface of its network."""
    swapped = tuple(
        replace(link, addresses=tuple(OTHERS.get(str(each), each) for each in link.addresses))
        for link in links(seed, seed.node("lb1"), holds=True)
    )
    found = verdict(seed, lb1(seed, links=swapped), lb2(seed))
    assert failed(found) == {
        ("lb1", "vip", "192.168.0.10 is on ens32, should be on ens33"),
        ("lb1", "vip", "192.168.1.10 is on ens33, should be on ens32"),
    }


def test_the_standby_holds_while_haproxy_is_stopped_on_the_preferred_node(seed: Cluster) -> None:
    """The VIPs are where they belong then; what is wrong is that haproxy does not run."""
    away = lb1(seed, holds=False, haproxy_answers=False, servers=(), states={HAPROXY: stopped()})
    found = verdict(seed, away, lb2(seed, holds=True))
    assert holder(found).ok
    assert holder(found).detail == "lb2 holds the VIPs; lb1 cannot take over: haproxy is not running there"
    assert failed(found) == {
        ("lb1", "service", "haproxy is inactive"),
        ("lb1", "check", "haproxy does not answer: it does not run"),
    }
    assert all(each.ok for each in of(found, "vip"))


def test_a_hung_haproxy_is_told_from_a_stopped_one(seed: Cluster) -> None:
    """systemd calls it running, but it answers nobody."""
    found = verdict(seed, lb1(seed, holds=False, haproxy_answers=False, servers=()), lb2(seed, holds=True))
    assert failed(found) == {("lb1", "check", "haproxy runs, but does not answer: it hangs")}
    assert holder(found).detail == "lb2 holds the VIPs; lb1 cannot take over: its haproxy does not answer"
    assert [each.node for each in of(found, "backend")] == ["lb2"]
    assert all(each.ok for each in of(found, "server"))


@pytest.mark.parametrize("daemons", [("keepalived",), ("haproxy", "keepalived")])
def test_a_stopped_keepalived_can_not_hold(seed: Cluster, daemons: tuple[str, ...]) -> None:
    """The holder is as expected while the preferred node has no keepalived to hold the VIPs with."""
    states = {f"service {daemon}": stopped() for daemon in daemons}
    found = verdict(seed, lb1(seed, holds=False, states=states), lb2(seed, holds=True))
    verb = "is" if len(daemons) == 1 else "are"
    assert (
        holder(found).detail
        == f"lb2 holds the VIPs; lb1 cannot take over: {' and '.join(daemons)} {verb} not running there"
    )


def test_an_interface_without_a_carrier_can_not_hold(seed: Cluster) -> None:
    """A pulled cable on the preferred node explains why the other one holds the VIPs."""
    down = tuple(replace(link, up=link.name != "ens33") for link in links(seed, seed.node("lb1"), holds=False))
    found = verdict(seed, lb1(seed, holds=False, links=down), lb2(seed, holds=True))
    assert holder(found).detail == "lb2 holds the VIPs; lb1 cannot take over: ens33 is down there"


def test_a_node_that_reaches_no_server_can_not_hold(seed: Cluster) -> None:
    """As long as another one does; where both reach none, the priority decides."""
    lost = tuple(server("k8s-api", f"master{n}", "DOWN", "L4TOUT") for n in (1, 2, 3))
    away = lb1(seed, holds=False, servers=lost)
    found = verdict(seed, away, lb2(seed, holds=True))
    why = "lb1 cannot take over: it reaches no server of k8s-api, as lb2 does"
    assert holder(found).detail == f"lb2 holds the VIPs; {why}"
    assert not holder(verdict(seed, away, lb2(seed, holds=True, servers=lost))).detail.endswith(why)


def test_preempt_delay_that_still_runs_is_waited_for(seed: Cluster) -> None:
    """A preferred node that came back a moment ago takes the VIPs after the delay: a warning that says when."""
    back = running(since=NOW - 10, loaded=NOW - 10)
    found = verdict(seed, lb1(seed, holds=False, states={HAPROXY: back}), lb2(seed, holds=True))
    assert found.healthy
    assert (holder(found).ok, holder(found).is_warning) == (False, True)
    # 30 s of delay, 2 s until the check has risen, 3.2 s until a silent master is given up, 2 s to spare, 10 s gone.
    assert holder(found).detail == (
        "lb2 holds the VIPs, although lb1 could and has the higher priority: "
        "it takes them in about 27 s, after preempt_delay"
    )


def test_preempt_delay_begins_anew_where_a_priority_was_restored(seed: Cluster) -> None:
    """As after a handover, or once a node that joined was confirmed, though its daemons have run for long by then."""
    found = verdict(seed, lb1(seed, holds=False, offset_since=NOW - 5), lb2(seed, holds=True))
    assert "it takes them in about 32 s, after preempt_delay" in holder(found).detail


def test_the_delay_that_counts_is_that_which_runs(seed: Cluster) -> None:
    """hosts.toml may be about to change it: the node that comes back goes by its own file until then."""
    back = running(since=NOW - 10, loaded=NOW - 10)
    conf = f"file {KEEPALIVED_CONF}"
    theirs = wanted_state(next(each for each in desired(seed, seed.node("lb1")) if each.id == conf))
    shorter = replace(theirs, content=theirs.content.replace("preempt_delay 30", "preempt_delay 12"))
    returning = lb1(seed, holds=False, states={HAPROXY: back, conf: shorter})
    assert "it takes them in about 9 s" in holder(verdict(seed, returning, lb2(seed, holds=True))).detail
    state = ClusterState(seed, [returning, lb2(seed, holds=True)])
    assert preempting(state) == {"lb1": pytest.approx(9.2, abs=0.1)}
    assert preempting(ClusterState(seed, [lb1(seed, holds=False), lb2(seed, holds=True)])) == {}
    assert preempting(ClusterState(seed, [lb1(seed), lb2(seed)])) == {}


def test_the_skew_of_version_2_is_part_of_a_second(tmp_path: Path) -> None:
    """Of a second, whatever the advert interval: priority 16 waits for 0.9 s of skew (RFC 3768, 6.1), not for 9."""
    slow = GOOD.replace("advert_interval = 1", "advert_interval = 10").replace("priority = 200", "priority = 16")
    of = cluster(tmp_path, slow.replace("priority = 100", "priority = 10"))
    back = running(since=NOW - 10, loaded=NOW - 10)
    found = verdict(of, lb1(of, holds=False, states={HAPROXY: back}), lb2(of, holds=True))
    # 30 s of delay, 2 s until the check has risen, 30.9 s until a silent master is given up, 2 s to spare, 10 s gone.
    assert "it takes them in about 55 s" in holder(found).detail


def test_a_delay_that_is_long_over_needs_a_look(seed: Cluster) -> None:
    """A preferred node that should have taken the VIPs by now: a warning that names the log to read."""
    found = verdict(seed, lb1(seed, holds=False), lb2(seed, holds=True))
    assert found.healthy
    assert not holder(found).ok
    assert holder(found).detail == "lb2 holds the VIPs, although lb1 could and has the higher priority"
    assert "keepalived -n 20 on lb1" in (holder(found).fix or "")


def test_without_preemption_whoever_holds_keeps(tmp_path: Path) -> None:
    """With preempt = false the standby may hold the VIPs for ever."""
    found = cluster(tmp_path, GOOD.replace("preempt_delay = 30", "preempt = false"))
    judged = verdict(found, lb1(found, holds=False), lb2(found, holds=True))
    assert holder(judged).ok
    assert holder(judged).detail.endswith("preempt is off")


def test_a_handover_is_why_the_standby_holds(seed: Cluster) -> None:
    """A priority offset makes the standby the preferred one: that is as it should be, and how it ends is said."""
    judged = verdict(seed, lb1(seed, holds=False), lb2(seed, holds=True, priority_offset=101))
    assert holder(judged).ok
    assert "lbdeploy handover --back" in holder(judged).detail


def test_a_node_that_was_left_out_of_the_election_is_told_of(seed: Cluster) -> None:
    """What a run that was killed may leave: the node would never take the VIPs."""
    judged = verdict(seed, lb1(seed, holds=True), lb2(seed, holds=False, priority_offset=-254))
    assert judged.healthy
    (told,) = [each for each in of(judged, "holder") if not each.ok]
    assert (told.node, told.fix) == ("lb2", "lbdeploy handover --back")


def test_all_servers_down_leave_nobody_behind_the_vip(seed: Cluster) -> None:
    """Without any server up, each node's backend fails, and so does the API through each VIP."""
    down = tuple(server("k8s-api", f"master{n}", "DOWN", "L4CON", "Connection refused") for n in (1, 2, 3))
    silent = tuple(Answered(vip.ip, 6443, "") for vip in seed.vips)
    found = verdict(seed, *(each(seed, servers=down, answered=silent) for each in (lb1, lb2)))
    assert not found.healthy
    assert failed(found) == {
        *((node, "backend", "k8s-api has 0 of 3 servers up") for node in ("lb1", "lb2")),
        *((node, "api", f"{ip} port 6443 does not answer from here") for node in ("lb1", "lb2")
          for ip in ("192.168.0.10", "192.168.1.10")),
    }  # fmt: skip
    assert found.settled(["lb1", "lb2"])


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_servers_in_their_first_check_are_not_up_yet(seed: Cluster, suite: str) -> None:
    """INIT is not up: the servers are named as not checked yet, and waiting may help."""
    seen = {"servers": parse_show_stat(captured(f"show_stat/{suite}_initial"))}
    found = verdict(seed, lb1(seed, **seen), lb2(seed, **seen))
    assert [each.detail for each in of(found, "server") if not each.ok] == [
        f"k8s-api/master{n} (192.168.1.2{n}:6443): not checked yet, seen from lb1 and lb2" for n in (2, 3)
    ]
    assert not found.settled(["lb1", "lb2"])
    assert all(each.settling for each in of(found, "backend"))


def test_a_server_that_only_one_node_sees_down_is_told_from_where(seed: Cluster) -> None:
    """What differs between the nodes' views is told node by node; a server haproxy does not know is told, too."""
    partly = (server("k8s-api", "master1"), server("k8s-api", "master2", "MAINT", ""))
    found = verdict(seed, lb1(seed), lb2(seed, servers=partly))
    assert [each.detail for each in of(found, "server")] == [
        "k8s-api/master1 is up",
        "k8s-api/master2 (192.168.1.22:6443): MAINT, seen from lb2: somebody took it out of use on haproxy's socket",
        "k8s-api/master3 (192.168.1.23:6443): unknown to haproxy, seen from lb2",
    ]


def test_a_vip_that_does_not_answer_one_node_is_wrong(seed: Cluster) -> None:
    """The API through a VIP is asked from every node, also from one that does not hold it."""
    answered = (Answered(ip_address("192.168.0.10"), 6443, "16"), Answered(ip_address("192.168.1.10"), 6443, ""))
    found = verdict(seed, lb1(seed), lb2(seed, answered=answered))
    assert failed(found) == {("lb2", "api", "192.168.1.10 port 6443 does not answer from here")}
    assert not found.settled(["lb2"])
    assert found.settled(["lb1"])


def test_a_drifted_kernel_setting_is_wrong(seed: Cluster) -> None:
    """A setting that is not in force is named with what it is and should be."""
    found = verdict(seed, lb1(seed, states={"sysctl net.ipv4.ip_nonlocal_bind": "0"}), lb2(seed))
    assert failed(found) == {("lb1", "sysctl", "net.ipv4.ip_nonlocal_bind is 0, should be 1")}


def test_a_drifted_file_is_wrong(seed: Cluster) -> None:
    """A file that somebody edited is named, and so is the service that has to read it again."""
    edited = FileState("file", "644", "root:root", LONG_AGO, "edited\n")
    found = verdict(seed, lb1(seed), lb2(seed, states={"file /etc/haproxy/haproxy.cfg": edited}))
    assert failed(found) == {
        ("lb2", "file", "/etc/haproxy/haproxy.cfg: its content differs"),
        ("lb2", "service", "haproxy reads /etc/haproxy/haproxy.cfg"),
    }
    assert all(each.fix for each in found.findings if each.is_error)


def test_a_node_that_could_not_be_looked_at_leaves_doubt(seed: Cluster) -> None:
    """The VIPs are on no other node that could be looked at: more is not known."""
    error = ConnectError("lb2 can't be reached: no answer", fix="see whether it runs")
    found = verdict(seed, lb1(seed), lb2=error)
    assert failed(found) == {("lb2", "reach", "lb2 can't be reached: no answer")}
    assert of(found, "vip")[0].detail == "192.168.0.10 is on ens33, and on no other node that could be looked at"
    nowhere = verdict(seed, lb1(seed, holds=False), lb2=error)
    assert "192.168.0.10 is on no node that could be looked at" in {each.detail for each in of(nowhere, "vip")}


def test_no_node_at_all_leaves_nothing_to_say(seed: Cluster) -> None:
    """Where no node could be looked at, only that is said."""
    error = ConnectError("no answer")
    found = verdict(seed, lb1=error, lb2=error)
    assert [(each.node, each.check) for each in found.findings] == [("lb1", "reach"), ("lb2", "reach")]
    assert found.vips == ()


def test_a_look_at_some_nodes_only_asks_nothing_of_the_others(seed: Cluster) -> None:
    """With --limit a node may hold nothing: who does is not known, and not asked."""
    found = verdict(seed, lb2(seed))
    assert found.healthy
    assert of(found, "vip") == []
    assert {each.told() for each in found.vips} == {"none of those looked at"}
    assert [each["unknown"] for each in found.to_json()["vips"]] == [["lb1"], ["lb1"]]  # type: ignore[attr-defined]


def test_of_vips_that_are_not_together_nothing_is_said_that_nobody_knows(seed: Cluster) -> None:
    """The node that was not asked may hold the rest."""
    (first, *_) = seed.vips
    some = [replace(each, addresses=[a for a in each.addresses if a.ip != first.ip]) for each in lb1(seed).links]
    assert holder(verdict(seed, lb1(seed, links=tuple(some)))).detail == (
        "the VIPs are not all on one node: 192.168.0.10 on none of those looked at, 192.168.1.10 on lb1"
    )


def test_a_verdict_as_json_has_the_parts_of_the_contract(seed: Cluster) -> None:
    """Findings, VIPs and servers in the shape that scripts read."""
    document: Any = verdict(seed, lb1(seed), lb2(seed, states={KEEPALIVED: stopped()})).to_json()
    assert document["vips"][0] == {
        "address": "192.168.0.10",
        "network": "external",
        "interface": "ens33",
        "holders": ["lb1"],
        "unknown": [],
    }
    first = {
        "node": "lb1",
        "frontend": "k8s-api",
        "server": "master1",
        "status": "UP",
        "check_status": "L4OK",
        "drained": None,
    }
    assert document["servers"][0] == first
    assert len(document["servers"]) == 6
    (bad,) = [each for each in document["findings"] if not each["ok"]]
    assert bad == {
        "node": "lb2",
        "check": "service",
        "ok": False,
        "severity": "error",
        "subject": "keepalived",
        "detail": "keepalived is inactive",
        "fix": "lbdeploy up; to see why: journalctl -u keepalived",
        "fix_command": ["lbdeploy", "up"],
    }
    assert all({"node", "check", "ok", "detail"} <= each.keys() for each in document["findings"])


def test_what_is_well_is_settled(seed: Cluster) -> None:
    """Only what is not ok can be waited for."""
    fine = Finding.passed("lb1", "x", "", settling=True)
    assert Verdict((fine,), (), ()).settled(["lb1"])
    assert not Verdict((replace(fine, severity="error"),), (), ()).settled(["lb1"])


def test_a_vips_interface_is_the_holders(tmp_path: Path) -> None:
    """Where nodes name their interfaces differently, a VIP is told with that of the node that has it."""
    found = cluster(tmp_path, BIG)
    seen = [observe(found, node, holds=node.name == "lb-a") for node in found.nodes]
    assert [each.interface for each in judge(found, seen, plans(found, *seen)).vips] == ["bond0.17", "bond0.17", "eth1"]


def test_servers_of_one_name_are_told_apart_by_their_frontend(tmp_path: Path) -> None:
    """A server behind two frontends may be up behind one and down behind the other."""
    found = cluster(tmp_path, GOOD + '[frontends.web]\nport = 443\nservers = { master1 = "192.168.1.21" }\n')
    stats = (*(server("k8s-api", f"master{n}") for n in (1, 2, 3)), server("web", "master1", "DOWN", "L4CON"))
    judged = verdict(found, lb1(found, servers=stats), lb2(found, servers=stats))
    assert [each.detail for each in of(judged, "server") if not each.ok] == [
        "web/master1 (192.168.1.21:443): DOWN L4CON, seen from lb1 and lb2: "
        "nothing listens at 192.168.1.21:443, or there is no way to it"
    ]
    assert failed(judged) == {(node, "backend", "web has 0 of 1 servers up") for node in ("lb1", "lb2")}
    assert list(judged.frontends()) == [("k8s-api", 3, 3), ("web", 0, 1)]


def test_a_frontend_is_seen_by_a_holder_of_its_vips(tmp_path: Path) -> None:
    """Where groups have different holders, the other one's clients do not come to it."""
    found = cluster(tmp_path, GROUPS)
    api, ingress = (links(found.part(group), found.node(node), holds=True) for group, node in GROUP_HOLDERS)
    stats = tuple(server("k8s-api", f"master{n}") for n in (1, 2, 3))
    down = (*stats[:2], server("k8s-api", "master3", "DOWN"))
    here = lb1(found, links=api, servers=(*down, server("ingress", "w1", "DOWN")))
    there = lb2(found, links=ingress, servers=(*stats, server("ingress", "w1")))
    assert list(verdict(found, here, there).frontends()) == [("k8s-api", 2, 3), ("ingress", 1, 1)]


def test_a_warning_costs_no_health(seed: Cluster) -> None:
    """A finding that is not ok makes a cluster unhealthy, unless it is a warning."""
    bad = Finding.failed(None, "x", "")
    assert not Verdict((bad,), (), ()).healthy
    assert Verdict((bad.as_warning(),), (), ()).healthy
    assert bad.as_warning().to_json()["severity"] == "warning"


def test_a_cluster_lives_while_a_vip_or_a_keepalived_is_there(seed: Cluster) -> None:
    """Fresh nodes are told from those that clients may be using."""
    dead = {KEEPALIVED: stopped()}
    assert not is_live(seed, [lb1(seed, holds=False, states=dead), lb2(seed, states=dead)])
    assert is_live(seed, [lb1(seed, holds=False, states=dead), lb2(seed)])
    assert is_live(seed, [lb1(seed, states=dead), lb2(seed, states=dead)])
    assert holders(seed, [lb1(seed, links=only(seed, "lb1", "external")), lb2(seed)]) == ("lb1",)


def test_a_node_that_would_serve_nobody_is_wrong_also_while_it_holds_no_vip(seed: Cluster) -> None:
    """The standby is asked through a socket of its own whether clients would be served there."""
    found = verdict(seed, lb1(seed), lb2(seed, own={"k8s-api": False}))
    assert failed(found) == {("lb2", "frontend", "k8s-api does not answer on this node's own haproxy")}
    assert {each.detail for each in of(found, "frontend") if each.ok} == {"k8s-api answers on this node's own haproxy"}
    assert found.settled(["lb2"])


def test_a_frontend_whose_servers_are_not_checked_yet_may_answer_soon(seed: Cluster) -> None:
    """haproxy's first checks are waited for."""
    first = (server("k8s-api", "master1", "UP 1/2", "INI"),)
    found = verdict(seed, lb1(seed), lb2(seed, own={"k8s-api": False}, servers=first))
    assert all(each.settling for each in of(found, "frontend") if not each.ok)
    assert not found.settled(["lb2"])
    assert found.settled(["lb2"], but={("lb2", "frontend"), ("lb2", "backend"), (None, "server")})


def test_a_template_without_a_socket_is_not_asked(seed: Cluster) -> None:
    """An operator's own haproxy.cfg may have no such socket: then there is nothing to find."""
    assert of(verdict(seed, lb1(seed), lb2(seed, own={})), "frontend") == of(verdict(seed, lb1(seed)), "frontend")


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        (PackageState(WHOLE, held=frozenset({"haproxy"})), "haproxy is held back, so it gets no updates"),
        (PackageState(WHOLE, recorded={"socat": "0"}), "socat is 1, was 0 after the last run"),
    ],
)
def test_a_package_that_only_drifts_is_a_warning(seed: Cluster, state: PackageState, detail: str) -> None:
    """A held package, or one that was upgraded by others, costs clients nothing now."""
    found = verdict(seed, lb1(seed, states={PACKAGES: state}), lb2(seed))
    assert found.healthy
    (warning,) = (each for each in of(found, "packages") if not each.ok)
    assert (warning.node, warning.detail, warning.is_warning, warning.fix) == ("lb1", detail, True, "lbdeploy up")


def test_a_package_that_is_missing_is_wrong(seed: Cluster) -> None:
    """Without socat nobody can ask haproxy."""
    state = PackageState({"haproxy": "1", "keepalived": "1"})
    found = verdict(seed, lb1(seed, states={PACKAGES: state}), lb2(seed))
    assert failed(found) == {("lb1", "packages", "socat is not installed")}


def test_a_run_that_was_interrupted_is_told(seed: Cluster) -> None:
    """What a run left in the middle is wrong, until another one has repaired it."""
    journal = JournalState("1", "ann@laptop", "reload keepalived", ended=False)
    found = verdict(seed, lb1(seed, states={"service lbdeploy": journal}), lb2(seed))
    assert failed(found) == {("lb1", "service", "lbdeploy was interrupted at: reload keepalived (a run of ann@laptop)")}
    assert {each.fix for each in found.findings if each.is_error} == {"lbdeploy up"}
    assert verdict(seed, lb1(seed, states={"service lbdeploy": replace(journal, active=True)}), lb2(seed)).healthy


def test_a_daemon_that_runs_a_replaced_program_is_wrong(seed: Cluster) -> None:
    """The program on the disk, with its security updates, is not the one that runs."""
    found = verdict(seed, lb1(seed), lb2(seed, states={KEEPALIVED: running(replaced=True)}))
    assert failed(found) == {("lb2", "service", "keepalived runs a program that was replaced since")}


def test_findings_that_nobody_waits_for_do_not_unsettle(seed: Cluster) -> None:
    """What failed before a stage, and is not its matter, is not waited for after it."""
    bad = Finding.failed("lb1", "api", "", settling=True)
    assert not Verdict((bad,), (), ()).settled(["lb1"])
    assert Verdict((bad,), (), ()).settled(["lb1"], but={("lb1", "api")})
    assert Verdict((bad,), (), ()).settled(["lb2"])


def findings(rich: Cluster, **changes: object) -> list[Finding]:
    seen = [replace(observe(rich, node, holds=node is rich.preferred), **changes) for node in rich.nodes]  # type: ignore[arg-type]
    return [each for each in judge(rich, seen, plans(rich, *seen)).findings if not each.ok]


def test_metrics_that_are_not_to_be_had_are_a_finding(rich: Cluster) -> None:
    """Where hosts.toml wants metrics, each node is asked for them at its own address."""
    found = findings(rich, metrics=("192.168.1.11 port 8404", False))
    assert {each.detail for each in found} == {"haproxy's metrics are not available at 192.168.1.11 port 8404"}
    assert all(each.is_error and each.check == "metrics" for each in found)
    assert findings(rich, metrics=("192.168.1.11 port 8404", True)) == []


@pytest.mark.parametrize(
    ("about", "back"),
    [
        ("ann@laptop (process 1), since 2026-11-29 10:00:00 UTC: lbdeploy -f x rollback --to 1", True),
        ("ann@laptop (process 1), since 2026-11-29 10:00:00 UTC: lbdeploy.rollback() in deploy.py", True),
        ("ann@rollback (process 1), since 2026-11-29 10:00:00 UTC: lbdeploy up", False),
    ],
)
def test_after_a_rollback_files_differ_on_purpose(seed: Cluster, about: str, back: bool) -> None:
    """Drift and health are two things: the advice is to undo the change in hosts.toml, and not the rollback."""
    conf = "file /etc/haproxy/haproxy.cfg"
    states = {conf: FileState("file", "644", "root:root", 1.0, "old\n"), "service lbdeploy": JournalState("1", about)}
    found = verdict(seed, lb1(seed, states=states), lb2(seed))
    finding, reload = (each for each in found.findings if each.is_error)
    assert found.only_drift
    assert (finding.check, reload.check) == ("file", "service")
    assert str(finding.fix).startswith("the last run was a rollback: also undo the change in hosts.toml") == back
    assert not verdict(seed, lb1(seed, states={**states, HAPROXY: stopped()}), lb2(seed)).only_drift
    assert not verdict(seed, lb1(seed), lb2(seed)).only_drift
