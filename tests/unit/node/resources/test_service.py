"""The kinds of resources: their probes run by a real shell, their readers on captured answers, their comparisons."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import alone, captured, running, steps_of, stopped
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdeploy.node.resources import File, Journal, Packages, Service, Sysctl
from lbdeploy.node.resources.base import Answer, Change, Resource
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.package import PackageState

NO_NUL = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


def answer(resource: Resource[object]) -> Answer:
    """What the probe says here, as the observing script would run it."""
    run = subprocess.run(["sh", "-c", alone(resource)], check=False, capture_output=True)
    return Answer(run.stdout.decode(errors="surrogateescape"), run.returncode)


def look(file: File) -> FileState:
    return file.read(answer(file))


# Files


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
@example(b"")
@example(b"\n")
@example(b"no newline at the end")
@example(b"dos\r\nlines\r\n")
@example(b"\x00\xff\xfe binary \x0c\x1c\x85 |")
@example(b"|\n")
@example(b"|")
@example(b"file 644 root:root 1.0\n|\n")
@example("\u2028 é\n\n\n".encode())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_content_of_a_file_is_read_exactly(tmp_path: Path, content: bytes) -> None:
    """Every byte of a file arrives, whatever it holds and however it ends."""
    path = tmp_path / "it's a file"
    path.write_bytes(content)
    state = look(File(str(path), ""))
    assert state.kind == "file"
    assert state.content.encode(errors="surrogateescape") == content


def test_mode_owner_and_time_of_a_file_are_read(tmp_path: Path) -> None:
    """Mode and owner are as ls shows them; the time is that of the last change of content, mode or name."""
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o640)
    os.utime(path, (1, 1))
    state = look(File(str(path), ""))
    owner = subprocess.run(["stat", "-c", "%U:%G", path], check=True, capture_output=True, text=True).stdout.strip()
    assert (state.mode, state.owner) == ("640", owner)
    assert state.changed == pytest.approx(path.stat().st_ctime, abs=0.001)


def test_what_is_no_file_is_told_from_what_is_missing(tmp_path: Path) -> None:
    """A folder, a symlink (also a dangling one) and a FIFO are something else; nothing at all is missing."""
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    names = ("real", "link", "dangling", "folder", "fifo", "nothing", "real/below")
    kinds = {name: look(File(str(tmp_path / name), "")).kind for name in names}
    assert kinds == {
        "real": "file",
        "link": "other",
        "dangling": "other",
        "folder": "other",
        "fifo": "other",
        "nothing": "missing",
        "real/below": "missing",
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FileState("file", "644", "root:root", 1.0, "new\n"), []),
        (FileState("file", "644", "root:root", 1.0, "old\n"), [("update", "its content differs")]),
        (FileState("file", "644", "root:root", 1.0, "new"), [("update", "its content differs")]),
        (FileState("missing"), [("create", "does not exist")]),
        (FileState("other"), [("replace", "is not a regular file")]),
        (FileState("file", "600", "root:root", 1.0, "new\n"), [("chmod", "is mode 600, should be mode 644")]),
        (
            FileState("file", "755", "ops:ops", 1.0, "new\n"),
            [("chmod", "is mode 755, should be mode 644 and owned by ops:ops, should be owned by root:root")],
        ),
    ],
)
def test_a_file_differs_by_kind_content_mode_and_owner(state: FileState, expected: list[tuple[str, str]]) -> None:
    """A file is as wanted only when its kind, content, mode and owner are."""
    changes = File("/etc/x", "new\n").compare(state, ())
    assert [(change.action, change.reason) for change in changes] == expected
    assert all((change.kind, change.name) == ("file", "/etc/x") for change in changes)


def test_a_diff_names_both_sides_as_people_expect() -> None:
    """An update is shown as a unified diff of the file; a new file comes from nowhere."""
    (change,) = File("/etc/x", "a\nc\n").compare(FileState("file", "644", "root:root", 1.0, "a\nb\n"), ())
    assert change.diff == "--- a/etc/x\n+++ b/etc/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    (change,) = File("/etc/x", "a").compare(FileState("missing"), ())
    assert change.diff == "--- /dev/null\n+++ b/etc/x\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n"


def patched(old: str, diff: str) -> str:
    """The text after a unified diff was applied to it, as patch(1) does it."""
    lines = [line + "\n" for line in old.split("\n")]
    lines[-1] = lines[-1][:-1]
    result, at = [], 0
    hunks = re.split(r"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@\n", diff, flags=re.MULTILINE)
    for start, count, body in zip(hunks[1::3], hunks[2::3], hunks[3::3], strict=True):
        first = int(start) - (0 if count == "0" else 1)
        result += lines[at:first]
        at = first
        for line in body.replace("\n\\ No newline at end of file\n", "\0").split("\n"):
            for each in re.split(r"(?<=\0)", line) if line else ():
                text = each[1:-1] if each.endswith("\0") else each[1:] + "\n"
                if each[:1] in ("-", " "):
                    assert lines[at] == text
                    at += 1
                if each[:1] in ("+", " "):
                    result.append(text)
    return "".join(result + lines[at:])


texts = st.lists(st.sampled_from(["a", "b", "", "\f", "\r", "\u2028", "+", "-", "@@", "\x1c x"]), max_size=12).map(
    "\n".join
)


@given(texts, texts)
@example("a\n", "a")
@example("a", "a\n")
@example("", "a\n")
@example("a\n", "")
@settings(max_examples=100)
def test_a_diff_leads_from_the_old_content_to_the_new(old: str, new: str) -> None:
    """Applied to what is there, the diff gives what is wanted, to the last newline."""
    for change in File("/etc/x", new).compare(FileState("file", "644", "root:root", 1.0, old), ()):
        assert patched(old, change.diff or "") == new


# Packages

HERE = Packages(("haproxy", "keepalived", "socat"), daemons=("haproxy", "keepalived"))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("installed", []),
        ("held", ["unhold socat"]),
        ("removed", ["install haproxy", "unhold socat"]),
        ("purged", ["install haproxy", "install keepalived", "unhold socat"]),
        ("unpacked", ["repair dpkg", "install haproxy", "install keepalived"]),
        ("half_configured", ["repair dpkg", "install keepalived", "unhold socat"]),
        ("half_installed", ["repair dpkg", "install haproxy", "install keepalived", "unhold socat"]),
        ("journal", ["repair dpkg", "unhold socat"]),
    ],
)
def test_packages_that_are_not_whole_are_installed(name: str, changes: list[str]) -> None:
    """What dpkg says of packages tells which are missing, and whether it was stopped half-way."""
    state = HERE.read(Answer(captured(f"dpkg_query/bookworm_{name}"), 0))
    assert [f"{change.action} {change.name}" for change in HERE.compare(state, ())] == changes
    assert all(change.kind == "package" for change in HERE.compare(state, ()))


def test_on_a_bare_node_everything_is_installed() -> None:
    """No answer at all, as where dpkg knows none of the packages, means that all are missing."""
    state = HERE.read(Answer("", 1))
    assert state == PackageState({}, False)
    assert [change.name for change in HERE.compare(state, ())] == ["haproxy", "keepalived", "socat"]


def test_versions_are_known() -> None:
    """The state has the version of each installed package, whether it is held back or not."""
    for name in ("installed", "held"):
        state = HERE.read(Answer(captured(f"dpkg_query/bookworm_{name}"), 0))
        assert state.versions["keepalived"] == "1:2.2.7-1+b2"
        assert state.held == ({"socat"} if name == "held" else set())
        assert set(state.versions) == {"haproxy", "keepalived", "socat"}


def test_what_was_recorded_and_what_apt_has_is_read() -> None:
    """The versions at the end of the last run, and apt's candidates, stand beside those that are installed."""
    text = captured("dpkg_query/bookworm_installed")
    told = f"{text}recorded haproxy 2.6.12-1\nrecorded socat\ncandidate haproxy 3.0\ncandidate keepalived (none)\n"
    state = HERE.read(Answer(told, 0))
    assert state.recorded == {"haproxy": "2.6.12-1"}
    assert state.candidates == {"haproxy": "3.0", "keepalived": "(none)"}


