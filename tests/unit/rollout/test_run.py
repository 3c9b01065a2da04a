"""Runs of `up`, without nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import SEED, as_by, cluster, has, observe, stopped, survey
from clusters import with_firewall, with_options
from goldens import GOOD, RICH, beside

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, LbdeployError, LoginError, RebootedError, RemoteError, RolledBackError
from lbdeploy.events import silent
from lbdeploy.node.drift import diff
from lbdeploy.node.paths import SERVER_STATE
from lbdeploy.node.resources import File, Gone, Packages, Service, Sysctl
from lbdeploy.node.resources.base import Change, Resource
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import FIREWALL_SERVICE, HAPROXY_CFG, KEEPALIVED_CONF, NOTIFY_SERVICE, desired
from lbdeploy.planning.plan import Stage
from lbdeploy.rollout.loop import RunLoop, Start
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.run import Run, earlier, lasting, stays, would_part
from lbdeploy.rollout.survey import Survey
from lbdeploy.rollout.transaction import Task, Transaction


def test_a_node_that_had_no_firewall_gets_none_back(tmp_path: Path) -> None:
    """Where another node fails, this one's new files go again, and the service is stopped before them."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    node = found.preferred
    wanted = desired(found, node)
    new = [each for each in wanted if isinstance(each, File) and "fire" in each.path]
    states = {each.id: FileState("missing") for each in new} | {f"service {FIREWALL_SERVICE}": ServiceState()}
    back = earlier(wanted, observe(found, node, states=states))
    assert not any(isinstance(each, File) and "fire" in each.path for each in back)
    assert [each.unit for each in back if isinstance(each, Gone) and "fire" in each.unit] == [FIREWALL_SERVICE]
    assert not any(isinstance(each, Service) and each.unit == FIREWALL_SERVICE for each in back)
    gone = [each for each in back if isinstance(each, Gone) and "fire" in f"{each.unit} {each.name}"]
    there = {each.id: dict.fromkeys(each.patterns, ("644", "ours\n")) for each in gone}
    script = Transaction(Task(diff(back, observe(found, node, states=there))), Origin("id", "ann", "")).launch()
    at = [script.index(each) for each in (f"step stop {FIREWALL_SERVICE}", *(f"drop {each.path}" for each in new))]
    assert at[0] == min(at)


def test_a_node_that_goes_back_wants_what_was_observed(seed: Cluster) -> None:
    """Files with their contents of then or none, settings with their values; but packages of any version stay."""
    node = seed.preferred
    wanted = [
        File("/etc/there", "new\n", validate=Raw("true")),
        File("/etc/missing", "new\n"),
        Sysctl("net.a", "1"),
        Sysctl("net.none", "1"),
        Packages(("haproxy",), pins=(("haproxy", "2.*"),)),
        Service("haproxy"),
    ]
    states = {
        "file /etc/there": FileState("file", "640", "root:root", 1.0, "old\n"),
        "file /etc/missing": FileState("missing"),
        "sysctl net.a": "0",
        "sysctl net.none": None,
        "packages haproxy": PackageState({}),
        "service haproxy": ServiceState(),
    }
    there, missing, setting, unknown, packages, service = earlier(wanted, observe(seed, node, states=states))
    assert there == File("/etc/there", "old\n", "640", Raw("true"))
    assert isinstance(missing, Gone)
    assert missing.patterns == ("/etc/missing",)
    assert (setting, unknown) == (Sysctl("net.a", "0"), Sysctl("net.none", "1"))
    assert (packages, service) == (Packages(("haproxy",)), Service("haproxy"))


