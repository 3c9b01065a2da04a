"""Drills, without nodes: what Ctrl-C, a lost connection and a failure leave behind, and what is kept of the results."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import SEED, observe, survey
from click.testing import CliRunner
from drills import result

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.drill import drill
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import ConnectError, InterruptedRunError, LbdeployError, LostError, RemoteError
from lbdeploy.events import Event, RemoteCommand, silent
from lbdeploy.operations.drill import fault_window, faults, recovery
from lbdeploy.operations.drill.drill import Drill
from lbdeploy.operations.drill.fault_window import Breaking
from lbdeploy.operations.drill.faults import kind
from lbdeploy.operations.drill.recovery import Eyes
from lbdeploy.operations.drill.result import DrillResult
from lbdeploy.operations.outage.client import Prober
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.progress import locked


def press(times: int = 1) -> None:
    """Ctrl-C; each has been answered before the next one."""
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


class Doing:
    """An injector that writes down what it does. `during` is done in the middle of a step, by its name."""

    def __init__(self, **during: Callable[[], Any]) -> None:
        self.done: list[str] = []
        self.during = during

    def _do(self, name: str) -> None:
        self.during.get(name, lambda: None)()
        self.done.append(name)

    def arm(self, seconds: float) -> None:
        assert seconds > 0.1
        self._do("arm")

    def break_it(self) -> float:
        self._do("break")
        return time.time()

    def undo(self, *, disarm: bool = True) -> None:
        self._do("undo" if disarm else "undo, still armed")


def raising(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


def broken(cluster: Cluster, injector: Doing, monkeypatch: pytest.MonkeyPatch, hold: float = 0.1) -> Any:
    monkeypatch.setattr(fault_window, "BASELINE", 0.1)
    monkeypatch.setattr(fault_window, "MARGIN", 0.1)
    what = kind("haproxy", cluster.preferred, cluster.vrrp.network)
    return Breaking(what, cluster.preferred, injector, hold, silent).run(Prober([]))


def test_what_was_broken_is_undone_after_a_while(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    injector = Doing()
    at, undone = broken(seed, injector, monkeypatch)
    assert injector.done == ["arm", "break", "undo"]
    assert 0.1 <= undone - at < 5


@pytest.mark.parametrize(
    ("step", "done", "state"),
    [
        ("arm", ["arm", "undo"], "nothing was broken"),
        ("break", ["arm", "break", "undo"], "what was broken is undone (lb1: haproxy is stopped)"),
        ("undo", ["arm", "break", "undo"], "what was broken is undone (lb1: haproxy is stopped)"),
    ],
)
def test_ctrl_c_never_comes_in_the_middle(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch, step: str, done: list[str], state: str
) -> None:
    """What has begun on the node ends before it is undone; and what was armed for nothing is disarmed."""
    injector = Doing(**{step: press})
    with pytest.raises(InterruptedRunError) as caught:
        broken(seed, injector, monkeypatch, 0.1 if step == "undo" else 60)
    assert (injector.done, caught.value.state) == (done, state)


def test_ctrl_c_ends_the_wait(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is broken, it is undone at once."""
    injector, began = Doing(), time.monotonic()
    key = threading.Timer(0.5, press)
    key.start()
    try:
        with pytest.raises(InterruptedRunError, match="interrupted"):
            broken(seed, injector, monkeypatch, 60)
    finally:
        key.cancel()
    assert injector.done == ["arm", "break", "undo"]
    assert time.monotonic() - began < 10


