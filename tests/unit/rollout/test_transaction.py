"""The applying script: its text for any plan, and its tools, run by real shells on files here.

Of the commands that need a node only some are stood in for, by shell functions: systemctl, systemd-run, `ip addr`, and
who serves haproxy's socket.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import LONG_AGO, SEED, alone, as_by, cluster, has, observe, running, stopped, wanted_state
from clusters import GONE, leftovers
from goldens import GROUPS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symlink import Symlink

from lbdeploy.cli.report.printer import SHOWN
from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LockedError, RebootedError, RemoteError, RolledBackError
from lbdeploy.events import excerpt
from lbdeploy.node.drift import NodePlan, ResourceDiff, diff
from lbdeploy.node.remote import readable, remote_text
from lbdeploy.node.resources import File, Gone, Journal, Packages, ServerState, Service, Sysctl
from lbdeploy.node.resources.base import Answer, Resource
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import (
    HAPROXY_CFG,
    KEEPALIVED_CONF,
    KEEPALIVED_UNIT,
    desired,
    files,
)
from lbdeploy.rollout.progress import Progress
from lbdeploy.rollout.request import Origin
from lbdeploy.rollout.transaction import Task, Transaction

pytestmark = pytest.mark.terminal

SHELLS = ("dash", "bash")
DAEMONS = ("haproxy", "keepalived")
ME = Origin("20261123T092201.123Z", "ann@laptop (process 7)", "[cluster]\nname = 'new'")


def body(text: str) -> str:
    """What the unit on the node runs: the part of the script that is written to a file there."""
    nonce, inner = re.findall(r"<<'(\w+)'\n(.*?)\n\1\n", text, re.DOTALL)[0]
    assert f"\n{nonce}\n" not in inner
    return str(inner)


def steps(plan: NodePlan, **task: Any) -> str:
    """What the unit does: its script without the tools."""
    return body(Transaction(Task(plan, **task), ME).launch()).partition("\nbegin\n")[2]


# The text, for any plan

STATES: dict[type, list[Any]] = {
    File: [FileState("missing"), FileState("other"), FileState("file", "600", "a:b", 1.0, "old\n"), None],
    Packages: [PackageState({}), PackageState({"haproxy": "1"}, interrupted=True),
               PackageState(dict.fromkeys(("haproxy", "keepalived", "socat"), "1"), held=frozenset({"socat"})), None],
    Service: [ServiceState(), stopped(), running(newest=9e9), running(needs_daemon_reload=True), running(replaced=True),
              stopped(load="masked", enabled="masked"), None],
    Journal: [JournalState("1", "ann", "x", ended=False), None],
    ServerState: [FileState("missing"), FileState("file", "600", "root:root", 1.0, "garbage\n"), None],
    Gone: [{}, {"/etc/apt/apt.conf.d/lbdeploy": ("644", "old\n")}, None],
    str: ["0", None],
}  # fmt: skip


WAYS: list[dict[str, Any]] = [{}, {"confirm": 30, "linger": 3}, {"away": ("10.0.0.1", "fd00::1")}, {"rehearsal": True},
                              {"confirm": 30, "joins": True}]  # fmt: skip


@st.composite
def node_plans(draw: st.DrawFn, seed: Cluster) -> NodePlan:
    """The plan for a node in any state: of each resource as it should be, or one of many ways in which it is not."""
    node = seed.preferred
    states = {}
    for each in desired(seed, node):
        state = draw(st.sampled_from(STATES.get(type(each), STATES[str])))
        states[each.id] = wanted_state(each) if state is None else state
    return diff(desired(seed, node), observe(seed, node, states=states))


@given(st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_of_any_plan_is_valid_shell(seed: Cluster, data: st.DataObject) -> None:
    """Whatever has to be done, both the script and what it writes for the unit are accepted by every shell."""
    plan = data.draw(node_plans(seed))
    services = data.draw(st.sets(st.sampled_from(DAEMONS)))
    some = plan.only(lambda _, change: change.kind != "service" or change.name in services)
    who = data.draw(st.sampled_from(["me@host (process 1)", "it's me", "$(id)\n`id`"]))
    how = data.draw(st.sampled_from(WAYS))
    transaction = Transaction(Task(some, **how), Origin("1", who, "it's\n$(id)"))
    launch = transaction.launch()
    for each in (launch, body(launch), transaction.follow(3), transaction.follow(3, "confirm")):
        for shell in SHELLS:
            done = subprocess.run([shell, "-n"], check=False, capture_output=True, input=each.encode())
            assert (done.returncode, done.stderr) == (0, b"")


def test_a_service_without_its_changes_is_not_touched(seed: Cluster) -> None:
    """A service that is held back is neither started nor reloaded nor enabled; its files are written all the same."""
    states = {each.id: ServiceState() for each in desired(seed, seed.preferred) if isinstance(each, Service)}
    plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=states))
    text = steps(plan.only(lambda _, change: change.name != "keepalived"))
    assert "step start haproxy" in text
    assert "keepalived" not in re.sub(r"/etc/keepalived/\S+", "", text)


def test_the_point_of_a_script_is_what_is_shown_of_it(seed: Cluster) -> None:
    """With -vv and in the log: what lbdeploy has for every run is named, and what this one does fits an excerpt."""
    states = {each.id: PackageState({}) for each in desired(seed, seed.preferred) if isinstance(each, Packages)}
    plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=states))
    shown = readable(Transaction(Task(plan), ME).launch())
    for name in ("transaction", "commit", "original", "launch", "follow"):
        assert f"# ... lbdeploy/node/remote/{name}.sh\n" in shown
    assert "step 'apt-get install'" in excerpt(shown, SHOWN)


def test_what_is_as_wanted_is_not_touched(seed: Cluster) -> None:
    """A plan with one change has the commands of that change only."""
    states = {"sysctl net.ipv4.ip_nonlocal_bind": "0"}
    plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=states))
    text = steps(plan)
    assert "sysctl -q -w net.ipv4.ip_nonlocal_bind=1" in text
    assert not re.search(r"^(swap|validate|run systemctl|patiently) ", text, re.MULTILINE)


def test_clients_of_vips_that_change_their_virtual_router_are_reset(tmp_path: Path) -> None:
    """No state of keepalived changes then, and it runs nothing; elsewhere it does so by itself."""
    swapped = GROUPS.replace("= 101", "= 103").replace("= 102", "= 101").replace("= 103", "= 102")
    before, found = cluster(tmp_path, GROUPS), []
    for text in (swapped, GROUPS.replace("advert_interval = 1", "advert_interval = 2")):
        after = cluster(tmp_path, text)
        was = as_by(before, after.preferred.name)
        plan = diff(desired(after, after.preferred), observe(after, after.preferred, states=was))
        found.append((bool(plan.changes), "exec /etc/keepalived/tickle-clients moved" in steps(plan)))
    assert found == [(True, True), (True, False)]


def test_vips_that_come_with_a_change_go_with_its_undoing(tmp_path: Path) -> None:
    """Those alone, and after keepalived has its old file again: a killed one would leave them on the node."""
    before = cluster(tmp_path, SEED.read_text())
    after = cluster(tmp_path, SEED.read_text().replace('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.20/24"]'))
    back, gone = "undo_last 'systemctl reload-or-restart keepalived'", "vips_come 192.168.0.20"

    def found(wanted: Cluster, was: Cluster) -> tuple[bool, bool]:
        states = as_by(was, wanted.preferred.name)
        text = steps(diff(desired(wanted, wanted.preferred), observe(wanted, wanted.preferred, states=states)))
        return back in text, gone in text and text.index(back) < text.index(gone)

    assert (found(after, before), found(before, after)) == ((True, True), (True, False))


def test_systemd_reads_its_units_again_only_where_one_changed(seed: Cluster) -> None:
    """A changed drop-in, or one that systemd has not read, is followed by a daemon-reload; other changes are not."""
    drift = FileState("file", "644", "root:root", 1.0, "old")
    found = {}
    for state in ({f"file {KEEPALIVED_UNIT}": drift}, {"service haproxy": running(needs_daemon_reload=True)},
                  {f"file {HAPROXY_CFG}": drift}):  # fmt: skip
        plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=state))
        found[next(iter(state))] = "\nrun systemctl daemon-reload\n" in f"\n{steps(plan)}\n"
    assert list(found.values()) == [True, True, False]


# The tools, on files here


class Here:
    """A node of files below a folder, to which a plan is applied by a real shell."""

    def __init__(self, folder: Path, seed: Cluster) -> None:
        self.folder = folder
        self.node: Node = seed.preferred
        self.log = folder / "asked"
        self.state = folder / "state"
        self.units = folder / "units"
        self.run = folder / "run"
        self.handover = folder / "handover"
        (folder / "etc").mkdir()

    @property
    def generations(self) -> dict[str, Path]:
        return {path.name: path for path in sorted((self.state / "generations").glob("*"))}

    def path(self, name: str) -> Path:
        return self.folder / "etc" / name

    def kept(self, name: str, run: str = ME.id) -> Path:
        """Where the old content of a file is kept."""
        return Path(f"{self.state}/generations/{run}/files{self.path(name)}")

    def file(self, name: str, content: str, **settings: Any) -> File:
        return File(str(self.path(name)), content, **settings)

    def plan(self, *resources: Resource[Any], **states: Any) -> NodePlan:
        """The plan as the probes see this folder; services and settings are as given."""
        parts, changing = [], set[str]()
        for each in resources:
            state = self.look(each) if isinstance(each, File) else states[re.split(r"[ .,]+", each.id)[1]]
            changes = tuple(each.compare(state, changing))
            changing |= {change.name for change in changes if change.kind == "file"}
            parts.append(ResourceDiff(each, state, changes))
        return NodePlan(self.node, tuple(parts))

    def look(self, file: File) -> FileState:
        done = subprocess.run(["sh", "-c", alone(file)], check=False, capture_output=True)
        return file.read(Answer(done.stdout.decode(errors="surrogateescape"), done.returncode))

    def transaction(self, plan: NodePlan, origin: Origin = ME, **task: Any) -> Transaction:
        """One whose paths are all below this folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lbdeploy.rollout.transaction.RUN", str(self.run))
            return Transaction(Task(plan, **task), origin)

    def text(self, text: Callable[[], str], systemctl: str, more: str) -> str:
        """A script that works on this folder. `systemctl` is what it does after it was written down."""
        functions = f'systemctl() {{ printf "%s\\n" "$*" >> {self.log}; {systemctl}; }}\n{more}\n'
        functions += "" if os.geteuid() == 0 else "chown() { :; }\n"
        with pytest.MonkeyPatch.context() as patch:
            for name, path in (
                ("RUN", self.run),
                ("STATE", self.state),
                ("LOCK", self.run / "lock"),
                ("JOURNAL", self.state / "journal"),
                ("UNITS_FOLDER", self.units),
            ):
                patch.setattr(f"lbdeploy.rollout.transaction.{name}", str(path))
            patch.setattr("lbdeploy.rollout.transaction.HANDOVER", str(self.handover))
            made = text()
        assert "/var/lib/lbdeploy" not in made
        assert "/etc/systemd" not in made
        return made.replace("\nbegin\n", f"\n{functions}\nbegin\n", 1)

    def apply(
        self,
        plan: NodePlan,
        systemctl: str = ":",
        shell: str = "sh",
        *,
        more: str = "",
        decision: str = "confirm",
        origin: Origin = ME,
        **task: Any,
    ) -> Progress:
        """Run what the unit would run. `more` are functions besides; the decision is made once it is waited for."""
        transaction = self.transaction(plan, origin, **task)
        running = Path(f"{transaction.path}.sh")
        self.run.mkdir(exist_ok=True)
        running.write_text(self.text(lambda: body(transaction.launch()), systemctl, more))
        Path(f"{transaction.path}.hosts").write_text(origin.hosts + "\n")
        Path(transaction.log).touch()
        progress = Progress(self.node.name, lambda text: None)
        with subprocess.Popen([shell, running], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            for line in process.stdout or ():
                progress.line(line.rstrip("\n"))
                if progress.waits and decision:
                    Path(f"{transaction.path}.{decision}").touch()
                    decision = ""
        assert [path.name for path in self.run.glob("*.*")] == [Path(transaction.log).name]
        assert not list(self.folder.rglob("*.lbdeploy-new"))
        return progress

    def asked(self) -> list[str]:
        """What systemctl and its like were asked to do; not what they were asked to tell of the time before."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if not line.startswith("show -p LoadState,")]


@pytest.fixture
def here(tmp_path: Path, seed: Cluster) -> Here:
    return Here(tmp_path, seed)


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_put_in_place(here: Here, shell: str) -> None:
    """New, changed and wrongly readable files, and one in place of a symlink, become what they should be."""
    here.path("changed").write_text("old")
    here.path("open").write_text("same\n")
    here.path("open").chmod(0o666)
    here.path("link").symlink_to("changed")
    wanted = [
        here.file("new/below/file", "new\n", mode="755"),
        here.file("changed", "it's new: $(id) `id` \\n %s\n\n"),
        here.file("open", "same\n", mode="600"),
        here.file("link", "no link\n"),
    ]
    plan = here.plan(*wanted)
    progress = here.apply(plan, shell=shell)
    assert (progress.exit, progress.error(plan), progress.output) == (0, None, [])
    for file in wanted:
        state = here.look(file)
        assert (state.kind, state.content, state.mode) == ("file", file.content, file.mode)
    assert here.path("changed").read_text() != "no link\n"


def test_what_was_there_is_kept(here: Here) -> None:
    """The old content of a file is kept by its path, where only root can read it."""
    here.path("file").write_text("old")
    here.path("file").chmod(0o640)
    here.apply(here.plan(here.file("file", "new")))
    kept = here.kept("file")
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("old", 0o640)
    assert here.state.stat().st_mode & 0o777 == 0o700


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@given(texts)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content_is_written_exactly(seed: Cluster, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """What a template renders to arrives on the node to the last byte."""
    here = Here(tmp_path_factory.mktemp("here"), seed)
    here.apply(here.plan(here.file("file", text)))
    assert here.path("file").read_bytes() == text.encode()


def test_a_validator_sees_the_new_content_before_it_is_in_place(here: Here) -> None:
    """The staged file is what is validated, while the old one is still there."""
    here.path("file").write_text("old")
    check = Raw(f'grep -q new "$1" && grep -q old {here.path("file")}')
    progress = here.apply(here.plan(here.file("file", "new\n", validate=check)))
    assert progress.exit == 0
    assert here.path("file").read_text() == "new\n"


BEFORE = {"first": "first", "third": "third"}


def broken(here: Here, validate: str) -> NodePlan:
    """Three files of which the last does not pass: one changes, one is created, one takes a symlink's place."""
    for name, content in BEFORE.items():
        here.path(name).write_text(content)
        here.path(name).chmod(0o640)
    here.path("link").symlink_to("third")
    here.path("dangling").symlink_to("nowhere")
    return here.plan(
        here.file("first", "new first\n"),
        here.file("second", "new second\n"),
        here.file("link", "no link\n"),
        here.file("dangling", "no link\n"),
        here.file("third", "new third\n", validate=Raw(validate)),
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("validate", "reason"),
    [
        ('echo "$1: line 1: oops" >&2; exit 5', "{path}: line 1: oops"),
        ('echo "$1: only a warning"', "{path}: only a warning"),
        ("exit 3", "validator of {path} failed"),
    ],
)
def test_a_file_that_does_not_pass_leaves_everything_as_it_was(
    here: Here, shell: str, validate: str, reason: str
) -> None:
    """When a validator refuses a file, or only warns, the files before it are restored, and the reason is told."""
    plan = broken(here, validate)
    progress = here.apply(plan, shell=shell)
    assert (progress.restored, progress.exit) == (True, 1)
    error = progress.error(plan)
    assert isinstance(error, RolledBackError)
    path = here.path("third")
    assert error.message == f"validate {path}: {reason.format(path=path)}"
    assert {name: here.path(name).read_text() for name in BEFORE} == BEFORE
    assert here.path("first").stat().st_mode & 0o777 == 0o640
    assert not here.path("second").exists()
    assert here.path("link").readlink() == Path("third")
    assert here.path("dangling").readlink() == Path("nowhere")


def test_the_first_file_that_does_not_pass_changes_nothing(here: Here) -> None:
    """Where nothing was changed yet, nothing is undone, and the error says that nothing was touched."""
    here.path("file").write_text("old")
    plan = here.plan(here.file("file", "new", validate=Raw("false")))
    progress = here.apply(plan)
    assert (progress.restored, progress.exit, here.asked()) == (None, 1, [])
    assert here.path("file").read_text() == "old"
    assert (here.generations, (here.state / "undo").exists()) == ({}, False)
    error = progress.error(plan)
    assert isinstance(error, RemoteError)
    assert error.state == "its files and services were not touched"


def keepalived(here: Here) -> Service:
    return Service("keepalived", watches=(str(here.path("conf")),))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("clock", "touched"), [("echo 1000", True), ("command date +%s", False)], ids=["back", "right"]
)
def test_a_file_from_the_future_gets_the_present_time_before_a_reload(
    here: Here, shell: str, clock: str, touched: bool
) -> None:
    """The node's clock was set back: no load would be late enough for that file. Others keep their times."""
    conf = here.path("conf")
    conf.write_text("same\n")
    os.utime(conf, (500.0, 500.0))
    plan = here.plan(here.file("conf", "same\n"), keepalived(here), keepalived=running(newest=2000.0, loaded=900.0))
    assert here.apply(plan, shell=shell, more=f"date() {{ {clock}; }}").exit == 0
    assert here.asked()[0] == "reload keepalived"
    assert (conf.stat().st_mtime > 500.0) is touched