def packages(**state: Any) -> PackageState:
    """Three packages of version 2, with something more known of them."""
    return PackageState(dict.fromkeys(HERE.names, "2"), **state)


@pytest.mark.parametrize(
    ("asked", "state", "changes"),
    [
        ({}, packages(), []),
        ({}, packages(recorded={"haproxy": "2"}), []),
        ({}, packages(recorded={"haproxy": "1"}), ["record haproxy: is 2, was 1 after the last run"]),
        ({}, packages(held=frozenset({"socat"})), ["unhold socat: is held back, so it gets no updates"]),
        ({}, packages(candidates={"haproxy": "2"}), []),
        ({"upgrade": True}, packages(candidates={"haproxy": "3"}), ["upgrade haproxy: is 2, apt has 3"]),
        (
            {"upgrade": True},
            packages(candidates={"haproxy": "3"}, held=frozenset({"haproxy"}), recorded={"haproxy": "1"}),
            ["unhold haproxy: is held back, so it gets no updates", "upgrade haproxy: is 2, apt has 3"],
        ),
        ({"reinstall": ("socat",)}, packages(), ["reinstall socat: 2 is to be installed anew"]),
        (
            {"reinstall": ("haproxy",), "upgrade": True},
            packages(candidates={"haproxy": "3"}),
            ["upgrade haproxy: is 2, apt has 3"],
        ),
        (
            {"reinstall": ("haproxy", "socat")},
            PackageState({"haproxy": "2", "keepalived": "2"}),
            ["reinstall haproxy: 2 is to be installed anew", "install socat: is not installed"],
        ),
    ],
)
def test_packages_differ_by_what_is_asked_of_them(
    asked: dict[str, Any], state: PackageState, changes: list[str]
) -> None:
    """Held, newer in apt, to be installed anew, or of another version than the last run has left."""
    found = replace(HERE, **asked).compare(state, ())
    assert [f"{each.action} {each.name}: {each.reason}" for each in found] == changes