def test_what_a_node_does_not_get_back_is_known(seed: Cluster) -> None:
    """Links and owners, services that did not run, and packages; not that daemons have read what was there anyway."""
    resources: list[Resource[Any]] = [
        Packages(("haproxy", "nftables"), upgrade=True),
        File("/etc/there", "new\n"),
        File("/etc/new", "new\n"),
        File("/etc/link", "new\n"),
        File("/etc/theirs", "new\n"),
        Service("haproxy", watches=("/etc/there",)),
        Service("keepalived"),
    ]
    running = ServiceState("loaded", "active", "running", "enabled", newest=2.0, loaded=1.0)
    states = {
        "packages haproxy, nftables": PackageState({"haproxy": "2.6"}),
        "file /etc/there": FileState("file", "644", "root:root", 1.0, "old\n"),
        "file /etc/new": FileState("missing"),
        "file /etc/link": FileState("other"),
        "file /etc/theirs": FileState("file", "644", "bob:bob", 1.0, "old\n"),
        "service haproxy": running,
        "service keepalived": ServiceState("loaded", "inactive", "dead", "disabled"),
    }
    found = observe(seed, seed.preferred, states=states)
    made = diff(resources, found).changes
    assert stays(made, earlier(resources, found), found) == [
        "replace /etc/link",
        "chmod /etc/theirs",
        "enable keepalived",
        "start keepalived",
        "install nftables",
    ]
    states |= {each: running for each in states if each.startswith("service")}
    states |= {each: states["file /etc/there"] for each in states if each.startswith("file")}
    states["packages haproxy, nftables"] = PackageState({"haproxy": "2.6", "nftables": "1"})
    found = observe(seed, seed.preferred, states=states)
    assert stays(made, earlier(resources, found), found) == ["install nftables"]
    assert stays([], earlier(resources, found), found) == []


def undone(before: Cluster, after: Cluster) -> list[Resource[Any]]:
    """What a node goes back to that had all of `before`, where hosts.toml now is `after`."""
    had = {each.path: each for each in desired(before, before.preferred) if isinstance(each, File)}
    wanted = desired(after, after.preferred)
    states: dict[str, Any] = {each.id: has(had[each.path]) for each in wanted if isinstance(each, File)}
    states |= {
        gone.id: {path: (had[path].mode, had[path].content) for path in removed(gone, had)} for gone in gones(wanted)
    }
    back = earlier(wanted, observe(after, after.preferred, states=states))
    assert len({each.id for each in back}) == len(back)
    assert not [removed(gone, had) for gone in gones(back) if removed(gone, had)]
    return back


def gones(resources: list[Resource[Any]]) -> list[Gone]:
    return [each for each in resources if isinstance(each, Gone)]


def removed(gone: Gone, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if gone.covers(path) and path not in gone.but]


def files_of(resources: list[Resource[Any]]) -> set[tuple[str, str, str]]:
    """Path, mode and content of each file, but for which servers are drained, which nothing here changes."""
    files = [each for each in resources if isinstance(each, File) and each.path != SERVER_STATE]
    return {(each.path, each.mode, each.content) for each in files}


@pytest.mark.parametrize("key", ["check_token_file", "check_certificate", "check_ca_file"])
def test_a_node_that_goes_back_gets_the_files_that_its_haproxy_named(tmp_path: Path, key: str) -> None:
    """Its haproxy.cfg of then, with which it is to run again, is refused without them."""
    beside(tmp_path)
    before = cluster(tmp_path, RICH)
    after = cluster(tmp_path, "".join(line for line in RICH.splitlines(keepends=True) if not line.startswith(key)))
    assert files_of(desired(before, before.preferred)) - files_of(desired(after, after.preferred))
    assert files_of(undone(before, after)) == files_of(desired(before, before.preferred))


def test_a_node_that_goes_back_gets_its_scripts_and_the_service_that_tells_them(tmp_path: Path) -> None:
    """Without it, nobody would tell a script of a state, such as to move a floating IP."""
    before, after = with_options(tmp_path), cluster(tmp_path, GOOD)
    back = undone(before, after)
    assert files_of(back) == files_of(desired(before, before.preferred))
    (service,) = (each for each in desired(before, before.preferred) if each.id == f"service {NOTIFY_SERVICE}")
    assert isinstance(service, Service)
    assert service.unit_files in [
        each.unit_files for each in back if isinstance(each, Service) and each.id == service.id
    ]


def test_a_node_that_goes_back_gets_its_firewall(tmp_path: Path) -> None:
    """Its files, and the service that loads them, now and at each boot."""
    before, after = cluster(tmp_path, with_firewall(SEED.read_text())), cluster(tmp_path, SEED.read_text())
    back = undone(before, after)
    assert files_of(back) == files_of(desired(before, before.preferred))
    (service,) = (each for each in back if isinstance(each, Service) and each.unit == FIREWALL_SERVICE)
    assert service.ours