@pytest.mark.parametrize("shell", SHELLS)
def test_a_service_that_does_not_come_back_gets_its_old_file(here: Here, shell: str) -> None:
    """When a service does not run after its reload, it reloads again with the file that it had before."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    see = f'case $1 in reload*) cat {here.path("conf")} >> {here.log} ;; esac; [ "$1" != is-active ]'
    progress = here.apply(plan, systemctl=see, shell=shell)
    assert here.asked() == [
        "reload keepalived",
        "new",
        "is-active --quiet keepalived",
        "daemon-reload",
        "reload-or-restart keepalived",
        "old",
    ]
    assert isinstance(progress.error(plan), RolledBackError)
    assert here.path("conf").read_text() == "old\n"


def test_a_service_that_did_not_run_is_stopped_again(here: Here) -> None:
    """A service that was started, and does not run, is as before when it is stopped."""
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=stopped())
    progress = here.apply(plan, systemctl='[ "$1" != is-active ]')
    assert here.asked() == [
        "reset-failed keepalived",
        "reload-or-restart keepalived",
        "is-active --quiet keepalived",
        "stop keepalived",
        "daemon-reload",
    ]
    assert progress.restored is True
    assert not here.path("conf").exists()


@pytest.mark.parametrize("systemctl", ["false", 'rm -rf {undo}; [ "$1" != is-active ]'])
def test_what_can_not_be_put_back_is_said(here: Here, systemctl: str) -> None:
    """When undoing fails, of a service or of a file, the error is no rollback, and says so."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    progress = here.apply(plan, systemctl=systemctl.format(undo=here.state / "undo"))
    assert (progress.restored, progress.exit) == (False, 1)
    error = progress.error(plan)
    assert type(error) is RemoteError
    assert error.exit_code == 1
    assert "not everything could be put back" in (error.state or "")


