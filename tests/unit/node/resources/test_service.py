"""A systemd service: its probe run by a real shell, its reader on captured answers, its comparisons."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from builders import alone, answer, captured, running, steps_of, stopped

from lbdeploy.config.model import Cluster
from lbdeploy.node.observation import ProbeScript
from lbdeploy.node.resources import Service
from lbdeploy.node.resources.base import Answer

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


def test_one_that_can_only_be_restarted_is_restarted_once_to_read_its_files() -> None:
    """So it is when they get their old content again. Clients notice nothing, as it is none of the daemons."""
    own = Service("own", watches=("/etc/own",), rereads="restart")
    (change,) = own.compare(running(replaced=True), ("/etc/own",))
    assert (change.action, change.reason, own.interrupts(change)) == ("restart", "reads /etc/own", False)
    assert [each.action for each in own.compare(running(loaded=1.0, newest=2.0), ())] == ["restart"]
    steps = "\n".join(step for _, step in own.steps(running(), [change], ("/etc/own",)))
    assert "undo_last 'systemctl restart own'" in steps
    assert "run systemctl restart own" in steps
    assert "reload" not in steps
    assert HAPROXY.interrupts(HAPROXY.compare(running(replaced=True), ())[0])


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
    assert undo == "undo_lasting 'systemctl disable --quiet haproxy'"
    assert enable == "run systemctl enable --quiet haproxy"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (
            1000.0,
            "the node's clock was set back: a file that it reads is from 3600 s in the future, so it may not have",
        ),
        (4600.5, "has not read its files since they changed"),
    ],
)
def test_a_clock_that_was_set_back_is_called_that(now: float, reason: str) -> None:
    """A file from the future is newer than any load, so nobody can know whether it was read."""
    state = replace(running(), newest=4600.0, loaded=900.0, now=now)
    (change,) = HAPROXY.compare(state, ())
    assert change.action == "reload"
    assert change.reason.startswith(reason)


def test_a_node_says_what_time_it_has(seed: Cluster) -> None:
    """By the clock that its files' times are from."""
    script = ProbeScript(seed.preferred, [HAPROXY], {})
    told = subprocess.run(["sh", "-c", script.script()], check=True, capture_output=True, text=True).stdout
    assert abs(script.states(script.answers(told))[HAPROXY.id].now - time.time()) < 60


def test_files_from_the_future_get_the_present_time_before_they_are_read() -> None:
    """Otherwise the service would count as stale until that time has come, however often it is reloaded."""
    state = replace(running(), newest=4600.0, loaded=900.0, now=1000.0)
    script = steps_of(HAPROXY, state)
    assert script.index("not_from_future /etc/haproxy/haproxy.cfg") < script.index("run systemctl reload haproxy")