def test_debian_restarts_what_it_installs_anew() -> None:
    """A daemon whose package is upgraded or reinstalled is restarted; a tool's is not, nor is a new one's."""

    def change(action: str, name: str) -> Change:
        return Change("package", name, action, "")

    assert all(HERE.interrupts(change(*each)) for each in (("upgrade", "haproxy"), ("reinstall", "keepalived")))
    others = (("upgrade", "socat"), ("install", "haproxy"), ("unhold", "haproxy"))
    assert not any(HERE.interrupts(change(*each)) for each in others)


def test_only_a_run_that_upgrades_asks_apt() -> None:
    """apt's candidates cost time, and nobody but --upgrade wants them."""
    assert "apt-cache" not in HERE.probe()
    assert "apt-cache policy haproxy keepalived socat" in replace(HERE, upgrade=True).probe()


def test_apts_candidates_are_read_from_its_policy() -> None:
    """What apt-cache prints of each package, with what stands below its name."""
    policy = "haproxy:\n  Installed: 2\n  Candidate: 3\n  Version table:\n *** 2 500\nnone:\n  Candidate: (none)\n"
    probe = (
        replace(HERE, upgrade=True).probe().replace("apt-cache policy haproxy keepalived socat", f"printf {policy!r}")
    )
    assert "printf" in probe
    done = subprocess.run(["sh", "-c", probe], check=False, capture_output=True, text=True)
    assert done.stdout.endswith("candidate haproxy 3\nknown haproxy 2 unoffered\ncandidate none (none)\n")


def steps(fix: str) -> list[str]:
    return re.findall(r"^(?:step|patiently|undo|if ! patiently_or_not|systemctl) .*$", fix, re.MULTILINE)


def test_what_is_repaired_and_released_comes_before_what_is_installed() -> None:
    """dpkg goes on where it was stopped, holds are taken away (and put back when the run fails), then apt installs."""
    state = PackageState({"haproxy": "2", "keepalived": "2"}, interrupted=True, held=frozenset({"haproxy"}))
    fix = steps_of(HERE, state)
    said = steps(fix)
    assert said[:4] == [
        "step dpkg --configure -a",
        "patiently dpkg --configure -a",
        "step 'apt-mark unhold' haproxy",
        "undo 'apt-mark -qq hold haproxy'",
    ]
    assert said[4] == "patiently apt-mark -qq unhold haproxy"
    assert said[-2] == "step 'apt-get install'  socat"
    assert "mask" not in fix


def test_daemons_that_are_new_do_not_start_before_their_configuration_is_there() -> None:
    """Only those that are installed now are masked meanwhile."""
    state = PackageState({"keepalived": "2", "socat": "2"})
    said = steps(steps_of(HERE, state))
    assert said[0] == "systemctl mask --runtime --no-reload --quiet haproxy 2>&1"
    assert said[-1] == "systemctl unmask --runtime --no-reload --quiet haproxy 2>&1"