def test_a_run_that_is_ended_undoes_what_it_did(here: Here) -> None:
    """A SIGTERM in the middle, as of a shutdown, leaves the files as they were."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    progress = here.apply(plan, systemctl='[ "$1" != is-active ] || kill -TERM $$')
    assert (progress.restored, progress.exit) == (True, 1)
    assert here.path("conf").read_text() == "old\n"


def test_a_folder_in_a_files_place_is_not_thrown_away(here: Here) -> None:
    """Where a folder with something in it lies at a file's path, the run fails, and the folder is left alone."""
    here.path("conf").mkdir()
    here.path("conf/precious").write_text("x")
    plan = here.plan(here.file("conf", "new\n"))
    progress = here.apply(plan)
    assert progress.exit == 1
    assert here.path("conf/precious").read_text() == "x"
    assert progress.error(plan)


def test_an_empty_folder_in_a_files_place_gives_way(here: Here) -> None:
    """An empty folder at a file's path is replaced by the file."""
    here.path("conf").mkdir()
    assert here.apply(here.plan(here.file("conf", "new\n"))).exit == 0
    assert here.path("conf").read_text() == "new\n"
    assert here.apply(here.plan(here.file("conf", "newer\n"))).exit == 0
    assert here.path("conf").is_file()


def test_a_file_that_can_not_be_written_is_told(here: Here) -> None:
    """Where the folder can't be made, the run ends before anything is changed."""
    here.path("file").write_text("in the way")
    plan = here.plan(here.file("other", "x"), here.file("file/below", "x"))
    progress = here.apply(plan)
    assert progress.exit == 1
    assert not here.path("other").exists()
    error = progress.error(plan)
    assert error is not None
    assert "file" in error.message


def test_a_second_run_after_a_good_one_has_nothing_to_do(here: Here) -> None:
    """Applied once, the same plan is empty."""
    wanted = (here.file("a", "x"), here.file("b", "y\n", mode="755"))
    here.apply(here.plan(*wanted))
    if os.geteuid() == 0:
        assert here.plan(*wanted).changes == ()
    else:
        assert all(change.action == "chmod" for change in here.plan(*wanted).changes)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("decision", "target"), [("confirm", "new"), ("abandon", "old")])
def test_a_kind_that_only_a_test_has_is_applied_and_undone(here: Here, shell: str, decision: str, target: str) -> None:
    """Its steps are in the script as those of any kind."""
    here.path("link").symlink_to("old")
    link = Symlink(str(here.path("link")), "new")
    plan = NodePlan(here.node, (ResourceDiff(link, "old", tuple(link.compare("old", ()))),))
    progress = here.apply(plan, shell=shell, confirm=30, decision=decision)
    assert progress.restored is (True if decision == "abandon" else None)
    assert here.path("link").readlink() == Path(target)


# What is kept of a run


def test_everything_that_is_managed_is_kept_as_it_was_before(here: Here) -> None:
    """Also what this run does not change; a link as a link; what is not there is not there. So one can go back."""
    here.state.mkdir()
    (here.state / "hosts.toml").write_text("name = 'old'\n")
    here.path("changed").write_text("old")
    here.path("same").write_text("same\n")
    here.path("link").symlink_to("same")
    wanted = [here.file("changed", "new\n"), here.file("same", "same\n"), here.file("link", "x"), here.file("new", "x")]
    assert here.apply(here.plan(*wanted)).exit == 0
    folder = here.generations[ME.id]
    assert here.kept("changed").read_text() == "old"
    assert here.kept("same").read_text() == "same\n"
    assert here.kept("link").readlink() == Path("same")
    assert not here.kept("new").exists()
    assert (folder / "about").read_text() == f"{ME.about}\n"
    assert (folder / "hosts.toml").read_text() == "name = 'old'\n"
    assert (here.state / "hosts.toml").read_text() == f"{ME.hosts}\n"


def test_of_a_run_in_several_stages_the_first_before_image_is_kept(here: Here) -> None:
    """A node that is changed twice by a run goes back to before the first time."""
    here.path("conf").write_text("old\n")
    for content in ("new\n", "newer\n"):
        assert here.apply(here.plan(here.file("conf", content))).exit == 0
    assert list(here.generations) == [ME.id]
    assert here.kept("conf").read_text() == "old\n"
    assert not (here.state / "undo").exists()


def test_five_generations_are_kept(here: Here) -> None:
    """The latest ones; those before are forgotten."""
    for number in range(7):
        run = Origin(f"2026112{number}T000000.000Z", "ann", "x")
        here.apply(here.plan(here.file("conf", f"{number}\n")), origin=run)
    assert [name[7] for name in here.generations] == ["2", "3", "4", "5", "6"]
    assert here.kept("conf", "20261123T000000.000Z").read_text() == "2\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_node_counts_its_generations_whatever_time_a_laptop_has(here: Here, shell: str) -> None:
    """The earliest are forgotten, also where a later one has an earlier name; those without a number are the oldest."""
    for name in ("20261120T000000.000Z", "20991231T000000.000Z"):
        (here.state / "generations" / name / "files").mkdir(parents=True)
    names = [f"2026{month:02}01T000000.000Z" for month in (9, 1, 8, 2)]
    for name in names:
        here.apply(here.plan(here.file("conf", f"{name}\n")), origin=Origin(name, "ann", "x"), shell=shell)
    numbers = {name: (here.generations[name] / "number").read_text() for name in names}
    assert numbers == dict(zip(names, ("1\n", "2\n", "3\n", "4\n"), strict=True))
    assert set(here.generations) == {"20991231T000000.000Z", *names}


def test_a_run_that_changes_no_file_leaves_no_generation(here: Here) -> None:
    """There would be nothing to go back to."""
    plan = here.plan(keepalived(here), keepalived=stopped())
    assert here.apply(plan).exit == 0
    assert here.asked() == ["reset-failed keepalived", "reload-or-restart keepalived", "is-active --quiet keepalived"]
    assert here.generations == {}


def test_a_run_that_is_undone_leaves_no_generation(here: Here) -> None:
    """What was put back needs no keeping, and hosts.toml is the one that the files are made from."""
    here.state.mkdir()
    (here.state / "hosts.toml").write_text("old\n")
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"))
    assert here.apply(plan, decision="abandon", confirm=30).restored is True
    assert (here.generations, (here.state / "undo").exists()) == ({}, False)
    assert (here.state / "hosts.toml").read_text() == "old\n"


def test_versions_of_packages_are_recorded(here: Here) -> None:
    """So that the next run notices what others have upgraded meanwhile."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "dash", "tar"]
    here.apply(
        here.plan(Packages(("dash", "tar")), dash=PackageState({"dash": "0", "tar": "0"}, recorded={"tar": "1"}))
    )
    asked = subprocess.run(query, check=True, capture_output=True, text=True)
    assert (here.state / "packages").read_text() == asked.stdout


# What an interrupted run left


@pytest.mark.parametrize("shell", SHELLS)
def test_a_run_tidies_up_what_an_interrupted_one_left(here: Here, shell: str) -> None:
    """Staged files go, old logs go, and what there was before that run becomes a generation of its own."""
    for name in ("conf", "conf.lbdeploy-new", "other.lbdeploy-new"):
        here.path(name).write_text(f"{name} of the interrupted run\n")
    here.state.mkdir()
    kept = here.state / "undo/files"
    Path(f"{kept}{here.path('conf')}").parent.mkdir(parents=True)
    Path(f"{kept}{here.path('conf')}").write_text("before\n")
    (here.state / "undo/id").write_text("20260101T000000.000Z\n")
    (here.state / "undo/paths").write_text(f"{here.path('conf')}\n")
    (here.state / "journal").write_text(
        f"run 20260101T000000.000Z\nstaged {here.path('conf')}.lbdeploy-new\nstaged {here.path('other')}.lbdeploy-new\n"
        "step reload haproxy\n"
    )
    here.run.mkdir()
    (here.run / "0123.log").write_text("old\n")
    progress = here.apply(here.plan(here.file("conf", "new\n")), shell=shell)
    assert (progress.exit, progress.output) == (0, [])
    assert list(here.generations) == ["20260101T000000.000Z", ME.id]
    assert here.kept("conf", "20260101T000000.000Z").read_text() == "before\n"
    assert here.kept("conf").read_text() == "conf of the interrupted run\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_journal_tells_of_the_run_after_a_reboot(here: Here, shell: str) -> None:
    """Who it was, in which boot, what was staged, every step, and how it ended."""
    here.apply(here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running()), shell=shell)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (here.state / "journal").read_text().splitlines() == [
        f"run {ME.id}",
        f"about {ME.about}",
        f"boot {boot}",
        f"staged {here.path('conf')}.lbdeploy-new",
        "step write the files",
        "step reload keepalived",
        "kept",
        "exit 0",
    ]


def test_where_nothing_can_be_kept_nothing_is_changed(here: Here) -> None:
    """A state folder that can't be made, as on a full disk, ends the run before anything is touched."""
    here.state.write_text("in the way")
    plan = here.plan(here.file("conf", "new\n"))
    progress = here.apply(plan)
    assert progress.exit == 1
    error = progress.error(plan)
    assert error
    assert f"cannot write {here.state}/generations: its file system has" in error.message
    assert error.state == "its files and services were not touched"
    assert not here.path("conf").exists()


# Rehearsals


@pytest.mark.parametrize(("valid", "status"), [("true", 0), ("false", 1)])
def test_a_rehearsal_changes_nothing(here: Here, valid: str, status: int) -> None:
    """The files are validated beside their places, and go again; no service is touched, nothing is kept."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n", validate=Raw(valid)), here.file("new", "x"), keepalived(here),
                     keepalived=running())  # fmt: skip
    progress = here.apply(plan, rehearsal=True, confirm=30, away=("10.0.0.10",))
    assert (progress.exit, progress.restored, here.asked()) == (status, None, [])
    assert here.path("conf").read_text() == "old\n"
    assert not here.path("new").exists()
    assert (here.generations, (here.state / "hosts.toml").exists()) == ({}, False)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_rehearsal_lacks_nothing_that_the_run_brings(here: Here, shell: str) -> None:
    """A file may name one that is new as well: its validator finds that where it waits, and reports its real name."""
    new, conf = here.file("new", "yes\n"), here.file("conf", f"script {here.path('new')} here\nlast {here.path('new')}")
    found = Raw("""while read -r word path _; do [ "$(cat "$path")" = yes ] || echo "no $path"; done < "$1"
