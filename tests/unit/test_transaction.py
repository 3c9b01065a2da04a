"""The applying script: its text for any plan, its tools run by real shells on files here, and what is read of it.

Of the commands that need a node only systemctl is stood in for, by a shell function that writes down what it was asked.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from builders import observe, running, stopped, wanted_state
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdeploy.desired import HAPROXY_CFG, KEEPALIVED_UNIT, desired
from lbdeploy.errors import LockedError, LostError, RemoteError, RolledBackError
from lbdeploy.model import Cluster, Node
from lbdeploy.plan import NodePlan, Part, diff
from lbdeploy.resource import Answer, Change, Resource
from lbdeploy.resources import File, Packages, Service
from lbdeploy.resources.file import FileState
from lbdeploy.resources.package import PackageState
from lbdeploy.resources.service import ServiceState
from lbdeploy.shell import Raw
from lbdeploy.transaction import KEPT, MARK, Progress, script

SHELLS = ("dash", "bash")
DAEMONS = ("haproxy", "keepalived")


def body(text: str) -> str:
    """What the unit on the node runs: the part of the script that is written to a file there."""
    nonce, inner = re.findall(r"<<'(\w+)'\n(.*?)\n\1\n", text, re.DOTALL)[0]
    assert nonce not in inner
    return str(inner)


# The text, for any plan

STATES: dict[type, list[Any]] = {
    File: [FileState("missing"), FileState("other"), FileState("file", "600", "a:b", 1.0, "old\n"), None],
    Packages: [PackageState({}), PackageState({"haproxy": "1"}, interrupted=True), None],
    Service: [ServiceState(), stopped(), running(newest=9e9), running(needs_daemon_reload=True),
              stopped(load="masked", enabled="masked"), None],
    str: ["0", None],
}  # fmt: skip


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
    who = data.draw(st.sampled_from(["me@host (process 1)", "it's me", "$(id)\n`id`"]))
    text = script(plan, services, who)
    for each in (text, body(text)):
        for shell in SHELLS:
            done = subprocess.run([shell, "-n"], check=False, capture_output=True, input=each.encode())
            assert (done.returncode, done.stderr) == (0, b"")


def test_only_the_named_services_are_touched(seed: Cluster) -> None:
    """A service that is held back is neither started nor reloaded nor enabled; its files are written all the same."""
    states = {each.id: ServiceState() for each in desired(seed, seed.preferred) if isinstance(each, Service)}
    plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=states))
    text = body(script(plan, ["haproxy"], "me"))
    assert "systemctl start haproxy" in text
    assert "keepalived" not in re.sub(r"/etc/keepalived/\S+", "", text)


def test_what_is_as_wanted_is_not_touched(seed: Cluster) -> None:
    """A plan with one change has the commands of that change only."""
    states = {"sysctl net.ipv4.ip_nonlocal_bind": "0"}
    plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=states))
    text = body(script(plan, DAEMONS, "me"))
    assert "sysctl -q -w net.ipv4.ip_nonlocal_bind=1" in text
    assert not re.search(r"^(swap|validate|run systemctl|patiently) ", text, re.MULTILINE)


def test_systemd_reads_its_units_again_only_where_one_changed(seed: Cluster) -> None:
    """A changed drop-in, or one that systemd has not read, is followed by a daemon-reload; other changes are not."""
    drift = FileState("file", "644", "root:root", 1.0, "old")
    found = {}
    for state in ({f"file {KEEPALIVED_UNIT}": drift}, {"service haproxy": running(needs_daemon_reload=True)},
                  {f"file {HAPROXY_CFG}": drift}):  # fmt: skip
        plan = diff(desired(seed, seed.preferred), observe(seed, seed.preferred, states=state))
        found[next(iter(state))] = "\nrun systemctl daemon-reload\n" in body(script(plan, DAEMONS, "me")) + "\n"
    assert list(found.values()) == [True, True, False]


# The tools, on files here


class Here:
    """A node of files below a folder, to which a plan is applied by a real shell."""

    def __init__(self, folder: Path, seed: Cluster) -> None:
        self.folder = folder
        self.node: Node = seed.preferred
        self.log = folder / "asked"
        self.kept = folder / "kept" / "previous"
        (folder / "etc").mkdir()

    def path(self, name: str) -> Path:
        return self.folder / "etc" / name

    def file(self, name: str, content: str, **settings: Any) -> File:
        return File(str(self.path(name)), content, **settings)

    def plan(self, *resources: Resource[Any], **states: Any) -> NodePlan:
        """The plan as the probes see this folder; services are as given."""
        parts, changing = [], set[str]()
        for each in resources:
            state = self.look(each) if isinstance(each, File) else states[each.id.split()[1]]
            changes = tuple(each.compare(state, changing))
            changing |= {change.name for change in changes if change.kind == "file"}
            parts.append(Part(each, state, changes))
        return NodePlan(self.node, tuple(parts))

    def look(self, file: File) -> FileState:
        done = subprocess.run(["sh", "-c", file.probe()], check=False, capture_output=True)
        return file.read(Answer(done.stdout.decode(errors="surrogateescape"), done.returncode))

    def apply(self, plan: NodePlan, systemctl: str = ":", shell: str = "sh") -> Progress:
        """Run what the unit would run. `systemctl` is what it does after it was written down."""
        functions = f'systemctl() {{ printf "%s\\n" "$*" >> {self.log}; {systemctl}; }}\n'
        functions += "" if os.geteuid() == 0 else "chown() { :; }\n"
        text = body(script(plan, DAEMONS, "me")).replace(KEPT, str(self.kept))
        running = self.folder / "run.sh"
        running.write_text(functions + text)
        output = subprocess.run([shell, running], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        progress = Progress(self.node.name, lambda text: None)
        for line in output.stdout.decode().splitlines():
            progress.line(line)
        assert not running.exists()
        assert not list(self.folder.rglob("*.lbdeploy-new"))
        return progress

    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


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
    assert (progress.exit, progress.error(plan), progress.said) == (0, None, [])
    for file in wanted:
        state = here.look(file)
        assert (state.kind, state.content, state.mode) == ("file", file.content, file.mode)
    assert here.path("changed").read_text() != "no link\n"


def test_what_was_there_is_kept(here: Here) -> None:
    """The old content of a file is kept by its path, where only root can read it."""
    here.path("file").write_text("old")
    here.path("file").chmod(0o640)
    here.apply(here.plan(here.file("file", "new")))
    kept = Path(f"{here.kept}{here.path('file')}")
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("old", 0o640)
    assert here.kept.parent.stat().st_mode & 0o777 == 0o700


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
    error = progress.error(plan)
    assert isinstance(error, RemoteError)
    assert error.state == "its files and services were not touched"


def keepalived(here: Here) -> Service:
    return Service("keepalived", watches=(str(here.path("conf")),))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_service_that_does_not_come_back_gets_its_old_file(here: Here, shell: str) -> None:
    """When a service does not run after its reload, it reloads again with the file that it had before."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    see = f'[ "$1" != reload ] || cat {here.path("conf")} >> {here.log}; [ "$1" != is-active ]'
    progress = here.apply(plan, systemctl=see, shell=shell)
    assert here.asked() == [
        "reload keepalived",
        "new",
        "is-active --quiet keepalived",
        "daemon-reload",
        "reload keepalived",
        "old",
    ]
    assert isinstance(progress.error(plan), RolledBackError)
    assert here.path("conf").read_text() == "old\n"


