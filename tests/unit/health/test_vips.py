"""Multicast, tracked files and scripts, and the notify script: from hosts.toml to what is said of the nodes."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, LONG_AGO, SEED, cluster, observe, plans, survey
from goldens import OPTIONS, SCRIPT, beside
from syrupy.assertion import SnapshotAssertion

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import HostsFileError
from lbdeploy.health.finding import Finding
from lbdeploy.health.placement import placement_of
from lbdeploy.health.vips import holder, placed, tracked
from lbdeploy.node import network_listener
from lbdeploy.node.drift import diff
from lbdeploy.node.keepalived_conf import skew
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import FAULT_STATE, NodeProbeScript, Observation
from lbdeploy.node.parsers import parse_ip_a
from lbdeploy.node.resources import File, Gone
from lbdeploy.node.resources.base import Answer
from lbdeploy.operations.down_steps import original
from lbdeploy.operations.generations import Generation, RollbackTarget
from lbdeploy.planning import validators
from lbdeploy.planning.desired import KEEPALIVED_CONF, NO_LEFTOVERS, OWN_SCRIPTS, desired, files
from lbdeploy.planning.lint.lint import lint
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.planning.stages import staged
from lbdeploy.rollout.gate import objections
from lbdeploy.rollout.origin import Origin
from lbdeploy.rollout.transaction import Task, Transaction

GOOD = SEED.read_text()


def with_options(folder: Path, options: str = OPTIONS, text: str = GOOD) -> Cluster:
    """The sample cluster with options, and the scripts that they name."""
    beside(folder)
    return cluster(folder, text.replace("preempt_delay = 30\n", "preempt_delay = 30\n" + options))


@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_every_option_has_its_place_in_keepalived_conf(tmp_path: Path, node: str, snapshot: SnapshotAssertion) -> None:
    """Scripts come as they are, executable, before the configuration that names them."""
    found = with_options(tmp_path)
    own = [each for each in files(found, found.node(node)) if each.path.startswith("/etc/keepalived/")]
    assert [(each.path, each.mode) for each in own] == [
        ("/etc/keepalived/check-haproxy", "755"),
        ("/etc/keepalived/lbdeploy-track-route", "700"),
        ("/etc/keepalived/lbdeploy-notify", "700"),
        (KEEPALIVED_CONF, "644"),
    ]
    assert {own[1].content, own[2].content} == {SCRIPT}
    assert own[-1].content == snapshot


def test_multicast_of_ipv6_has_its_own_source(tmp_path: Path) -> None:
    """No list of peers remains, and nodes are known by their addresses as before."""
    found = cluster(tmp_path, BIG.replace("router_id = 7", 'router_id = 7\nmode = "multicast"'))
    conf = next(file.content for file in files(found, found.node("lb-a")) if file.path == KEEPALIVED_CONF)
    assert "    mcast_src_ip fd00:1::11\n    track_src_ip\n" in conf
    assert "unicast" not in conf
    hail = str(network_listener.programs(found, found.node("lb-b"))[1])
    assert hail.endswith(" eth1 fd00:1::12 ff02::12")
    assert network_listener.group(ip_address("10.0.0.1")) == ip_address("224.0.0.18")


@pytest.mark.parametrize(
    ("said", "status", "objection"),
    [
        ("", 0, ""),
        ("(VI_SIX) the first IPv6 VIP address must be link local", 0, ""),
        ("(VI_SIX) the first IPv6 VIP address must be link local\n(VI_SIX) no", 5, "(VI_SIX) no"),
        ("", 5, ""),
    ],
)
def test_one_word_of_an_old_keepalived_is_no_objection(tmp_path: Path, said: str, status: int, objection: str) -> None:
    """Debian 11's misses a link-local VIP where IPv6 goes to the group, and works all the same; all else counts."""
    (tmp_path / "keepalived").write_text(f"#!/bin/sh\n[ -z '{said}' ] || echo '{said}' >&2\nexit {status}\n")
    (tmp_path / "keepalived").chmod(0o755)
    argv = ["sh", "-c", str(validators.KEEPALIVED), "lbdeploy", "keepalived.conf"]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    run = subprocess.run(argv, check=False, env=path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (run.returncode, run.stdout.strip()) == (status, objection)


MISTAKES = {
    "no such script": (b"", "notify = 'nothing.sh'", "there is no nothing.sh beside hosts.toml; write it"),
    "an empty one": (b" \n", "notify = 'a.sh'", "a.sh is empty; write the script, beginning with #!/bin/sh"),
    "no interpreter": (b"exit 0\n", "notify = 'a.sh'", "a.sh does not begin with #! and an interpreter; begin it"),
    "Windows": (b"#!/bin/sh\r\nexit\r\n", "notify = 'a.sh'", "a.sh has the line ends of Windows"),
    "a program": (b"\x7fELF\xff", "notify = 'a.sh'", "a.sh is not text in UTF-8; name a script"),
    "NUL": (b"#!/bin/sh\n\0", "notify = 'a.sh'", "a.sh is no script: it has NUL bytes"),
    "a folder": (b"", "notify = 'folder'", "folder can't be read: Is a directory"),
    "elsewhere": (b"", "notify = '../a.sh'", "'../a.sh' is not a file below the folder of hosts.toml"),
    "absolute": (b"", "notify = '/etc/passwd'", "'/etc/passwd' is not a file below the folder of hosts.toml"),
    "a script's table": (
        b"",
        "[vrrp.track_scripts.x]\nscript = 'b.sh'",
        "vrrp.track_scripts.x.script: there is no b.sh beside hosts.toml",
    ),
    "no script": (b"", "[vrrp.track_scripts.x]", "vrrp.track_scripts.x.script: is missing; add script: Script,"),
    "unknown key": (
        b"",
        "[vrrp.track_files.x]\nfile = '/run/x'\nwieght = 1",
        "vrrp.track_files.x.wieght: unknown key; did you mean weight?",
    ),
    "weight": (b"", "[vrrp.track_files.x]\nfile = '/run/x'\nweight = 254", "254 is too large; write 253 or less"),
    "a directive": (
        b"",
        "[vrrp.track_files.x]\nfile = '/run/x }'",
        "'/run/x }' is not a file directly in /run or /var/lib",
    ),
    "a folder that may be missing": (
        b"",
        "[vrrp.track_files.x]\nfile = '/run/frr/x'",
        "'/run/frr/x' is not a file directly in /run or /var/lib; write one like \"/run/uplink\"",
    ),
    "lbdeploy's own": (b"", "[vrrp.track_files.x]\nfile = '/run/lbdeploy-handover'", "is not a file directly in /run"),
    "a name": (b"", "[vrrp.track_files.'x y']\nfile = '/run/x'", "'x y' is not a plain name"),
    "mode": (b"", "mode = 'broadcast'", "'broadcast' is not known; write 'unicast' or 'multicast'"),
}


@pytest.mark.parametrize(("content", "options", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_line_and_remedy(tmp_path: Path, content: bytes, options: str, message: str) -> None:
    """What no node could run is refused before any is contacted."""
    (tmp_path / "a.sh").write_bytes(content)
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostsFileError) as caught:
        with_options(tmp_path, options + "\n")
    (problem,) = caught.value.problems
    line = GOOD[: GOOD.index("preempt_delay = 30\n")].count("\n") + 1
    assert problem.line > line
    assert message in f"{problem.key}: {problem.message}; {problem.fix}"


def test_more_tracked_than_one_can_keep_in_mind_is_refused(tmp_path: Path) -> None:
    """Twenty of a kind are enough, and the number is told."""
    many = "".join(f"[vrrp.track_files.f{each}]\nfile = '/run/f{each}'\n" for each in range(21))
    with pytest.raises(HostsFileError) as caught:
        with_options(tmp_path, many)
    (problem,) = caught.value.problems
    assert (problem.key, problem.message, problem.fix) == (
        "vrrp.track_files",
        "has too many entries",
        "write at most 20",
    )


def weights(folder: Path, *pairs: tuple[str, int], priorities: tuple[int, int] = (200, 100)) -> list[str]:
    """What the lint says of tracked files ("f") and scripts ("s") with these weights."""
    tables = {
        "f": "[vrrp.track_files.t{}]\nfile = '/run/t'\nweight = {}\n",
        "s": "[vrrp.track_scripts.t{}]\nscript = 'scripts/notify.sh'\nweight = {}\n",
    }
    text = "".join(tables[kind].format(at, weight) for at, (kind, weight) in enumerate(pairs))
    first, second = priorities
    sample = GOOD.replace("priority = 200", f"priority = {first}").replace("priority = 100", f"priority = {second}")
    found = lint(with_options(folder, text, sample))
    assert all(each.severity == "warning" for each in found)
    return [f"{each.message}; {each.fix}" for each in found]


def test_a_weight_that_can_move_nothing_is_told_with_the_one_that_can(tmp_path: Path) -> None:
    """Alone, it must be more than the distance to the next node: at the same priority, the holder stays."""
    assert weights(tmp_path, ("s", -100)) == [
        "vrrp.track_scripts.t0: a weight of -100 moves no VIP from lb1 (priority 200) to lb2 (100); "
        "weight = -101, or less; or bring the priorities closer"
    ]
    (said,) = weights(tmp_path, ("f", 3), priorities=(104, 100))
    assert "lb2 (100), while the number in the file is 1; weight = 5, or more" in said
    assert weights(tmp_path, ("s", -101), ("f", 0), ("s", 0)) == []
    assert weights(tmp_path, ("s", 20), priorities=(120, 101)) == []


def test_sums_that_keepalived_does_not_go_by_are_told(tmp_path: Path) -> None:
    """Below 1 for more than one node, addresses decide; above 254, lbdeploy's own offsets don't suffice."""
    (low,) = weights(tmp_path, ("s", -101), ("s", -101))
    assert "priorities of lb1 (200-202) and of lb2 (100-202) count as 1, and addresses decide" in low
    assert "add up to -199 or more" in low
    (high,) = weights(tmp_path, ("s", 110))
    assert "the priority of lb1 (200+110) counts as 254" in high
    assert "add up to 54 or less" in high


def seen(of: Cluster, name: str, said: KeepalivedState, *, holds: bool = False, **changes: Any) -> Observation:
    return observe(of, of.node(name), holds=holds, said=said, **changes)


def told(of: Cluster, *observations: Observation) -> list[Finding]:
    """What is said of who holds the VIPs, and of what nodes track."""
    vips = [placement_of(of, vip, observations) for vip in of.vips]
    return [*holder(of, vips, observations), *tracked(of, observations)]


def test_a_holder_by_what_is_tracked_is_right(tmp_path: Path) -> None:
    """Where the preferred node is lowered, the other one holds the VIPs; it is said why, and what to look at."""
    of = with_options(tmp_path)
    lowered = seen(of, "lb1", KeepalivedState("BACKUP", 100, 1.0))
    why, warning = told(of, lowered, seen(of, "lb2", KeepalivedState("MASTER", 120, 1.0), holds=True))
    assert (why.ok, why.detail) == (True, "lb2 holds the VIPs; lb1 has priority 100, with what it tracks: -100")
    assert (warning.node, warning.check, warning.failed) == ("lb1", "track", False)
    assert not warning.ok


def test_a_node_in_the_state_fault_can_not_hold(tmp_path: Path) -> None:
    """A script of weight 0 that fails takes the node out of the election: no other could take over from its peer."""
    of = with_options(tmp_path)
    why, warning = told(
        of,
        seen(of, "lb1", KeepalivedState(FAULT_STATE, 220, 1.0)),
        seen(of, "lb2", KeepalivedState("MASTER", 120, 1.0), holds=True),
    )
    assert why.ok
    assert "lb1 cannot take over: its keepalived is in FAULT state, by what it tracks" in why.detail
    assert (warning.warning, warning.settling) == (True, True)


def test_what_all_have_in_common_needs_no_word(tmp_path: Path) -> None:
    """A script of weight 20 that is well on both raises both; keepalived that can't be asked says nothing."""
    of = with_options(tmp_path)
    (why,) = told(
        of,
        seen(of, "lb1", KeepalivedState("MASTER", 220, 1.0), holds=True),
        seen(of, "lb2", KeepalivedState("BACKUP", 120, 1.0)),
    )
    assert why.detail == "lb1 holds the VIPs, as its priority says"
    assert observe(of, of.node("lb1")).priority == 200


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        (KeepalivedState(), {}),
        (KeepalivedState("BACKUP"), {}),
        (KeepalivedState(FAULT_STATE, 100, 1.0), {"haproxy_answers": False}),
        (KeepalivedState("INIT", 100, 1.0), {}),
    ],
)
def test_what_is_not_known_or_has_another_cause_is_not_said_to_be_tracked(
    tmp_path: Path, said: KeepalivedState, changes: dict[str, Any]
) -> None:
    """A keepalived that can't be asked, or has just begun, and a haproxy that fails, say nothing of what is tracked."""
    of = with_options(tmp_path)
    assert list(tracked(of, [seen(of, "lb1", said, **changes)])) == []


