"""The lock of a cluster: what holds it on a node, run by a real shell on files here, and who gets it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import ConnectError, LbdeployError, LockedError, LostError
from lbdeploy.events import Event, silent
from lbdeploy.rollout.lock import Lock, locking, refuse_outrun, unless_outrun

pytestmark = pytest.mark.terminal

ANN, BOB = "ann@laptop (process 7), since 2026-11-23: lbdeploy up", "bob@desk (process 8): lbdeploy up"

RUN = "lbdeploy.service"
DRILLS = [f"lbdeploy-drill{each}" for each in (".service", ".timer", "-break.service", "-break.timer")]


class Shell:
    """A node's session that runs what is to hold the lock in a shell here. Only systemctl is stood in for."""

    def __init__(self, shell: str, systemctl: str = "return 1") -> None:
        self.shell = shell
        self.systemctl = systemctl
        self.held: list[Held] = []

    def hold(self, script: str, mark: str) -> tuple[Held, str]:
        process = subprocess.Popen([self.shell, "-s"], stdin=-1, stdout=-1, stderr=subprocess.STDOUT, text=True)
        self.held.append(Held(process))
        self.held[-1].send(f"systemctl() {{ {self.systemctl}; }}\n{script}")
        assert process.stdout
        return self.held[-1], process.stdout.readline().removeprefix(mark).strip()


class Held:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def beat(self) -> None:
        if self.alive:
            self.send("\n")

    def release(self) -> None:
        assert self.process.stdin
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(timeout=10)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the lock lies here; and no waiting for long."""
    monkeypatch.setattr("lbdeploy.rollout.lock.LOCK", str(tmp_path / "run/lock"))
    monkeypatch.setattr("lbdeploy.rollout.lock.JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setattr("lbdeploy.rollout.lock.RETRY_SECONDS", 0.05)
    monkeypatch.setattr("lbdeploy.rollout.lock.TRANSIENT_UNITS_FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    made = Shell(request.param)
    yield made
    for held in made.held:
        held.release()


def taken(shell: Shell, node: Node, about: str = ANN) -> Lock:
    lock = Lock(about)
    lock.take(node, shell)  # type: ignore[arg-type]
    return lock


def test_one_run_holds_the_lock_and_the_others_learn_who_it_is(shell: Shell, seed: Cluster) -> None:
    """The second one is refused, and the third gets it once the first has let go."""
    first = taken(shell, seed.preferred)
    first.check("again")
    with pytest.raises(LockedError, match=r"another run is at work: ann@laptop \(process 7\)") as caught:
        taken(shell, seed.preferred, BOB)
    assert (caught.value.node, caught.value.exit_code) == ("lb1", 5)
    first.release()
    taken(shell, seed.preferred, BOB).check("again")


def test_nobody_else_can_read_or_remove_it(shell: Shell, seed: Cluster, place: Path) -> None:
    """Root's folder, and root's file in it."""
    taken(shell, seed.preferred)
    assert ((place / "run").stat().st_mode & 0o777, (place / "run/lock").stat().st_mode & 0o777) == (0o700, 0o600)
    assert (place / "run/lock").read_text() == f"{ANN}\n"


def test_what_the_last_run_was_is_known_from_then_on(shell: Shell, seed: Cluster, place: Path) -> None:
    """Nobody else can change the node any more, so a plan that was made after that run still holds."""
    assert taken(shell, seed.preferred).runs == {"lb1": ""}
    shell.held[0].release()
    (place / "journal").write_text("run 20261123T092201.123Z\nabout ann\nrunning away\nexit 0\n")
    assert taken(shell, seed.preferred).runs == {"lb1": "20261123T092201.123Z"}


def test_the_end_of_the_connection_frees_it(shell: Shell, seed: Cluster) -> None:
    """A laptop that is gone holds nothing."""
    lock = taken(shell, seed.preferred)
    shell.held[0].release()
    with pytest.raises(LostError, match="released the lock") as caught:
        lock.check("again")
    assert (caught.value.node, caught.value.state) == ("lb1", "nothing more was changed")


def test_silence_frees_it_and_a_word_now_and_then_keeps_it(
    place: Path, seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that nobody has ended may be dead all the same."""
    monkeypatch.setattr("lbdeploy.rollout.lock.SILENCE_SECONDS", 1)
    monkeypatch.setattr("lbdeploy.rollout.lock.BEAT_SECONDS", 0.1)
    shells = {(name, beating): Shell(name) for name in ("dash", "bash") for beating in (True, False)}
    locks = []
    for (name, beating), shell in shells.items():
        monkeypatch.setattr("lbdeploy.rollout.lock.LOCK", str(place / f"{name}-{beating}/lock"))
        locks.append(taken(shell, seed.preferred))
        if beating:
            locks[-1].keep()
    until = time.monotonic() + 20
    while any(shell.held[0].alive for (_, beating), shell in shells.items() if not beating):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert all(shell.held[0].alive for (_, beating), shell in shells.items() if beating)
    for lock in locks:
        lock.release()