def test_a_service_that_did_not_run_is_stopped_again(here: Here) -> None:
    """A service that was started, and does not run, is as before when it is stopped."""
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=stopped())
    progress = here.apply(plan, systemctl='[ "$1" != is-active ]')
    assert here.asked() == ["start keepalived", "is-active --quiet keepalived", "daemon-reload", "stop keepalived"]
    assert progress.restored is True
    assert not here.path("conf").exists()


@pytest.mark.parametrize("systemctl", ["false", 'rm -rf {kept}; [ "$1" != is-active ]'])
def test_what_can_not_be_put_back_is_said(here: Here, systemctl: str) -> None:
    """When undoing fails, of a service or of a file, the error is no rollback, and says so."""
    here.path("conf").write_text("old\n")
    plan = here.plan(here.file("conf", "new\n"), keepalived(here), keepalived=running())
    progress = here.apply(plan, systemctl=systemctl.format(kept=here.kept))
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
    assert Path(f"{here.kept}{here.path('conf')}").read_text() == "new\n"


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


# What is read of it


def told(lines: str, changes: tuple[Change, ...] = ()) -> tuple[Progress, list[str], Exception | None]:
    steps: list[str] = []
    progress = Progress("lb1", steps.append)
    for line in lines.replace("@@", MARK).splitlines():
        progress.line(line)
    part = Part(Service("haproxy"), None, changes)
    return progress, steps, progress.error(NodePlan(None, (part,)))  # type: ignore[arg-type]