@pytest.mark.parametrize(
    ("asked", "option"), [({"upgrade": True}, "--only-upgrade"), ({"reinstall": ("haproxy",)}, "--reinstall")]
)
def test_what_is_renewed_is_what_was_asked_for(asked: dict[str, Any], option: str) -> None:
    """apt is told to renew the one package, and keeps the configuration files that were changed."""
    found = replace(HERE, **asked)
    state = packages(candidates={"haproxy": "3"} if found.upgrade else {})
    fix = steps_of(found, state)
    assert f"step 'apt-get install' {option} haproxy" in fix
    assert "--force-confold" in fix
    assert subprocess.run(["dash", "-n"], check=False, input=fix.encode()).returncode == 0


def test_a_version_that_is_only_recorded_needs_nothing_to_be_done() -> None:
    """The end of the run records it."""
    state = packages(recorded={"haproxy": "1"})
    assert steps_of(HERE, state) == ""


# Services

HAPROXY = Service("haproxy", watches=("/etc/haproxy/haproxy.cfg",), unit_files=("/etc/systemd/system/x.conf",))


def service_changes(name: str, changing: tuple[str, ...] = ()) -> list[str]:
    state = HAPROXY.read(Answer(captured(f"systemctl_show/{name}"), 0))
    return [f"{change.action}: {change.reason}" for change in HAPROXY.compare(state, changing)]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bookworm_started", []),
        ("bookworm_reloaded", []),
        ("bookworm_stale", ["reload: has not read its files since they changed"]),
        ("bookworm_stopped", ["start: is inactive"]),
        ("bookworm_failed", ["start: is failed"]),
        ("bookworm_restarting", ["start: is activating"]),
        ("bookworm_disabled", ["enable: is disabled", "start: is inactive"]),
        ("bookworm_masked", ["unmask: is masked", "start: is masked"]),
        ("bookworm_masked_runtime", ["enable: is masked-runtime", "start: is inactive"]),
        ("bookworm_needs_daemon_reload", ["daemon-reload: its unit file changed"]),
        ("bookworm_not_installed", ["enable: is not there", "start: is inactive"]),
        ("bookworm_removed", ["enable: is not there", "start: is inactive"]),
        ("trixie_started", []),
        ("trixie_reloaded", []),
        ("trixie_stale", ["reload: has not read its files since they changed"]),
        ("trixie_stopped", ["start: is inactive"]),
        ("trixie_failed", ["start: is failed"]),
        ("trixie_masked_runtime", ["enable: is masked-runtime", "start: is inactive"]),
    ],
)
def test_a_service_is_to_be_enabled_running_and_up_to_date(name: str, changes: list[str]) -> None:
    """What systemd says of a unit tells what is missing for it to run with the files that lie there now."""
    assert service_changes(name) == changes


def test_times_of_a_service_are_of_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's times and the files' times are both Unix times, to the microsecond, in whatever zone one works."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    state = HAPROXY.read(Answer(captured("systemctl_show/bookworm_started"), 0))
    assert (state.pid, state.restarts, state.running) == (608, 0, True)
    assert state.since == state.loaded == 1795416229.769509
    assert state.newest == 1795416228.909963219


def test_a_service_that_never_ran_has_no_times() -> None:
    """Empty times, as of a unit that was never started, are none."""
    state = HAPROXY.read(Answer("ActiveState=inactive\nActiveEnterTimestamp=\nStateChangeTimestamp=\n", 0))
    assert (state.since, state.loaded, state.running) == (0.0, 0.0, False)


def test_no_answer_of_systemd_means_a_service_that_is_not_there() -> None:
    """Where systemctl says nothing, there is no such unit."""
    state = HAPROXY.read(Answer("", 1))
    assert (state.load, state.running, state.enabled) == ("not-found", False, "")


def test_a_running_service_reloads_when_this_run_replaces_its_file() -> None:
    """A file that the run is to replace makes the services that read it reload, and no others."""
    assert service_changes("bookworm_started", ("/etc/haproxy/haproxy.cfg",)) == [
        "reload: reads /etc/haproxy/haproxy.cfg"
    ]
    assert service_changes("bookworm_started", ("/etc/other",)) == []