""")
    plan = here.plan(new, replace(conf, validate=found))
    assert here.apply(plan, shell=shell, rehearsal=True).exit == 0
    assert [path.name for path in here.path("conf").parent.glob("*lbdeploy-new*")] == []
    plan = here.plan(new, replace(conf, validate=Raw('cat "$1"')))
    progress = here.apply(plan, shell=shell, rehearsal=True)
    error = progress.error(plan)
    assert error
    assert "rehearsed" not in error.message


@pytest.mark.parametrize("after", ["ended", "boot"])
def test_a_rehearsal_that_is_killed_leaves_no_copies(here: Here, after: str) -> None:
    """systemd calls the script again; after a power cut, the next run removes what its journal has."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n", validate=Raw("true")))
    transaction = here.transaction(plan, rehearsal=True)
    here.run.mkdir()
    script = Path(f"{transaction.path}.sh")
    dies = 'if [ -z "$called" ]; then cp() { command cp "$@"; kill -KILL $$; }; fi'
    script.write_text(here.text(lambda: body(transaction.launch()), ":", dies))
    assert subprocess.run(["sh", script], check=False, capture_output=True).returncode == -signal.SIGKILL
    left = {path.name for path in here.folder.rglob("*lbdeploy-new*")}
    assert left == {"conf.lbdeploy-new", "conf.lbdeploy-new-rehearsed"}
    if after == "ended":
        subprocess.run(["sh", script, "ended"], check=False, capture_output=True)
    else:
        shutil.rmtree(here.run)
        assert here.apply(here.plan(here.file("other", "x\n"))).exit == 0
    assert [*here.folder.rglob("*lbdeploy-new*")] == []
    assert here.path("conf").read_text() == "old\n"


# Confirmation


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("decision", "status", "content"), [("confirm", 0, "new\n"), ("abandon", 1, "old\n"), ("", 1, "old\n")]
)
def test_a_change_stays_only_if_it_is_confirmed(
    here: Here, shell: str, decision: str, status: int, content: str
) -> None:
    """Otherwise, or if nobody says anything in time, the node undoes it, and its services read the old files again."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    clock = "uptime() { now=$((${now:-0} + 1)); }" if shell == "bash" else ""  # to wait for a second once is enough
    progress = here.apply(plan, shell=shell, decision=decision, confirm=30 if decision else 1, more=clock)
    assert (progress.exit, here.path("conf").read_text()) == (status, content)
    assert here.asked()[2:] == (["daemon-reload", "reload-or-restart keepalived"] if status else [])
    error = progress.error(plan)
    if status:
        assert isinstance(error, RolledBackError)
        told = "it was told to undo the change" if decision else "no confirmation came within 1 s"
        assert error.message == told
    else:
        assert error is None


def test_clients_are_reset_once_more_where_vips_go_back_to_their_virtual_router(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once keepalived has read its former file: it is the master of other VIPs there, and runs nothing."""
    monkeypatch.setattr("lbdeploy.rollout.transaction.regrouped", lambda _: frozenset({"10.0.0.10"}))
    monkeypatch.setattr("lbdeploy.rollout.transaction.TICKLE_CLIENTS", "/bin/true")
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    resets = f'systemd-run() {{ echo "reset by $(cat {here.path("conf")})" >> {here.log}; }}'
    assert here.apply(plan, shell="bash", decision="abandon", confirm=30, more=resets).restored is True
    assert [each for each in here.asked() if each.startswith(("re", "daemon"))] == [
        "reload keepalived", "reset by new", "daemon-reload", "reload-or-restart keepalived", "reset by old"
    ]  # fmt: skip


def test_nobody_waits_for_a_laptop_whose_lock_is_gone(here: Here) -> None:
    """The lock's file is there, and nobody holds it: the change is undone long before its time is over."""
    here.run.mkdir()
    (here.run / "lock").touch()
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"))
    progress = here.apply(plan, decision="", confirm=300, linger=0)
    assert (progress.undecided, progress.restored) == ("unconfirmed", True)


def test_as_long_as_the_laptop_holds_its_lock_it_is_waited_for(here: Here) -> None:
    """The whole time that was given, whatever `linger` says."""
    here.run.mkdir()
    plan = here.plan(here.file("conf", "new\n"))
    with subprocess.Popen(["flock", here.run / "lock", "sh", "-c", "echo; read _"], stdin=-1, stdout=-1) as held:
        assert held.stdout
        assert held.stdin
        held.stdout.readline()
        slow = 'sleep() { command sleep 0.05; count=$((${count:-0} + 1)); [ "$count" -lt 4 ] || : > "$run.confirm"; }'
        progress = here.apply(plan, decision="", confirm=300, linger=0, more=slow)
        held.stdin.close()
    assert (progress.exit, progress.undecided) == (0, None)


# A run that is killed, one whose node starts again, and what is on the disk when


class Unfinished:
    """A run whose processes get SIGKILL when it calls a shell function, and what is left of it."""

    def __init__(self, here: Here, shell: str, at: str, decision: str, *, tools: bool = False) -> None:
        here.path("conf").write_text("old\n")
        wanted = here.file("conf", "new\n"), here.file("new", "x\n"), keepalived(here)
        self.here, self.shell = here, shell
        self.plan = here.plan(*wanted, keepalived=running())
        given = (GIVEN, remote_text("agree.sh")) if tools else ()
        transaction = here.transaction(self.plan, confirm=30, tools=given)
        self.script = Path(f"{transaction.path}.sh")
        here.run.mkdir()
        at = f'if [ -z "$called" ]; then\n{at}\nfi'
        self.script.write_text(here.text(lambda: body(transaction.launch()), ":", at))
        Path(f"{transaction.path}.hosts").write_text(ME.hosts + "\n")
        if decision:
            Path(f"{transaction.path}.{decision}").touch()
        self.said = self.call("", -signal.SIGKILL)

    def call(self, what: str, code: int, script: Path | None = None) -> str:
        argv = [self.shell, script or self.script, *([what] if what else [])]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        assert done.returncode == code
        return done.stdout

    def ended(self, code: int) -> Progress:
        """What is told after systemd has called the script again; nothing of the run is left then."""
        progress = Progress(self.here.node.name, lambda text: None)
        for line in (self.said + self.call("ended", code)).splitlines():
            progress.line(line)
        assert list(self.here.run.glob("*.*")) == []
        assert list(self.here.folder.rglob("*.lbdeploy-new")) == []
        assert not (self.here.state / "undo").exists()
        assert not any(path.is_file() or path.is_symlink() for path in self.here.units.rglob("*"))
        return progress

    def boots(self) -> None:
        """The node starts again: /run is empty, and systemd runs what is armed."""
        shutil.rmtree(self.here.run)
        (self.here.state / "undo/boot").write_text("an earlier boot\n")
        self.call("boot", 0, self.here.state / "undo/script")
        assert not (self.here.state / "undo").exists()
        assert not any(path.is_file() or path.is_symlink() for path in self.here.units.rglob("*"))