def test_a_change_that_goes_on_by_itself_is_a_lock_too(shell: Shell, seed: Cluster, place: Path) -> None:
    """Its operator has disconnected, but the node has not come to the end of it."""
    (place / RUN).touch()
    state = '[ "$1" != is-active ] && echo "lbdeploy: $OLD" || echo $STATE'.replace("$OLD", BOB)
    for each in ("active", "activating", "deactivating"):
        shell.systemctl = state.replace("$STATE", each)
        with pytest.raises(LockedError) as caught:
            taken(shell, seed.preferred)
    assert f"{BOB} (its operator has disconnected; the node ends it by itself)" in caught.value.message
    shell.systemctl = "echo inactive; return 3"
    taken(shell, seed.preferred).check("again")


@pytest.mark.parametrize("unit", DRILLS)
@pytest.mark.parametrize("state", ["active", "activating"])
def test_a_drill_that_was_killed_is_a_lock_until_it_is_undone(
    shell: Shell, seed: Cluster, place: Path, unit: str, state: str
) -> None:
    """Whether its break or its repair still waits, or is at work."""
    for each in (RUN, *DRILLS):
        (place / each).touch()
    shell.systemctl = f'[ "$*" = "is-active {unit}" ] && echo {state} || echo inactive'
    with pytest.raises(LockedError, match=r"a drill that was killed \(the node undoes by itself what it broke\)"):
        taken(shell, seed.preferred)
    shell.systemctl = "echo inactive; return 3"
    taken(shell, seed.preferred).check("again")


def test_a_unit_whose_file_has_gone_is_not_asked_of(shell: Shell, seed: Cluster) -> None:
    """systemd 252 writes an error to the node's journal, each time."""
    shell.systemctl = "echo active"
    taken(shell, seed.preferred).check("again")


@pytest.mark.parametrize(("told", "locked"), [("activating\\n\\n", True), ("inactive\\n123\\n", True),
                                              ("inactive\\n\\n", False), ("failed\\n\\n", False)])  # fmt: skip
def test_what_a_node_undoes_as_it_boots_is_a_lock_too(
    shell: Shell, seed: Cluster, place: Path, monkeypatch: pytest.MonkeyPatch, told: str, locked: bool
) -> None:
    """Also while it waits for its turn, as for the network; not where it has ended, or is armed for the next boot."""
    armed = place / "lbdeploy-undo.service"
    monkeypatch.setattr("lbdeploy.rollout.lock.ARMED", str(armed))
    shell.systemctl = f'[ $1 != show ] || printf "{told}"'
    taken(shell, seed.preferred).release()  # nothing is armed
    armed.touch()
    with pytest.raises(LockedError, match="when this node lost its power") if locked else nullcontext():
        taken(shell, seed.preferred)


@pytest.mark.parametrize("about", ['it\'s $(id) `id` \\ %s "x"', "-n", "#"])
def test_anybody_may_be_named_anything(shell: Shell, seed: Cluster, about: str) -> None:
    """Who it is comes through unharmed."""
    taken(shell, seed.preferred, about)
    with pytest.raises(LockedError) as caught:
        taken(shell, seed.preferred, "x")
    assert caught.value.message == f"another run is at work: {about}"


# The lock of all nodes