@dataclass
class Rebooting(Run):
    """A run whose looks at the nodes are given; `then` is what happens to lb1, one after another as it is changed."""

    looks: list[Survey]
    then: Iterator[LbdeployError]
    back: dict[str, Sequence[Resource[Any]]] = field(default_factory=dict)
    wants: list[Wanted] = field(default_factory=list)
    installed: list[str] = field(default_factory=list)

    def begin(self, after: Cluster, options: Options | None = None) -> LbdeployError:
        """The error that the run ends with."""
        pool: Any = SimpleNamespace(nodes=after.nodes)
        Run.__init__(self, after, pool, silent, Origin("id", "ann", ""), options)
        self._made = {"lb2": [Change("package", name, "install", "") for name in self.installed]}
        watching: Any = self.context.observer
        watching.until_settled = self.settle
        with pytest.raises(LbdeployError) as caught:
            RunLoop(self.context, self).run()
        return caught.value

    def settle(self, wanted: Wanted, *_: object) -> Survey:
        self.wants.append(wanted)
        return self.looks.pop(0)

    def start(self) -> Start:
        first = self.looks.pop(0)
        return Start(first, lasting(self.wanted), first.plan)

    def perform(self, start: Start, stage: Stage, before: Survey) -> None:
        if stage.names == ("lb1",):
            raise next(self.then)

    def look(self, start: Start) -> Survey:
        return start.survey

    def _undo(self, wanted: Wanted, names: Sequence[str], undone: list[str]) -> None:
        self.back |= {name: wanted.resources[name] for name in names}


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Cluster, list[Survey]]:
    """A changed hosts.toml, and the nodes before the run, and once lb2 has been changed."""

    @contextmanager
    def taken(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(runs=looks[0].runs, take_again=lambda *_: None, check=lambda _: None)

    monkeypatch.setattr("lbdeploy.rollout.loop.locking", taken)
    before, after = cluster(tmp_path, GOOD), cluster(tmp_path, GOOD.replace("roundrobin", "leastconn"))
    lb1 = observe(after, after.node("lb1"), states=as_by(before, "lb1"), holds=True)
    was = observe(after, after.node("lb2"), states=as_by(before, "lb2"))
    looks = [survey(after, lb1, was), *[survey(after, lb1, observe(after, after.node("lb2")))] * 2]
    return after, looks


class Stuck(Rebooting):
    """A run that can't take back what it has done on lb2."""

    def _undo(self, wanted: Wanted, names: Sequence[str], undone: list[str]) -> None:
        raise ConnectError("no answer", node="lb2", state="it is off")


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Rebooting, "lb1: as before; lb2 is as before, but for: install nftables"),
        (Stuck, "lb1: as before; lb2 was to undo its change, too: no answer; it is off"),
    ],
)
def test_a_node_of_an_earlier_stage_is_as_before_only_where_that_is_so(
    changed: tuple[Cluster, list[Survey]], kind: type[Rebooting], state: str
) -> None:
    """Not where a package stays; and nothing of the kind is said of one that could not be reached."""
    after, looks = changed
    run = kind(looks, iter([RolledBackError("no", node="lb1", state="lb1: as before")]))
    run.installed = ["nftables"]
    error = run.begin(after)
    assert (type(error), error.state) == (RemoteError, state)


REBOOT = RebootedError("rebooted", node="lb1", state="what it had begun was interrupted")


def test_earlier_stages_are_undone_also_after_a_reboot(changed: tuple[Cluster, list[Survey]]) -> None:
    """To what was there before the run, and not to what was found after the reboot."""
    after, looks = changed
    was = looks[0].seen["lb2"]
    run = Rebooting(looks, iter([REBOOT, RolledBackError("no", node="lb1", state="lb1: as before")]))
    error = run.begin(after)
    assert (type(error), error.state) == (RolledBackError, "lb2 and lb1: as before")
    (cfg,) = (each for each in run.back["lb2"] if isinstance(each, File) and each.path == HAPROXY_CFG)
    assert cfg.content == was.states[cfg.id].content
    assert "roundrobin" in cfg.content


def test_upgrades_are_done_after_a_reboot_too(changed: tuple[Cluster, list[Survey]]) -> None:
    """But not again where they are done."""
    after, looks = changed
    run = Rebooting([*looks], iter([REBOOT] * 3))
    run.begin(after, Options(upgrade=True))
    upgrades = [
        {
            name: any(isinstance(each, Packages) and each.upgrade for each in wants)
            for name, wants in one.resources.items()
        }
        for one in run.wants
    ]
    assert upgrades == [{"lb1": True, "lb2": False}] * 2