UNDONE = {
    "as a file is swapped": ("mv() { case $* in *lbdeploy-new*) kill -KILL $$ ;; *) command mv $* ;; esac; }", ""),
    "as a service reloads": ("systemctl() { [ $1 != reload ] || kill -KILL $$; }", ""),
    "as it waits": ("sleep() { kill -KILL $$; }", ""),
    "before the change is certain to be kept": ("record() { kill -KILL $$; }", "confirm"),
    "as it undoes": ("secure() { kill -KILL $$; }", "abandon"),
    "as it says that it has undone": ('record() { printf "%s\n" $1 >> $state/journal; kill -KILL $$; }', "abandon"),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("moment", UNDONE)
def test_a_run_that_is_killed_is_undone(here: Here, shell: str, moment: str) -> None:
    """At whatever moment: systemd calls the script again, which puts back what there was, and says so."""
    run = Unfinished(here, shell, *UNDONE[moment])
    progress = run.ended(1)
    assert (progress.undecided, progress.restored, progress.exit) == ("killed", True, 1)
    assert here.path("conf").read_text() == "old\n"
    assert not here.path("new").exists()
    assert isinstance(progress.error(run.plan), RolledBackError)
    assert here.generations == {}


KEPT = {
    "as it forgets how to undo": "commit() { kill -KILL $$; }",
    "as it says that it has ended": 'record() { echo "$*" >> $state/journal; [ $1 != exit ] || kill -KILL $$; }',
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("moment", KEPT)
def test_a_run_that_is_killed_once_its_change_is_kept_is_completed(here: Here, shell: str, moment: str) -> None:
    """From then on nothing is undone: what is left to do is done when systemd calls the script again."""
    run = Unfinished(here, shell, KEPT[moment], "confirm")
    assert run.ended(0).error(run.plan) is None
    assert here.path("conf").read_text() == "new\n"
    assert (here.state / "hosts.toml").read_text() == f"{ME.hosts}\n"
    assert here.kept("conf").read_text() == "old\n"
    assert (here.state / "journal").read_text().splitlines()[-2:] == ["kept", "exit 0"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("at", "decision", "conf", "last"),
    [
        (*UNDONE["as it waits"], "old\n", ["restored", "exit 1"]),
        (*UNDONE["before the change is certain to be kept"], "old\n", ["restored", "exit 1"]),
        (KEPT["as it forgets how to undo"], "confirm", "new\n", ["kept", "exit 0"]),
    ],
)
def test_a_node_that_starts_again_undoes_what_was_not_kept(
    here: Here, shell: str, at: str, decision: str, conf: str, last: list[str]
) -> None:
    """And completes what was; also the hosts.toml of the run, which /run has no more, is kept then."""
    run = Unfinished(here, shell, at, decision)
    run.boots()
    assert here.path("conf").read_text() == conf
    assert here.path("new").exists() is (conf == "new\n")
    assert (here.state / "journal").read_text().splitlines()[-2:] == last
    assert (here.state / "hosts.toml").exists() is (conf == "new\n")
    assert list(here.generations) == ([ME.id] if conf == "new\n" else [])


def test_a_node_that_can_not_put_back_what_there_was_says_so_and_tries_again(here: Here) -> None:
    """Its disk is full as it starts: nothing claims that it is as before, and the next boot has all that it needs."""
    run = Unfinished(here, "sh", *UNDONE["as it waits"])
    script = here.state / "undo/script"
    works = script.read_text()
    script.write_text(works.replace("\nbegin\n", "\ncp() { return 1; }\nbegin\n"))
    shutil.rmtree(here.run)
    (here.state / "undo/boot").write_text("an earlier boot\n")
    run.call("boot", 1, script)
    assert here.path("conf").read_text() == "new\n"
    assert (here.state / "journal").read_text().splitlines()[-2:] == ["await 30", "unrestored"]
    assert (here.units / "multi-user.target.wants/lbdeploy-undo.service").exists()
    script.write_text(works)
    run.boots()
    assert here.path("conf").read_text() == "old\n"
    assert (here.state / "journal").read_text().splitlines()[-2:] == ["restored", "exit 1"]


@pytest.mark.parametrize("moment", ["cp() { kill -KILL $$; }", "mv() { kill -KILL $$; }"])
def test_a_copy_of_what_there_was_that_was_cut_short_is_no_generation(here: Here, moment: str) -> None:
    """Power was lost before anything was changed: what is kept may be empty, and a rollback must not offer it."""
    run = Unfinished(here, "sh", moment, "")
    assert here.path("conf").read_text() == "old\n"
    shutil.rmtree(here.run)
    assert here.apply(run.plan, origin=replace(ME, id="later"), confirm=30).exit == 0
    assert list(here.generations) == ["later"]
    assert here.kept("conf", "later").read_text() == "old\n"


def test_a_run_that_is_killed_before_it_has_begun_has_touched_nothing(here: Here) -> None:
    """systemd calls the script again, and there is nothing to undo."""
    plan = here.plan(here.file("conf", "new\n"))
    transaction = here.transaction(plan)
    here.run.mkdir()
    script = Path(f"{transaction.path}.sh")
    script.write_text(here.text(lambda: body(transaction.launch()), ":", ""))
    done = subprocess.run(["sh", script, "ended"], check=True, capture_output=True, text=True)
    assert done.stdout == "@@lbdeploy exit 1\n"
    assert list(here.run.glob("*.*")) == []


def test_what_is_reported_is_on_the_disk(here: Here) -> None:
    """Files, then their folders, journal, disarmed repair, generation, and the journal again, in this order."""
    here.path("conf").write_text("old\n")
    events = here.folder / "events"
    more = (
        f'sync() {{ shift; printf "sync %s\\n" "$*" >> {events}; command sync -- "$@"; }}\n'
        f'rm() {{ printf "rm %s\\n" "$*" >> {events}; command rm "$@"; }}\n'
        'printf() { command printf "$@"; [ "$2" != "$mark" ] || '
        f'command printf "told %s\\n" "$3" >> {events}; }}\n'
    )
    assert here.apply(here.plan(here.file("conf", "new\n")), shell="bash", more=more, confirm=30).exit == 0
    told = events.read_text().splitlines()
    after = told[told.index("told confirmed") + 1 :]
    conf, folder = str(here.path("conf")), str(here.path("conf").parent)
    wants = here.units / "multi-user.target.wants"
    order = [
        next(index for index, each in enumerate(after) if wanted(each))
        for wanted in (
            lambda each: each == f"sync {conf}",
            lambda each: each.startswith("sync") and folder in each.split() and conf not in each.split(),
            lambda each: each == f"sync {here.state}/journal {here.state}",
            lambda each: each == "told kept",
            lambda each: each.startswith("rm") and "lbdeploy-undo.service" in each,
            lambda each: each == f"sync {wants} {here.units}",
            lambda each: each.startswith("sync") and each.split()[1].endswith("/number"),
            lambda each: each.startswith("sync") and f"{here.state}/generations" in each.split(),
            lambda each: each == "told exit 0",
        )
    ]  # fmt: skip
    assert order == sorted(order)
    assert after[order[-1] - 1] == f"sync {here.state}/journal {here.state}"


def test_what_can_not_be_written_to_the_disk_is_undone(here: Here) -> None:
    """A disk that fails keeps nothing: the change is not reported as kept."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"))
    fails = 'sync() { case $* in *" $managed") [ -e "$kept/fine" ] || { : > "$kept/fine"; return 1; } ;; esac; }'
    progress = here.apply(plan, more=fails, confirm=30)
    assert (progress.failed, progress.restored, progress.exit) == ("sync", True, 1)
    assert here.path("conf").read_text() == "old\n"


# Agreement of peers: what agree.pl hears is given


GIVEN = "program=x heeds=x peers=lb2 agree_seconds=3 boot_seconds=3"
LATER = "99999999999"  # after any moment


def hearing(*lines: str) -> str:
    """What stands in for agree.pl: it has heard this as soon as it runs."""
    told = " ".join(map(repr, ("1 hears all", *lines)))
    hears = f'perl() {{ printf "%s\\n" {told} > $run.heard; exec sleep 60 > /dev/null; }}'
    return f'{hears}\nhush() {{ [ -z "$hears" ] || kill -KILL "$hears"; }} 2> /dev/null'


def agreeing(
    here: Here, heard: str, decision: str = "", more: str = "", *, confirm: int = 5, given: str = GIVEN
) -> Progress:
    """A change on which peers must agree."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"))
    tools = (given, remote_text("agree.sh"))
    return here.apply(plan, more=f"{heard}\n{more}", decision=decision, confirm=confirm, tools=tools)


GO = 'tell() { [ "$1" != ready ] || : > "$run.go"; printf "%s %s\\n" "$mark" "$*"; }'
LOSES_THE_LAPTOP = "laptop_gone() { :; }"


@pytest.mark.parametrize(
    ("heard", "more", "taken"),
    [((), GO, True), ((f"{LATER} goes lb2",), LOSES_THE_LAPTOP, True), ((f"{LATER} waits lb2",), "", True),
     ((f"{LATER} ready lb2",), LOSES_THE_LAPTOP, False)],
)  # fmt: skip
def test_the_step_on_which_peers_must_agree_is_taken_by_all_or_none(
    here: Here, heard: tuple[str, ...], more: str, taken: bool
) -> None:
    """Once the laptop says that all are ready, or a peer takes it; not by one alone, where the laptop is gone."""
    here.path("conf").write_text("old\n")
    wanted = here.file("conf", "new\n"), keepalived(here)
    plan = here.plan(*wanted, keepalived=running())
    tools = (GIVEN, remote_text("agree.sh"))
    confirmed = 'peer_kept() { [ -e "$run.go" ] || heard goes 0 || heard waits 0; }'
    progress = here.apply(
        plan, more=f"{hearing(*heard)}\n{more}\n{confirmed}", decision="", confirm=5, tools=tools, together=True
    )
    assert (progress.exit, progress.restored) == ((0, None) if taken else (1, True))
    reloads = [each for each in here.asked() if "keepalived" in each and "load" in each]
    assert len(reloads) == 1  # here, or as the files are put back
    assert here.path("conf").read_text() == ("new\n" if taken else "old\n")
    assert ("keepalived" in progress.step) is taken
    if not taken:
        error = progress.error(plan)
        assert isinstance(error, RolledBackError)
        assert "ready for the step on which all nodes must agree" in error.message


def test_what_a_peer_has_kept_is_kept_without_the_laptop(here: Here) -> None:
    """Also where its lock is gone: a confirmation for one is one for all."""
    here.run.mkdir()
    (here.run / "lock").touch()
    progress = agreeing(here, hearing(f"{LATER} kept lb2"))
    assert (progress.kept, progress.agrees, progress.exit) == (True, True, 0)
    assert here.path("conf").read_text() == "new\n"


@pytest.mark.parametrize("heard", ["undone lb2", "old 10.0.0.2"])
def test_what_a_peer_has_undone_is_undone_after_it_was_kept(here: Here, heard: str) -> None:
    """It says so, or speaks as before: then this node goes back, too, and claims nothing else."""
    later = f'tell() {{ [ "$1" != agree ] || echo {LATER} {heard} > $run.heard; printf "%s %s\\n" "$mark" "$*"; }}'
    progress = agreeing(here, hearing(), "confirm", later)
    assert (progress.kept, progress.restored, progress.exit) == (False, True, 1)
    assert (progress.undecided, progress.dissenter) == ("disagreed", heard.split()[1])
    assert here.path("conf").read_text() == "old\n"
    assert {"kept", "undoing", "restored"} <= set((here.state / "journal").read_text().splitlines())


def test_what_a_peer_has_undone_is_not_waited_for(here: Here) -> None:
    """Long before the time for a confirmation is over."""
    began = time.monotonic()
    progress = agreeing(here, hearing(f"{LATER} undone lb2"), confirm=60)
    assert (progress.kept, progress.restored, progress.dissenter) == (False, True, "lb2")
    assert time.monotonic() - began < 40