def test_a_stopped_service_starts_once_whatever_else_changes() -> None:
    """A service that starts reads its files anyway: it is not reloaded, too."""
    assert service_changes("bookworm_stopped", ("/etc/haproxy/haproxy.cfg",)) == ["start: is inactive"]


def test_a_changed_unit_file_is_read_by_systemd() -> None:
    """A unit file that the run is to replace makes systemd read its units again; the service runs on."""
    assert service_changes("bookworm_started", ("/etc/systemd/system/x.conf",)) == [
        "daemon-reload: its unit file changed"
    ]


@pytest.mark.parametrize(
    ("state", "stale"),
    [
        (running(loaded=100.0, newest=99.9), False),
        (running(loaded=100.0, newest=100.1), True),
        (running(active="reloading", loaded=100.0, newest=100.1), True),
        (stopped(loaded=100.0, newest=100.1), False),
        (running(loaded=100.0, newest=0.0), False),
    ],
)
def test_only_what_runs_can_be_stale(state: object, stale: bool) -> None:
    """A running service is stale while one of its files is newer than its last load."""
    assert getattr(state, "stale") is stale  # noqa: B009


def test_the_newest_of_the_watched_files_counts(tmp_path: Path) -> None:
    """The probe tells the time of the youngest watched file that exists; one that does not is passed over."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("x")
    time.sleep(0.02)
    new.write_text("x")
    os.utime(new, (1, 1))
    service = Service("no-such-unit-here", watches=(str(new), str(old), str(tmp_path / "none")))
    assert service.read(answer(service)).newest == pytest.approx(max(p.stat().st_ctime for p in (old, new)), abs=0.001)
    assert Service("no-such-unit-here", watches=("/none",)).read(answer(service)).running is False


def test_a_service_that_runs_a_replaced_program_is_restarted() -> None:
    """/proc says of a process whose program was replaced on the disk that it is deleted."""
    text = captured("systemctl_show/bookworm_started")
    for program, replaced in (("/usr/sbin/haproxy", False), ("/usr/sbin/haproxy (deleted)", True), ("", False)):
        state = HAPROXY.read(Answer(f"{text}Program={program}\n", 0))
        assert state.replaced is replaced
        assert [change.action for change in HAPROXY.compare(state, ())] == (["restart"] if replaced else [])


def test_a_service_may_have_to_read_a_file_and_be_restarted() -> None:
    """Both are told; what reads its files only is done before what takes the service away."""
    changes = HAPROXY.compare(running(replaced=True), ("/etc/haproxy/haproxy.cfg",))
    assert [change.action for change in changes] == ["reload", "restart"]
    assert HAPROXY.compare(stopped(replaced=True), ())[0].action == "start"
    fix = steps_of(HAPROXY, running(replaced=True), changes)
    assert [line for line in fix.splitlines() if line.startswith("run systemctl re")] == [
        "run systemctl reload haproxy",
        "run systemctl restart haproxy",
    ]


def test_the_probe_finds_a_program_that_was_replaced(tmp_path: Path) -> None:
    """A real process, whose program is really replaced while it runs."""
    program, service = tmp_path / "program", Service("none")
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "30"]) as process:
        try:
            show = f"systemctl() {{ printf 'ActiveState=active\\nMainPID={process.pid}\\nNRestarts=0\\n'; }}\n"
            found = []
            for _ in range(2):
                done = subprocess.run(["sh", "-c", show + alone(service)], check=False, capture_output=True, text=True)
                found.append(service.read(Answer(done.stdout)).replaced)
                program.unlink(missing_ok=True)
                shutil.copy("/bin/sleep", program)
        finally:
            process.kill()
    assert found == [False, True]


def test_a_service_is_enabled_last_and_disabled_again_when_the_run_fails() -> None:
    """Nothing is done where it is enabled already; a change of another kind enables nothing."""
    changes = HAPROXY.compare(running(), ("/etc/haproxy/haproxy.cfg",))
    assert "systemctl enable" not in steps_of(HAPROXY, running(), changes)
    *_, undo, enable = steps_of(HAPROXY, running(enabled="disabled")).splitlines()
    assert undo == "undo 'systemctl disable --quiet haproxy'"
    assert enable == "run systemctl enable --quiet haproxy"


# The journal of the last run

JOURNAL = """\
run 20261123T092201.123Z
about ann@laptop (process 7), since 2026-11-23 09:22:01 UTC: lbdeploy up
boot 5a6b
staged /etc/haproxy/haproxy.cfg.lbdeploy-new
step write the files
step reload haproxy
"""


@pytest.mark.parametrize(
    ("output", "state", "changes"),
    [
        ("inactive\n" + JOURNAL + "exit 0\n", JournalState(ended=True), []),
        ("inactive\n" + JOURNAL + "restored\nexit 1\n", JournalState(ended=True), []),
        ("active\n" + JOURNAL, JournalState(ended=False, active=True), []),
        ("activating\n" + JOURNAL, JournalState(ended=False, active=True), []),
        (
            "inactive\n" + JOURNAL,
            JournalState(ended=False),
            ["was interrupted at: reload haproxy (a run of ann@laptop (process 7), since 2026-11-23 09:22:01 UTC: "
             "lbdeploy up)"],
        ),
    ],
)  # fmt: skip
def test_a_run_that_did_not_come_to_its_end_is_to_be_repaired(
    output: str, state: JournalState, changes: list[str]
) -> None:
    """Good or bad, an end is an end; and a run that still goes on is nobody else's matter."""
    found = Journal().read(Answer(output))
    assert (found.run, found.step) == ("20261123T092201.123Z", "reload haproxy")
    assert (found.ended, found.active) == (state.ended, state.active)
    assert [change.reason for change in Journal().compare(found, ())] == changes
    assert all((each.kind, each.action) == ("service", "repair") for each in Journal().compare(found, ()))