def test_a_run_that_ends_after_reboots_says_what_is_done(changed: tuple[Cluster, list[Survey]]) -> None:
    """A node that reboots again and again, and one that is not fit any more."""
    after, looks = changed
    error = Rebooting([*looks], iter([REBOOT] * 3)).begin(after)
    assert (type(error), error.state) == (RebootedError, "what it had begun was interrupted; lb2 changed")
    unfit = replace(looks[1], observations={}, errors={"lb1": LoginError("refused", node="lb1")})
    error = Rebooting([looks[0], unfit], iter([REBOOT])).begin(after)
    assert (type(error), error.state) == (LoginError, "what it had begun was interrupted; lb2 changed")


def test_what_comes_back_is_in_place_before_anything_needs_it(tmp_path: Path) -> None:
    """The script that undoes: files before haproxy.cfg is validated, the service with them; none is dropped."""
    before, after = with_options(tmp_path), cluster(tmp_path, GOOD)
    back = undone(before, after)
    now = desired(after, after.preferred)
    states = {each.id: has(each) for each in now if isinstance(each, File)}
    states |= {each.id: FileState("missing") for each in back if isinstance(each, File) and each.id not in states}
    states |= {each.id: {} for each in gones(back)} | {f"service {NOTIFY_SERVICE}": ServiceState()}
    script = Transaction(
        Task(diff(back, observe(after, after.preferred, states=states))), Origin("id", "ann", "")
    ).launch()
    parts = ("swap /etc/keepalived/lbdeploy-tell-state", f"step start {NOTIFY_SERVICE}", "step reload keepalived")
    at = [script.index(each) for each in parts]
    assert at == sorted(at)
    assert not re.search(r"^(drop|step stop) ", script, re.MULTILINE)


def test_a_node_that_goes_back_keeps_a_new_script_until_keepalived_has_read_its_former_file(tmp_path: Path) -> None:
    """Removed before, it would fail, and could take the VIPs from the node."""
    before, after = cluster(tmp_path, GOOD), with_options(tmp_path)
    had = {each.path for each in desired(before, before.preferred) if isinstance(each, File)}
    new = [each for each in desired(after, after.preferred) if isinstance(each, File) and each.path not in had]
    scripts = [each for each in new if each.path.startswith("/etc/keepalived/")]
    assert scripts
    assert all(isinstance(gone := each.as_observed(FileState("missing")), Gone) and gone.late for each in scripts)


@pytest.mark.parametrize(
    ("joined", "edit", "parts"),
    [
        ("lb3", ("port = 6443", "port = 6444"), True),  # they would send it no adverts
        ("lb2", ("port = 6443", "port = 6444"), False),
        ("lb2", ("router_id = 101", "router_id = 102"), True),
        ("", ("router_id = 101", "router_id = 102"), False),
    ],
)
def test_nodes_do_not_go_back_to_what_one_that_has_joined_would_not_hear(
    seed: Cluster, tmp_path: Path, joined: str, edit: tuple[str, str], parts: bool
) -> None:
    """It is new, and keeps what it got: both sides would hold the VIPs."""
    third = '[nodes.lb3]\nexternal = "192.168.0.13"\nmanagement = "192.168.1.13"\npriority = 50\n[vrrp]'
    after = cluster(tmp_path, GOOD.replace(*edit).replace("[vrrp]", third if joined == "lb3" else "[vrrp]"))
    halted: dict[str, Any] = {f"service {each}": stopped() for each in ("haproxy", "keepalived")}
    bare = halted | {f"file {KEEPALIVED_CONF}": FileState("missing")}
    seen = [
        observe(after, node, holds=node.name == "lb1", states=bare if node.name == joined else as_by(seed, node.name))
        for node in after.nodes
    ]
    found = survey(after, *seen)
    wanted = Wanted({node.name: desired(after, node) for node in after.nodes}, frozenset(found.seen))
    start = Start(found, wanted, found.plan)
    new = [joined] if joined else []
    assert would_part(after, start, new) is parts
    now = survey(after, *(observe(after, node, holds=node.name == "lb1") for node in after.nodes))
    rebooted = Start(now, wanted, now.plan, earlier=start.found)
    assert would_part(after, rebooted, new) is parts