def test_a_second_one_leaves_it_to_the_node(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes on there may come after an undoing from here: what was armed stays so."""
    injector = Doing(**{"break": lambda: press(2)})
    with pytest.raises(InterruptedRunError) as caught:
        broken(seed, injector, monkeypatch, 60)
    assert injector.done == ["arm"]
    assert "lb1: haproxy is stopped; it is undone automatically within 60 s" in str(caught.value.state)


@pytest.mark.parametrize(
    ("error", "undone", "state"),
    [
        (LostError("the connection was lost"), "undo, still armed", "undone automatically within"),
        (RuntimeError("a mistake"), "undo, still armed", ""),
        (RemoteError("it can't be stopped", state="what was begun is undone"), "undo", "what was begun is undone"),
    ],
)
def test_where_it_may_still_be_at_work_it_stays_armed(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch, error: Exception, undone: str, state: str
) -> None:
    """A break whose end nobody has seen may come after its undoing."""
    injector = Doing(**{"break": raising(error)})
    with pytest.raises(type(error)) as caught:
        broken(seed, injector, monkeypatch)
    assert injector.done == ["arm", undone]
    assert state in str(getattr(caught.value, "state", ""))


def test_where_it_cant_be_undone_from_here_the_node_is_waited_for(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost while it is broken ends no drill."""
    injector = Doing(undo=raising(ConnectError("no answer")))
    at, undone = broken(seed, injector, monkeypatch)
    assert undone - at >= 0.2


def test_an_undoing_disarms_unless_it_must_not(seed: Cluster) -> None:
    what = kind("hang", seed.preferred, seed.vrrp.network)
    assert "systemctl stop lbdeploy-drill.timer" in faults.undo(what)
    assert "lbdeploy-drill" not in faults.undo(what, disarm=False)


class Reopening:
    """A pool that writes down which nodes are connected to anew."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.reopened: list[str] = []

    def reopen(self, node: Node) -> None:
        self.reopened.append(node.name)
        if len(self.reopened) < 2:
            raise ConnectError("still booting")


def test_only_a_connection_that_has_failed_is_made_anew(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that boots is tried again and again, and nobody logs in to the others for each look."""
    monkeypatch.setattr(recovery, "POLL_SECONDS", 0.01)
    one, two = (observe(seed, node, holds=node is seed.preferred) for node in seed.nodes)
    away = survey(seed, two, lb1=ConnectError("no answer"))
    looks = iter([away, away, survey(seed, one, two)])
    pool: Any = Reopening(seed.nodes)
    observer: Any = type("Observer", (), {"look": lambda self, wanted: next(looks)})()
    assert Eyes(pool, observer, Wanted({}, frozenset())).until_well(20).verdict.healthy
    assert pool.reopened == ["lb1", "lb1"]


def test_what_goes_over_the_wire_is_for_the_log(seed: Cluster) -> None:
    """Also of the connections whose failures are part of the drill."""
    told: list[Event] = []
    wire = RemoteCommand("lb1", "sh", "true", "", 0.1, 0)
    course = Drill(seed, seed.ssh, told.append, "test")
    course._wire(wire)
    course._wire(faults.Kind)  # type: ignore[arg-type]
    assert told == [wire]


def test_who_finds_the_cluster_locked_is_told_nothing_that_its_command_lacks() -> None:
    """`drill` has no --lock-wait, and its advice is not to run `up`."""
    fix = str(locked("lb1", "ann@laptop").fix)
    assert fix.startswith("wait for it to end, and try again")
    assert "lbdeploy up" not in fix


Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `lbdeploy --json drill` with drills that give, or raise, these: exit code, document, and what people see."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(outcomes: list[DrillResult | BaseException], *args: str) -> tuple[int, Any, str]:
        each = iter(outcomes)

        def drilled(self: Drill, *_: object, **__: object) -> DrillResult:
            found = next(each)
            if isinstance(found, BaseException):
                raise found
            return found

        monkeypatch.setattr(Drill, "run", drilled)
        app = App()
        app.file, app.json, app.command = SEED, True, "drill"
        done = CliRunner().invoke(drill, list(args), obj=app, standalone_mode=False)
        if done.exception:
            raise done.exception
        return app.exit_code, json.loads(done.stdout), done.stderr

    return call


def seeded() -> DrillResult:
    return result(reader.load(SEED))


def test_an_outage_that_was_too_long_is_an_error_in_the_document(run: Run) -> None:
    """And so is a cluster that is not healthy afterwards; what was measured is there all the same."""
    code, document, _ = run([seeded()], "haproxy")
    assert (code, "error" in document) == (0, False)
    code, document, _ = run([replace(seeded(), expected=0.5)], "haproxy")
    assert (code, document["outage_ms"], document["error"]["type"]) == (6, 1220, "Drill")
    assert "the outage was 1.22 s, longer than predicted: at most 0.50 s" in document["error"]["message"]
    code, document, _ = run([replace(seeded(), healthy=False, after=("lb1: haproxy hangs",))], "haproxy")
    assert (code, document["healthy"]) == (6, False)
    assert document["error"]["message"] == "the cluster is not healthy afterwards; lb1: haproxy hangs"


@pytest.mark.parametrize(
    ("stop", "code", "kind_of"),
    [
        (LostError("the connection was lost"), 4, "Lost"),
        (InterruptedRunError("interrupted", state="what was broken is undone"), 130, "InterruptedRun"),
        (KeyboardInterrupt(), 130, "InterruptedRun"),
    ],
)
def test_what_earlier_drills_measured_is_kept(
    run: Run, tmp_path: Path, stop: BaseException, code: int, kind_of: str
) -> None:
    """`--all`: whatever stops a later one, the document and the page have those that ended, and what stopped it."""
    page = tmp_path / "drill.html"
    found, document, said = run([seeded(), stop], "--all", "--report", str(page))
    assert (found, document["exit_code"]) == (code, code)
    assert [each["outage_ms"] for each in document["drills"]] == [1220]
    assert document["error"]["type"] == kind_of
    assert "lb2 enters MASTER" in " ".join(page.read_text().replace("<td>", " ").replace("</td>", " ").split())
    assert "error: " in said


def test_where_nothing_was_measured_the_error_is_all(run: Run) -> None:
    with pytest.raises(LbdeployError, match="not healthy"):
        run([LbdeployError("the cluster is not healthy")], "haproxy")


def test_a_page_that_cant_be_written_is_refused_before_anything_is_contacted(run: Run, tmp_path: Path) -> None:
    """After an outage it would be too late; and trying it leaves nothing behind."""
    with pytest.raises(LbdeployError, match="No such file or directory") as caught:
        run([AssertionError("it was contacted")], "haproxy", "--report", str(tmp_path / "no" / "drill.html"))
    assert (caught.value.exit_code, caught.value.state) == (2, "nothing was contacted")
    page = tmp_path / "drill.html"
    with pytest.raises(LbdeployError, match="refused"):
        run([LbdeployError("refused")], "haproxy", "--report", str(page))
    assert not page.exists()


def test_a_page_that_cant_be_written_after_all_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full by then: the document has what was measured, and the error."""
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: raising(full)())
    code, document, said = run([seeded()], "haproxy", "--report", str(tmp_path / "drill.html"))
    assert (code, document["outage_ms"]) == (1, 1220)
    assert "No space left on device" in document["error"]["message"]
    assert "No space left" in said