@pytest.mark.parametrize("output", ["", "inactive\n", "inactive\n\n", "unknown\ngarbage\n", "inactive"])
def test_where_there_was_no_run_none_was_interrupted(output: str) -> None:
    """A node that has no journal yet, or an empty one."""
    state = Journal().read(Answer(output, 1))
    assert (state.run, state.ended) == ("", True)
    assert Journal().compare(state, ()) == []
    assert steps_of(Journal(), state) == ""


def test_a_run_that_got_no_further_than_its_beginning_was_interrupted_too() -> None:
    """The first lines of a journal name no step yet."""
    state = Journal().read(Answer("inactive\nrun 1\nabout ann\n"))
    assert (state.ended, state.step) == (False, "begin")


# Kernel settings


@pytest.mark.parametrize("name", ["kernel.ostype", "kernel.pid_max", "net.ipv4.ip_nonlocal_bind"])
def test_a_kernel_setting_is_read_from_the_kernel(name: str) -> None:
    """The probe reads the value in force; numbers must be read at once, or the kernel gives a part of them."""
    now = Path("/proc/sys", name.replace(".", "/")).read_text().strip()
    setting = Sysctl(name, now)
    assert setting.read(answer(setting)) == now
    assert setting.compare(now, ()) == []


def test_a_setting_that_the_kernel_does_not_have_is_unknown() -> None:
    """Where the kernel has no such setting, there is no value, and the change says so."""
    setting = Sysctl("net.ipv9.ip_nonlocal_bind", "1")
    assert setting.read(answer(setting)) is None
    assert setting.compare(None, ()) == [
        Change("sysctl", "net.ipv9.ip_nonlocal_bind", "set", "is unknown, should be 1")
    ]


def test_a_setting_with_another_value_is_set() -> None:
    """A drifted setting is set back."""
    setting = Sysctl("net.ipv4.ip_nonlocal_bind", "1")
    assert [change.reason for change in setting.compare("0", ())] == ["is 0, should be 1"]
    lines = steps_of(setting, "0").splitlines()
    assert lines[1] == "undo 'sysctl -q -w net.ipv4.ip_nonlocal_bind=0'"
    assert lines[2] == "run sysctl -q -w net.ipv4.ip_nonlocal_bind=1"


def test_a_change_as_json_has_a_diff_only_for_files() -> None:
    """The shape of the JSON contract: kind, name, action, reason, and a diff where there is one."""
    plain = {"kind": "sysctl", "name": "a.b", "action": "set", "reason": "is 0"}
    assert Change("sysctl", "a.b", "set", "is 0").to_json() == plain
    assert Change("sysctl", "a.b", "set", "is 0", "").to_json() == {**plain, "diff": ""}