def test_a_run_that_ends_well_tells_its_steps() -> None:
    """Each step is told as it begins; what else is said does no harm."""
    progress, steps, error = told("@@ step write the files\nhello\n@@ step start haproxy\n@@ exit 0\n")
    assert (steps, progress.said, error) == (["write the files", "start haproxy"], ["hello"], None)


def test_a_node_that_another_run_is_changing_is_locked() -> None:
    """The error names the other run, and says that nothing was changed here."""
    _, _, error = told("@@ locked lbdeploy: ann@laptop (process 7), since Mon 2026-11-23 05:16:01 UTC\n")
    assert isinstance(error, LockedError)
    assert error.exit_code == 5
    assert "ann@laptop (process 7)" in error.message
    assert (error.node, error.state) == ("lb1", "nothing was changed on it")


def test_a_run_that_ends_without_a_word_is_lost() -> None:
    """Without an exit line nobody knows what state the node is in."""
    _, _, error = told("@@ step start haproxy\nsomething\n")
    assert isinstance(error, LostError)
    assert (error.exit_code, error.state, error.detail) == (4, "unknown", "something")


INSTALL = (Change("package", "haproxy", "install", "is not installed"),)


@pytest.mark.parametrize(
    ("lines", "changes", "kind", "code", "state"),
    [
        ("@@ failed x\n@@ restored\n@@ exit 1\n", (), RolledBackError, 7, "its files and services are as before"),
        ("@@ failed x\n@@ unrestored\n@@ exit 1\n", (), RemoteError, 1, "not everything could be put back"),
        ("@@ failed x\n@@ exit 1\n", (), RemoteError, 1, "were not touched"),
        ("@@ failed x\n@@ restored\n@@ exit 1\n", INSTALL, RemoteError, 1, "packages that were installed stay"),
    ],
)
def test_a_failure_says_what_state_the_node_is_in(
    lines: str, changes: tuple[Change, ...], kind: type[Exception], code: int, state: str
) -> None:
    """Restored, half restored, untouched, or with packages that stay: the exit code and the words tell which."""
    _, _, error = told("@@ step reload haproxy\nJob failed.\n" + lines, changes)
    assert type(error) is kind
    assert isinstance(error, RemoteError)
    assert (error.exit_code, error.message, error.node) == (code, "reload haproxy: Job failed.", "lb1")
    assert state in (error.state or "")


APT = """\
Reading package lists...
Building dependency tree...
Reading state information...
E: Unable to locate package keepalived
W: something else
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (APT, "E: Unable to locate package keepalived; W: something else"),
        ("", "apt-get failed"),
        ("a\nb\nc\nd\n", "b; c; d"),
        ("[NOTICE] x\n[ALERT] (7) : config : parsing [/etc/haproxy/haproxy.cfg:3]\n",
         "[ALERT] (7) : config : parsing [/etc/haproxy/haproxy.cfg:3]"),
        ("\n \nlast\n", "last"),
    ],
)  # fmt: skip
def test_the_reason_is_what_matters_of_what_was_said(said: str, reason: str) -> None:
    """apt and haproxy mark their own errors; of others the last lines are shown, and all of it is in the detail."""
    _, _, error = told(f"@@ step apt-get install\n{said}@@ failed apt-get\n@@ exit 100\n")
    assert isinstance(error, RemoteError)
    assert error.message == f"apt-get install: {reason}"
    assert error.detail == "\n".join(said.splitlines())


def test_output_that_looks_like_a_mark_is_output() -> None:
    """Only lines that begin with the mark and a space are the script's own."""
    progress, steps, _ = told("@@exit 0\n x @@ exit 0\n@@ step a\n")
    assert (progress.exit, len(progress.said), steps) == (None, 2, ["a"])