class SessionPool:
    """Nodes side by side, one after the other: each a session of its own, with a lock file of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.sessions = {name: Shell("dash") for name in ("lb1", "lb2")}
        self.order: list[str] = []
        self.lost: dict[str, LbdeployError] = {}

    def each(self, nodes: Any, work: Callable[[Node, Any], Any]) -> dict[str, Any]:
        return {node.name: self._one(node, work) for node in nodes}

    def _one(self, node: Node, work: Callable[[Node, Any], Any]) -> Any:
        self.order.append(node.name)
        self.patch.setattr("lbdeploy.rollout.lock.LOCK", str(self.folder / node.name / "lock"))
        if node.name in self.lost:
            return self.lost[node.name]
        try:
            return work(node, self.sessions[node.name])
        except LbdeployError as error:
            return error

    @property
    def alive(self) -> list[str]:
        return [name for name, shell in self.sessions.items() if any(held.alive for held in shell.held)]


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionPool]:
    made = SessionPool(tmp_path, monkeypatch)
    yield made
    for shell in made.sessions.values():
        for held in shell.held:
            held.release()


def test_every_node_is_locked_for_the_time_of_a_run(pool: SessionPool, seed: Cluster) -> None:
    """The first by name comes first, so that of two runs that begin at once exactly one gets through."""
    with locking(pool, seed.nodes[::-1], ANN, 0, silent) as lock:  # type: ignore[arg-type]
        assert pool.order == ["lb1", "lb2"]
        assert pool.alive == ["lb1", "lb2"]
        assert lock.runs == {"lb1": "", "lb2": ""}
    assert pool.alive == []


def test_a_node_that_was_started_again_is_locked_again(pool: SessionPool, seed: Cluster) -> None:
    """Its lock has gone with its power; another run may have taken it since, which is said."""
    with locking(pool, seed.nodes, ANN, 0, silent) as lock:  # type: ignore[arg-type]
        pool.sessions["lb1"].held[0].release()
        with pytest.raises(LostError):
            lock.check("again")
        other = Lock(BOB)
        pool.each(seed.nodes[:1], other.take)
        with pytest.raises(LockedError, match="bob@desk"):
            lock.take_again(seed.node("lb1"), pool)  # type: ignore[arg-type]
        other.release()
        lock.take_again(seed.node("lb1"), pool)  # type: ignore[arg-type]
        lock.check("again")
        assert pool.alive == ["lb1", "lb2"]
    assert pool.alive == []


def test_a_run_that_fails_lets_go(pool: SessionPool, seed: Cluster) -> None:
    """However the block ends, the locks end with it."""
    with pytest.raises(ZeroDivisionError), locking(pool, seed.nodes, ANN, 0, silent):  # type: ignore[arg-type]
        raise ZeroDivisionError
    assert pool.alive == []


@pytest.mark.parametrize("error", [ConnectError("no answer"), LockedError("another run is at work: bob")])
def test_a_run_that_does_not_get_all_locks_has_none(pool: SessionPool, seed: Cluster, error: LbdeployError) -> None:
    """What it had taken already is free again, and its error is the one that stopped it."""
    pool.lost["lb2"] = error
    with pytest.raises(type(error)) as caught, locking(pool, seed.nodes, ANN, 0, silent):  # type: ignore[arg-type]
        pytest.fail("it was locked")
    assert caught.value is error
    assert pool.alive == []


def test_another_run_is_waited_for(pool: SessionPool, seed: Cluster) -> None:
    """As long as was asked for, and it is told whom one waits for."""
    told: list[Event] = []
    other = Lock(BOB)
    pool.each(seed.nodes[:1], other.take)
    threading.Timer(0.3, other.release).start()
    with locking(pool, seed.nodes, ANN, 10, told.append):  # type: ignore[arg-type]
        assert pool.alive == ["lb1", "lb2"]
    assert {getattr(each, "text", "") for each in told} == {f"waiting for the lock: another run is at work: {BOB}"}


def test_another_run_is_not_waited_for_longer_than_that(pool: SessionPool, seed: Cluster) -> None:
    """Then its error is the run's."""
    other = Lock(BOB)
    pool.each(seed.nodes[:1], other.take)
    with pytest.raises(LockedError, match="bob@desk"), locking(pool, seed.nodes, ANN, 0.2, silent):  # type: ignore[arg-type]
        pytest.fail("it was locked")
    other.release()
    assert pool.alive == []


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_comes_late_is_done_only_where_no_other_run_has_had_the_lock_since(place: Path, shell: str) -> None:
    """Nobody has, where the lock still says whose it was, or a reboot has cleared it."""

    def done() -> str:
        script = f"{unless_outrun(ANN)}echo done\n"
        return subprocess.run([shell, "-s"], input=script, text=True, check=True, capture_output=True).stdout

    assert done() == "done\n"
    (place / "run").mkdir()
    (place / "run/lock").write_text(f"{ANN}\n")
    assert done() == "done\n"
    refuse_outrun("lb1", done())
    (place / "run/lock").write_text(f"{BOB}\n")
    with pytest.raises(LockedError, match="another run has had the lock since: bob@desk"):
        refuse_outrun("lb1", done())