def test_a_node_whose_peer_needs_it_undoes_its_change_only_once_that_is_back(here: Here) -> None:
    """Also where it is told to: the former holder must be heard with the old configuration, and has the VIPs then."""
    slept = here.folder / "slept"
    waits = f"""
echo 60 > "$run.linger"
sleep() {{
    printf '%s, %s\\n' "$(cat "$run.says")" "$(cat {here.path("conf")})" >> {slept}
    command sleep 0.2
    if grep -q undone "$run.says"; then echo {LATER} old 10.0.0.1 > "$run.heard"; fi
}}"""
    progress = agreeing(here, hearing(), "abandon", waits)
    assert (progress.undecided, progress.restored, progress.exit) == ("abandoned", True, 1)
    assert slept.read_text().splitlines()[-1] == "undone, new"
    assert here.path("conf").read_text() == "old\n"


def test_whoever_goes_deaf_before_the_step_does_not_take_it(here: Here) -> None:
    """As where the kernel has no memory left for perl: peers would take its silence for an end."""
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    tools = (GIVEN, remote_text("agree.sh"))
    dies = 'step() { [ "$*" != "write the files" ] || { kill -KILL "$hears"; wait "$hears" || :; }; tell step "$@"; }'
    progress = here.apply(plan, more=f"{hearing()}\n{dies}", decision="confirm", confirm=5, tools=tools)
    assert (progress.failed, progress.exit) == ("listen", 1)
    assert "any more: perl, which did, has ended" in "\n".join(progress.output)
    assert [each for each in here.asked() if each.startswith("reload ")] == []


@pytest.mark.parametrize("shell", SHELLS)
def test_what_fails_before_anything_was_said_to_peers_ends_as_elsewhere(here: Here, shell: str) -> None:
    """It listens by then, and has nothing to take back: the reason is told, and nothing is left over."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n", validate=Raw("echo it objects")))
    tools = (GIVEN, remote_text("agree.sh"))
    listens = hearing().partition("\n")[0]
    progress = here.apply(plan, shell=shell, more=listens, confirm=5, tools=tools)
    assert (progress.failed, progress.undecided, progress.exit) == (f"validator of {here.path('conf')}", None, 1)
    assert (here.state / "journal").read_text().splitlines()[-1] == "exit 1"
    assert list(here.run.glob("*.heard")) == []


def test_who_has_heard_that_a_peer_has_undone_its_change_does_not_take_the_step(here: Here) -> None:
    """Also where it need not wait for others to be ready: alone, it would not be heard by anybody."""
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    tools = (GIVEN, remote_text("agree.sh"))
    progress = here.apply(plan, more=hearing(f"{LATER} undone lb2"), decision="confirm", confirm=5, tools=tools)
    assert (progress.undecided, progress.dissenter, progress.exit) == ("disagreed", "lb2", 1)
    assert [each for each in here.asked() if each.startswith("reload ")] == []


def test_who_has_heard_that_a_peer_has_let_go_of_the_vips_does_not_take_the_step(here: Here) -> None:
    """It was to have them meanwhile; keepalived begins anew as BACKUP, so nobody would (chaos seed 140294)."""
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    tools = (GIVEN, remote_text("agree.sh"))
    progress = here.apply(plan, more=hearing("7 left 10.0.0.2"), decision="confirm", confirm=5, tools=tools)
    assert (progress.failed, progress.exit) == ("standby", 1)
    assert "the node at 10.0.0.2, which was to have the VIPs meanwhile, has let go" in "\n".join(progress.output)
    assert [each for each in here.asked() if each.startswith("reload ")] == []


def test_adverts_of_a_peer_that_is_not_changed_yet_are_no_objection(here: Here) -> None:
    """As long as nobody has confirmed anything, peers with the old configuration are still to be changed."""
    progress = agreeing(
        here, hearing("1 old 10.0.0.2"), "", 'peer_kept() { uptime; [ "$now" -ge $((deadline - 3)) ]; }'
    )
    assert (progress.undecided, progress.exit) == (None, 0)


def test_a_peer_that_is_not_heard_is_watched_for_a_while(here: Here) -> None:
    """It may be off, and asks before it speaks; or the laptop says that it has kept the change, too."""
    assert agreeing(here, hearing(), "confirm").exit == 0
    here.path("conf").write_text("old\n")
    told = 'tell() { [ "$1" != agree ] || : > "$run.agreed"; printf "%s %s\\n" "$mark" "$*"; }'
    began = time.monotonic()
    given = GIVEN.replace("agree_seconds=3", "agree_seconds=60")
    assert agreeing(here, hearing(), "confirm", told, given=given).exit == 0
    assert time.monotonic() - began < 40


def test_a_node_whose_peers_came_to_their_end_without_it_follows_them(here: Here) -> None:
    """It was paused as they said that they keep the change: they will not undo it any more, so nor does this node."""
    progress = agreeing(here, hearing(f"{LATER} ended 10.0.0.2"))
    assert (progress.kept, progress.undecided, progress.exit) == (True, None, 0)
    assert here.path("conf").read_text() == "new\n"


def test_a_node_that_was_paused_listens_again_before_its_time_is_over(here: Here) -> None:
    """A peer that has undone its change meanwhile does not say so any more, but speaks as before."""
    paused = f"""
jump=0 watching=''
uptime() {{ read -r now _ < /proc/uptime; now=$((${{now%.*}} + jump)); }}
tell() {{ [ "$1" != agree ] || watching=yes; printf "%s %s\\n" "$mark" "$*"; }}
sleep() {{
    command sleep 0.2
    if [ "$jump" != 0 ]; then echo {LATER} old 10.0.0.2 > "$run.heard"; fi
    if [ "$watching" ]; then jump=1000; fi
}}"""
    progress = agreeing(here, hearing(), "confirm", paused)
    assert (progress.undecided, progress.restored, progress.exit) == ("disagreed", True, 1)


BOOTS = {
    ("waits", ""): "old\n", ("waits", "old 10.0.0.2"): "old\n", ("waits", "undone lb2"): "old\n",
    ("waits", "kept lb2"): "new\n", ("waits", "new 10.0.0.2"): "new\n",
    ("kept", ""): "new\n", ("kept", "old 10.0.0.2"): "old\n", ("kept", "new 10.0.0.2"): "new\n",
}  # fmt: skip


@pytest.mark.parametrize(("state", "heard"), BOOTS)
def test_a_node_that_starts_again_follows_whom_it_hears(here: Here, state: str, heard: str) -> None:
    """Before its daemons start; where it hears nobody, what it had kept stays, and nothing else does."""
    at = "laptop_gone() { kill -KILL $$; }" if state == "waits" else 'tell() { [ "$1" != agree ] || kill -KILL $$; }'
    run = Unfinished(here, "sh", f"{hearing()}\n{at}", "confirm" if state == "kept" else "", tools=True)
    script = here.state / "undo/script"
    started = f"systemd_run() {{ echo started >> {here.log}; }}\n{hearing(f'{LATER} {heard}')}\nkill() {{ :; }}"
    script.write_text(
        script.read_text().replace("systemd-run --", "systemd_run --").replace("\nbegin\n", f"\n{started}\nbegin\n")
    )
    shutil.rmtree(here.run)
    (here.state / "undo/boot").write_text("an earlier boot\n")
    run.call("boot", 0, script)
    assert here.path("conf").read_text() == BOOTS[state, heard]
    stays = BOOTS[state, heard] == "new\n"
    assert ("started" in here.asked()) is stays  # it goes on waiting, or watching
    assert (here.state / "undo").exists() is stays


@pytest.mark.parametrize(
    ("perl", "why"),
    [
        (":", "perl works, but could open no socket for it as root"),
        ("return 1", "perl does not work; repair perl-base there"),
        ("exec /bin/sleep 5", "perl has not begun within 1 s; see uptime there"),
    ],
)
def test_a_node_that_can_not_listen_refuses(here: Here, perl: str, why: str) -> None:
    """It would not hear that a peer has undone the change. Why is checked: nothing of perl, no socket, a busy node."""
    progress = agreeing(here, f"late=1\nperl() {{ {perl}; }}\nhush() {{ :; }}")
    assert (progress.failed, progress.restored) == ("listen", True)
    assert progress.output[-1] == f"could not listen to the other nodes: {why}"


def test_a_node_that_lost_its_power_before_it_waited_asks_nobody(here: Here) -> None:
    """It undoes what it had begun, whatever its peers speak."""
    run = Unfinished(here, "sh", f"{hearing()}\nprepare() {{ kill -KILL $$; }}", "", tools=True)
    run.boots()
    assert here.path("conf").read_text() == "old\n"


@pytest.mark.parametrize(
    ("heard", "conf", "last"), [("kept lb2", "new\n", "exit 0"), ("undone lb2", "old\n", "exit 1")]
)
def test_a_node_that_goes_on_waiting_after_a_start_ends_as_its_peer_does(
    here: Here, heard: str, conf: str, last: str
) -> None:
    """It knows how to undo its change, also after a reboot."""
    run = Unfinished(here, "sh", f"{hearing()}\nlaptop_gone() {{ kill -KILL $$; }}", "", tools=True)
    script = here.state / "undo/script"
    script.write_text(script.read_text().replace("\nbegin\n", f"\n{hearing(f'{LATER} {heard}')}\nbegin\n"))
    shutil.rmtree(here.run)
    here.run.mkdir()
    run.call("resume", int(last[-1]), script)
    assert here.path("conf").read_text() == conf
    assert (here.state / "journal").read_text().splitlines()[-1] == last
    assert not (here.state / "undo").exists()


# haproxy's takeover, and the handover of the VIPs

QUICK = "sleep() { :; }\njournalctl() { echo '[ALERT] cannot bind'; }\n"


def haproxy(here: Here) -> Service:
    return Service("haproxy", watches=(str(here.path("cfg")),))


@pytest.mark.parametrize("shell", SHELLS)
def test_haproxy_must_answer_with_another_process_after_a_reload(here: Here, shell: str) -> None:
    """The worker that answers before is not the one that answers afterwards."""
    worker = here.folder / "worker"
    worker.write_text("100\n")
    plan = here.plan(here.file("cfg", "new\n"), haproxy(here), haproxy=running())
    progress = here.apply(
        plan, f'[ "$1" != reload ] || echo 200 > {worker}', shell, more=f"{QUICK}worker() {{ cat {worker}; }}"
    )
    assert (progress.exit, progress.step) == (0, "wait for haproxy to answer")


@pytest.mark.parametrize(
    ("state", "pid", "reason"),
    [
        (running(), "100", "haproxy did not accept the new configuration; the old process keeps running"),
        (stopped(), "", "haproxy does not answer on its socket"),
    ],
)
def test_a_haproxy_that_does_not_take_over_is_a_failure(here: Here, state: ServiceState, pid: str, reason: str) -> None:
    """A failed reload leaves the old worker at work, and systemd content. What haproxy logged is told."""
    here.path("cfg").write_text("old\n")
    plan = here.plan(here.file("cfg", "new\n"), haproxy(here), haproxy=state)
    progress = here.apply(plan, more=f"{QUICK}worker() {{ echo '{pid}'; }}")
    error = progress.error(plan)
    assert isinstance(error, RolledBackError)
    assert error.message == f"wait for haproxy to answer: [ALERT] cannot bind; {reason}"
    assert here.path("cfg").read_text() == "old\n"
    assert here.asked()[-2:] == (
        ["daemon-reload", "reload-or-restart haproxy"] if state.running else ["stop haproxy", "daemon-reload"]
    )


VIPS = ("10.0.0.10", "fd00::10")


def addresses(here: Here, gone: str) -> str:
    """`ip -o addr` of a node that has a VIP, until `gone` is true."""
    return f"ip() {{ {gone} || echo '2: eth0    inet6 fd00::10/64 scope global'; }}\nsleep() {{ :; }}"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_vips_are_given_up_before_anything_is_changed(here: Here, shell: str) -> None:
    """keepalived reads the file, and another node takes the VIPs; at the end the file says nothing any more."""
    seen = here.folder / "seen"
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running(replaced=True))
    progress = here.apply(
        plan,
        f"cat {here.handover} >> {seen}",
        shell,
        more=addresses(here, f'[ "$(cat {here.handover})" = -253 ]').replace("|| echo", "2> /dev/null || echo"),
        away=VIPS,
        away_seconds=30,
    )
    assert (progress.exit, here.handover.read_text()) == (0, "0\n")
    assert set(seen.read_text().split()) == {"-253"}
    assert here.asked()[0] == "reload keepalived"


def test_where_nobody_takes_the_vips_nothing_is_changed(here: Here) -> None:
    """A holder without a standby goes on holding."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"))
    progress = here.apply(plan, more=addresses(here, "false"), away=VIPS, away_seconds=1)
    error = progress.error(plan)
    assert error
    assert error.message == "wait for another node to take the VIPs: no other node took the VIPs within 1 s"
    assert error.state == "its files and services were not touched"
    assert (here.path("conf").read_text(), here.handover.read_text()) == ("old\n", "0\n")