def test_keepalived_is_only_asked_where_more_than_haproxy_is_tracked(tmp_path: Path) -> None:
    """Whoever does not use it does not pay for it."""
    assert "vrrp" not in NodeProbeScript(reader.load(SEED), reader.load(SEED).preferred, []).probes
    of = with_options(tmp_path)
    assert "vrrp" in NodeProbeScript(of, of.preferred, []).probes


def stages_of(before: Cluster, after: Cluster) -> list[tuple[Strategy, tuple[str, ...], str]]:
    known = {node.name: {f.id: _as(f) for f in files(before, node)} for node in before.nodes}
    known = {name: each | {_leftovers(before, name).id: {}} for name, each in known.items()}
    looks = [observe(after, node, holds=node is after.preferred, states=known[node.name]) for node in after.nodes]
    plan = staged(after, plans(after, *looks), looks)
    return [(stage.way, stage.names, stage.cost) for stage in plan.stages]


def _as(file: File) -> Any:
    from builders import has

    return has(file)


def _leftovers(of: Cluster, name: str) -> Gone:
    return next(each for each in desired(of, of.node(name)) if isinstance(each, Gone) and each.late)


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


def test_a_changed_script_needs_no_reload(tmp_path: Path) -> None:
    """keepalived runs it anew each time."""
    before = with_options(tmp_path)
    (tmp_path / "scripts/notify.sh").write_text(SCRIPT + " # more\n")
    after = reader.load(tmp_path / "hosts.toml")
    looks = observe(after, after.preferred, states={f.id: _as(f) for f in files(before, before.preferred)})
    assert [(c.kind, c.name, c.action) for c in diff(desired(after, after.preferred), looks).changes] == [
        ("file", "/etc/keepalived/lbdeploy-notify", "update")
    ]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("#!/bin/sh", ""),
        ("#! /bin/sh -eu", ""),
        ("#!/usr/bin/env sh", ""),
        ("#!/usr/bin/env -S sh -eu", ""),
        ("#!/opt/none", "this node has no /opt/none, by which it is to be run\n"),
        ("#!/usr/bin/env python99", "this node has no python99, by which it is to be run\n"),
        ("#!/bin/*", "this node has no /bin/*, by which it is to be run\n"),
    ],
)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_script_that_a_node_can_not_run_is_refused_there(tmp_path: Path, shell: str, first: str, said: str) -> None:
    """Its interpreter is looked for, also by way of env, before the file is in place."""
    of = with_options(tmp_path)
    (tmp_path / "staged").write_text(f"{first}\nexit 0\n")
    (own,) = (each for each in files(of, of.preferred) if each.path == OWN_SCRIPTS + "notify")
    run = subprocess.run(
        [shell, "-c", str(own.validate), "x", tmp_path / "staged"], check=False, capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == (said, "")


def test_a_change_that_puts_a_node_into_fault_is_objected_to(tmp_path: Path) -> None:
    """Then it is undone; a node that was in this state before is not made worse."""
    of = with_options(tmp_path, OPTIONS.replace('mode = "multicast"', ""))
    well = [
        seen(of, "lb1", KeepalivedState("MASTER", 220, 1.0), holds=True),
        seen(of, "lb2", KeepalivedState("BACKUP", 120, 1.0)),
    ]
    ill = [well[0], seen(of, "lb2", KeepalivedState(FAULT_STATE, 100, 1.0))]
    stage = Stage(Strategy.RELOAD, {"lb2": plans(of, *well)["lb2"]}, "")
    plan = Plan(plans(of, *well), (stage,))
    bad = objections(plan, stage, survey(of, *well), survey(of, *ill), frozenset())
    assert [(each.node, each.check) for each in bad] == [("lb2", "track")]
    for before, after in ((well, well), (ill, ill), (ill, well)):
        assert objections(plan, stage, survey(of, *before), survey(of, *after), frozenset()) == []


GONE = "/etc/keepalived/lbdeploy-track-old"


def test_scripts_that_nothing_names_any_more_are_removed() -> None:
    """Only those with names that lbdeploy gives, and not those that are wanted."""
    leftovers = replace(NO_LEFTOVERS, but=(OWN_SCRIPTS + "notify",))
    assert OWN_SCRIPTS + "*" in leftovers.patterns
    state = leftovers.read(Answer(f"{GONE} IyEvYmluL3NoCg==\n{OWN_SCRIPTS}notify eA=="))
    assert state == {GONE: "#!/bin/sh\n"}
    (change,) = leftovers.compare(state, ())
    assert (change.kind, change.name, change.action) == ("file", GONE, "remove")
    assert leftovers.compare({}, ()) == []


def test_they_are_kept_first_and_removed_after_the_reload(seed: Cluster) -> None:
    """A change that is undone brings them back, while keepalived may still need them."""
    conf = next(each for each in files(seed, seed.preferred) if each.path == KEEPALIVED_CONF)
    old = replace(_as(conf), content="old\n", changed=LONG_AGO)
    looks = observe(seed, seed.preferred, states={conf.id: old, _leftovers(seed, "lb1").id: {GONE: "old"}})
    plan = diff(desired(seed, seed.preferred), looks)
    script = Transaction(Task(plan, ("keepalived",), confirm=9), Origin("id", "ann", "")).launch()
    at = [script.index(part) for part in ("\nkeep ", "systemctl reload keepalived", f"\ndrop {GONE}\n", "\nawait 9")]
    assert at == sorted(at)
    assert GONE in next(line for line in script.splitlines() if line.startswith("managed="))
    alone = diff(
        desired(seed, seed.preferred), observe(seed, seed.preferred, states={_leftovers(seed, "lb1").id: {GONE: "old"}})
    )
    script = Transaction(Task(alone, ()), Origin("id", "ann", "")).launch()
    assert script.index("\nkeep ") < script.index(f"\ndrop {GONE}\n")


def test_down_removes_all_of_them() -> None:
    """Whatever hosts.toml says by then."""
    (leftovers,) = (each for each in original(purge=False) if isinstance(each, Gone) and each.late)
    assert leftovers == NO_LEFTOVERS


def test_a_rollback_brings_back_scripts_that_hosts_toml_does_not_name(seed: Cluster) -> None:
    """They were among the files of that time, so they are wanted, and no leftovers."""
    then = Generation("run", "ann", "", {GONE: ("755", SCRIPT), KEEPALIVED_CONF: ("644", "old\n")})
    wanted = RollbackTarget("run", "ann", "", {"lb1": then}).wanted("lb1", desired(seed, seed.node("lb1")))
    assert File(GONE, SCRIPT, "755", secret=True) in wanted
    (leftovers,) = (each for each in wanted if isinstance(each, Gone) and each.late)
    assert leftovers.but == (GONE,)
    other = RollbackTarget("run", "ann", "", {"lb1": then}).wanted("lb2", desired(seed, seed.node("lb2")))
    assert other == desired(seed, seed.node("lb2"))


IP_A = """\
2: ens32@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    inet6 fd00:1::9/128 scope global nodad deprecated
       valid_lft forever preferred_lft 0sec
    inet6 fd00:1::10/64 scope global {flags}
       valid_lft forever preferred_lft forever
"""


@pytest.mark.parametrize(
    ("flags", "doubt"),
    [
        ("nodad", ""),
        ("tentative", "tentative"),
        ("dadfailed tentative", "dadfailed"),
        ("tentative optimistic", "tentative"),
    ],
)
def test_an_address_that_can_not_be_used_is_told(tmp_path: Path, flags: str, doubt: str) -> None:
    """A VIP that the kernel has not accepted is not one that is answered, and verify says so."""
    of = cluster(tmp_path, BIG)
    (link,) = parse_ip_a(IP_A.format(flags=flags))
    assert link.doubtful == ({ip_address("fd00:1::10"): doubt} if doubt else {})
    (vip,) = (vip for vip in of.vips if vip.network == "back")
    look = observe(of, of.node("lb-a"), links=(replace(link, name="eth1"),))
    (found,) = placed(placement_of(of, vip, [look]), [look], "")
    assert found.ok == (not doubt)
    assert found.settling == (doubt == "tentative")
    assert doubt in found.detail


def test_ipv6_adverts_are_of_version_3(tmp_path: Path) -> None:
    """Then the skew is part of an interval, not of a second (RFC 5798, 6.1)."""
    six = cluster(tmp_path, BIG.replace("advert_interval = 0.25", "advert_interval = 4"))
    assert skew(six.vrrp, six.node("lb-c"), 50) == pytest.approx(4 * 206 / 256)
    four = cluster(tmp_path, GOOD.replace("advert_interval = 1", "advert_interval = 4"))
    assert skew(four.vrrp, four.node("lb2"), 100) == pytest.approx(156 / 256)