def test_a_node_that_has_no_vip_waits_for_nobody(here: Here) -> None:
    """It gives up all the same, so that it takes none meanwhile; also when its change fails."""
    plan = here.plan(here.file("conf", "new\n", validate=Raw("false")))
    progress = here.apply(plan, more=addresses(here, "true"), away=VIPS, away_seconds=30)
    assert (progress.exit, here.handover.read_text()) == (1, "0\n")
    assert "VIPs" not in progress.step


def test_an_address_that_only_begins_like_a_vip_is_none(here: Here) -> None:
    """10.0.0.1 is not 10.0.0.10."""
    more = "ip() { echo '2: eth0    inet 10.0.0.100/24 scope global'; echo '3: x inet 110.0.0.10/8'; }"
    plan = here.plan(here.file("conf", "new\n"))
    assert here.apply(plan, more=more, away=VIPS, away_seconds=1).exit == 0


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("decision", "asked"), [("confirm", []), ("abandon", ["stop keepalived", "stop haproxy"])])
def test_a_node_that_joins_takes_no_vip_before_it_is_confirmed(
    here: Here, shell: str, decision: str, asked: list[str]
) -> None:
    """Also while it is being undone: keepalived is stopped before haproxy is, and the file says so to the very end."""
    seen = here.folder / "seen"
    here.handover.write_text("7\n")
    plan = here.plan(haproxy(here), keepalived(here), haproxy=stopped(), keepalived=stopped())
    see = f'case "$*" in "reload-or-restart keepalived" | stop*) cat {here.handover} >> {seen} ;; esac'
    more = f"{QUICK}worker() {{ grep -sx 'reload-or-restart haproxy' {here.log} || :; }}"
    progress = here.apply(plan, see, shell, more=more, decision=decision, confirm=30, joins=True)
    assert (progress.exit, here.handover.read_text()) == (1 if asked else 0, "7\n")
    assert [each for each in here.asked() if each.startswith("stop")] == asked
    assert seen.read_text().split() == ["-253"] * (1 + len(asked))


@pytest.mark.parametrize("left", ["-253", "-254", "101"])
def test_a_node_that_a_killed_run_left_aside_is_taken_back_in(here: Here, left: str) -> None:
    """By the next run, at its end: until then it goes on as it was found. What a handover has set stays."""
    here.handover.write_text(f"{left}\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    seen = here.folder / "seen"
    assert here.apply(plan, f"cat {here.handover} >> {seen}").exit == 0
    assert (set(seen.read_text().split()), here.handover.read_text()) == ({left}, "101\n" if left == "101" else "0\n")


# Kernel settings


def test_a_setting_is_put_back_when_the_run_fails(here: Here) -> None:
    """The latest change is undone first."""
    sysctl = f"sysctl() {{ printf 'sysctl %s\\n' \"$*\" >> {here.log}; }}"
    wanted = (Sysctl("a.b", "1"), Sysctl("c.d", "1"), keepalived(here))
    plan = here.plan(*wanted, a="0", c="2", keepalived=running(replaced=True))
    here.apply(plan, systemctl='[ "$1" != is-active ]', more=sysctl)
    assert here.asked()[:2] == ["sysctl -q -w a.b=1", "sysctl -q -w c.d=1"]
    assert here.asked()[-3:] == ["sysctl -q -w c.d=2", "sysctl -q -w a.b=0", "daemon-reload"]


# The launch, and how the run is followed


class Machine:
    """What stands in for systemd: one unit at a time, in the background, whose process is known."""

    def __init__(self, here: Here, shell: str) -> None:
        self.here = here
        self.shell = shell
        self.pid = here.folder / "pid"
        self.progress = Progress(here.node.name, lambda text: None)

    @property
    def systemctl(self) -> str:
        alive = f"grep -qs '^State:[^Z]*$' /proc/$(cat {self.pid} 2> /dev/null || echo none)/status"
        return (
            'case "$*" in *MainPID*) '
            f"if {alive}; then cat {self.pid}; else echo 0; fi ;; *ActiveState*) "
            f"if {alive}; then echo active; else echo inactive; fi ;; *Description*) echo 'lbdeploy: bob' ;; esac"
        )

    def tell(self, script: Callable[[], str], start: str = "") -> Progress:
        """Run a script, and read what it tells."""
        start = start or f'/bin/sh "$run.sh" >> "$log" 2>&1 & echo $! > {self.pid}'
        text = self.here.text(script, ":", "")
        functions = f"systemctl() {{ {self.systemctl}; }}\nsystemd_run() {{ {start}; }}\n"
        text = text.replace("systemd-run --", "systemd_run --").replace("timeout 30 systemctl", "systemctl")
        done = subprocess.run(
            [self.shell], check=False, capture_output=True, input=functions + text, text=True, timeout=20
        )
        assert done.stderr == ""
        for line in done.stdout.splitlines():
            self.progress.line(line)
        return self.progress


@pytest.fixture(params=SHELLS)
def machine(here: Here, request: pytest.FixtureRequest) -> Iterator[Machine]:
    return Machine(here, request.param)


def waiting(machine: Machine) -> Transaction:
    """One that has changed a file, and waits for a confirmation."""
    machine.here.path("conf").write_text("old\n")
    plan = machine.here.plan(machine.here.file("conf", "new\n"))
    transaction = machine.here.transaction(plan, confirm=20)
    progress = machine.tell(transaction.launch)
    assert (progress.waits, progress.awaiting, progress.output) == (True, 20, [])
    return transaction


@pytest.mark.parametrize(("decision", "status", "content"), [("confirm", 0, "new\n"), ("abandon", 1, "old\n")])
def test_a_run_is_launched_followed_and_decided(machine: Machine, decision: str, status: int, content: str) -> None:
    """Over one connection until it waits, over another one to its end; after that nothing is left of it."""
    transaction = waiting(machine)
    told = machine.progress.lines_read
    progress = machine.tell(lambda: transaction.follow(told, decision))
    assert progress.exit == status
    assert machine.here.path("conf").read_text() == content
    assert progress.step == "write the files"
    machine.tell(lambda: transaction.follow(progress.lines_read))
    assert list(machine.here.run.iterdir()) == []


def test_nothing_of_it_can_be_read_by_others(machine: Machine) -> None:
    """The files may hold what is nobody else's matter."""
    transaction = waiting(machine)
    assert machine.here.run.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in machine.here.run.iterdir()} == {0}
    machine.tell(lambda: transaction.follow(machine.progress.lines_read, "confirm"))


def test_a_node_that_a_run_is_changing_is_locked(machine: Machine) -> None:
    """There can be but one unit of that name: the second run learns who the first one is."""
    machine.pid.write_text(f"{os.getpid()}\n")
    transaction = machine.here.transaction(machine.here.plan(machine.here.file("conf", "new\n")))
    progress = machine.tell(transaction.launch, start="return 1")
    assert progress.locked == "lbdeploy: bob"
    assert list(machine.here.run.iterdir()) == []


def test_a_run_that_slept_changes_nothing_that_another_one_has_had_since(machine: Machine) -> None:
    """The lock has the name of whoever had it last: if that is another run, what this one has planned is old."""
    machine.here.run.mkdir(exist_ok=True)
    lock = machine.here.run / "lock"
    conf = machine.here.path("conf")
    plan = machine.here.plan(machine.here.file("conf", "new\n"))
    transaction = machine.here.transaction(plan)
    lock.write_text("bob@desk (process 8): it's lbdeploy up; $(id)\n")
    error = machine.tell(transaction.launch).error(plan)
    assert isinstance(error, LockedError)
    assert error.message == "another run has had the lock since: bob@desk (process 8): it's lbdeploy up; $(id)"
    assert (conf.exists(), list(machine.here.run.iterdir())) == (False, [lock])
    lock.write_text(f"{transaction.origin.about}\n")
    machine.progress = Progress("lb1", lambda text: None)
    assert machine.tell(transaction.launch).exit == 0
    assert conf.read_text() == "new\n"


def test_a_run_whose_log_another_one_has_removed_learns_whose_node_it_is(machine: Machine) -> None:
    """It waited to be confirmed as the laptop fell asleep, and was undone; then the other run came."""
    transaction = waiting(machine)
    told = machine.progress.lines_read
    machine.tell(lambda: transaction.follow(told, "abandon"))
    (machine.here.state / "journal").write_text("run 20260101T000000.000Z\nexit 0\n")
    for whose, outrun in ((f"{transaction.origin.about}\n", None), ("bob\n", "bob")):
        (machine.here.run / "lock").write_text(whose)
        machine.progress = Progress("lb1", lambda text: None, awaiting=20)
        progress = machine.tell(lambda: transaction.follow(told, "abandon"))
        assert (progress.outrun, progress.waits) == (outrun, outrun is None)


def test_a_unit_that_can_not_be_started_is_told(machine: Machine) -> None:
    """What systemd-run says is what the operator reads; nothing was begun."""
    plan = machine.here.plan(machine.here.file("conf", "new\n"))
    transaction = machine.here.transaction(plan)
    progress = machine.tell(transaction.launch, start="echo 'Failed to start' >&2; sleep() { :; }; return 1")
    error = progress.error(plan)
    assert isinstance(error, RemoteError)
    assert "Failed to start" in error.message
    assert list(machine.here.run.iterdir()) == []


@pytest.mark.parametrize("rebooted", [True, False])
def test_where_the_log_is_gone_the_journal_is_told(machine: Machine, rebooted: bool) -> None:
    """The node rebooted: what was done, and in which boot, is known all the same."""
    plan = machine.here.plan(machine.here.file("conf", "new\n"))
    transaction = machine.here.transaction(plan)
    assert machine.tell(transaction.launch).exit == 0
    journal = machine.here.state / "journal"
    if rebooted:
        journal.write_text(re.sub(r"boot .*", "boot another", journal.read_text()).replace("exit 0\n", ""))
    machine.progress = Progress("lb1", lambda text: None)
    progress = machine.tell(lambda: transaction.follow(0, "confirm"))
    assert progress.step == "write the files"
    assert progress.rebooted is rebooted
    assert isinstance(progress.error(plan), RebootedError) is rebooted
    assert list(machine.here.run.iterdir()) == []


def test_the_journal_of_another_run_is_not_told(machine: Machine) -> None:
    """It says nothing about this one."""
    machine.here.state.mkdir()
    (machine.here.state / "journal").write_text("run 20260101T000000.000Z\nstep reload haproxy\nexit 0\n")
    transaction = machine.here.transaction(machine.here.plan(machine.here.file("conf", "new\n")))
    progress = machine.tell(lambda: transaction.follow(0))
    assert (progress.lines_read, progress.exit) == (0, None)


# What there was before lbdeploy, for `down`


def test_the_first_run_remembers_what_there_was(here: Here) -> None:
    """Files with their modes, links, and what was not there; no later run takes lbdeploy's own for that."""
    here.path("file").write_text("theirs")
    here.path("file").chmod(0o640)
    here.path("link").symlink_to("file")
    wanted = (here.file("file", "ours\n"), here.file("link", "ours\n"), here.file("new", "ours\n"))
    assert here.apply(here.plan(*wanted)).exit == 0
    assert here.apply(here.plan(*(replace(each, content="again\n") for each in wanted))).exit == 0
    kept = Path(f"{here.state}/original/files{here.path('file')}")
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("theirs", 0o640)
    assert kept.with_name("link").readlink() == Path("file")
    assert not kept.with_name("new").exists()


def test_a_first_run_that_came_to_nothing_does_not_remember_for_ever(here: Here) -> None:
    """What somebody writes between it and the one that succeeds is theirs, too."""
    here.path("conf").write_text("first")
    assert here.apply(here.plan(here.file("conf", "ours\n", validate=Raw("false")))).exit == 1
    here.path("conf").write_text("second")
    assert here.apply(here.plan(here.file("conf", "ours\n"))).exit == 0
    assert Path(f"{here.state}/original/files{here.path('conf')}").read_text() == "second"


def test_what_comes_with_a_package_is_told_from_what_was_there(here: Here) -> None:
    """It is there only after installing, and is nobody's own."""
    comes = f'patiently() {{ echo debian > {here.path("conf")}; }}\nremember_file() {{ note "file $1"; }}'
    here.path("conf").write_text("debian")
    assert here.apply(here.plan(here.file("conf", "ours\n")), more=comes).exit == 0
    assert Path(f"{here.state}/packaged{here.path('conf')}").read_text() == "debian"


def test_what_an_earlier_lbdeploy_replaced_first_is_not_forgotten(here: Here) -> None:
    """The generation of its first run has no hosts.toml: it is taken over before it is pruned."""
    conf = here.file("conf", "ours\n")
    for run, content in ((ME, "theirs"), (replace(ME, id="20261124T000000.000Z"), "ours")):
        here.path("conf").write_text(content)
        assert here.apply(here.plan(conf), origin=run).exit == 0
        shutil.rmtree(here.state / "original")
    here.path("conf").write_text("drift")
    assert here.apply(here.plan(conf), origin=replace(ME, id="20261125T000000.000Z")).exit == 0
    assert Path(f"{here.state}/original/files{here.path('conf')}").read_text() == "theirs"


def test_packages_that_are_new_are_noted(here: Here) -> None:
    """As apt-get says it, before it does so: one that is only upgraded is not lbdeploy's."""
    inst = "Inst libc6 [2.36-9] (2.36-10 Debian:12 [amd64])\nInst haproxy (2.6.12 Debian:12 [amd64])\nConf haproxy"
    plan = here.plan(here.file("conf", "ours\n"))
    assert here.apply(plan, more=f"remember() {{ note_new '{inst}'; }}").exit == 0
    assert (here.state / "installed").read_text() == "haproxy\n"


@pytest.mark.parametrize(("program", "status"), [("exit 1", 1), ("sleep 9", 0)])
def test_a_listener_that_died_is_no_silence(tmp_path: Path, program: str, status: int) -> None:
    """Whether a virtual router ID is in use is not known where nobody listened: nothing goes on then."""
    start = f"mark=M state={tmp_path} run={tmp_path}/run\n"
    script = f"{start}{remote_text('transaction.sh')}\ntrap - EXIT\nlisten '{program}'\nlistening=0\nsleep 0.2\n"
    argv = ["sh", "-c", f"{script}free_vrid 101 eth0"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == status
    assert ("could not listen" in done.stdout) == (status == 1)
    assert ("M failed listen" in done.stdout) == (status == 1)


def test_they_are_kept_first_and_removed_after_the_reload(seed: Cluster) -> None:
    """A change that is undone brings them back, while keepalived may still need them."""
    conf = next(each for each in files(seed, seed.preferred) if each.path == KEEPALIVED_CONF)
    old = replace(has(conf), content="old\n", changed=LONG_AGO)
    looks = observe(seed, seed.preferred, states={conf.id: old, leftovers(seed, "lb1").id: {GONE: ("700", "old")}})
    plan = diff(desired(seed, seed.preferred), looks)
    script = Transaction(Task(plan, confirm=9), Origin("id", "ann", "")).launch()
    at = [script.index(part) for part in ("\nkeep ", "systemctl reload keepalived", f"\ndrop {GONE}\n", "\nawait 9")]
    assert at == sorted(at)
    assert GONE in next(line for line in script.splitlines() if line.startswith("managed="))
    alone = diff(
        desired(seed, seed.preferred),
        observe(seed, seed.preferred, states={leftovers(seed, "lb1").id: {GONE: ("700", "old")}}),
    )
    script = Transaction(Task(alone), Origin("id", "ann", "")).launch()
    assert script.index("\nkeep ") < script.index(f"\ndrop {GONE}\n")


VIPS_GO = """
undo_last() { echo "$1"; }
step() { :; }
ip() { [ "$2" = del ] || [ "$1" = -o ] && cat "$addresses"; }
sleep() { :; }
uptime() { now=$((${now:-0} + 1)); }
"""


def test_only_vips_that_a_change_brings_go_with_it_and_one_that_stays_is_told(tmp_path: Path) -> None:
    """One that was there before is something else's; where one can't be taken off, not everything is as before."""
    tools = remote_text("transaction.sh")
    functions = tools[tools.index("# holds VIP...") : tools.index("# lower NUMBER")]
    addresses = tmp_path / "addresses"
    addresses.write_text("2: ens33    inet 10.0.0.1/24 scope global ens33\n")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        script = f"addresses={addresses}\n{functions}\n{VIPS_GO}\n{command}"
        return subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True, timeout=20)

    assert run("vips_come 10.0.0.1 10.0.0.2").stdout == "let_vips_go '10.0.0.2'\n"
    assert (run("let_vips_go 10.0.0.2").returncode, run("let_vips_go 10.0.0.1").returncode) == (0, 1)
