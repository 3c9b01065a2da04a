"""While something is broken on purpose: how it is undone, also where the operator interrupts it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from drills import raising

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, InterruptedRunError, LockedError, LostError, RemoteError
from lbdeploy.events import silent
from lbdeploy.operations.drill import fault_window
from lbdeploy.operations.drill import injector as injectors
from lbdeploy.operations.drill.fault_window import Breaking
from lbdeploy.operations.drill.faults import FaultTarget, kind, of_server
from lbdeploy.operations.drill.injector import OperatorInjector
from lbdeploy.operations.outage.client import Prober
from lbdeploy.rollout.lock import unless_outrun
from lbdeploy.ssh.transport.session import CommandResult


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

    def break_it(self, seconds: float) -> float:
        assert seconds > 0.1
        self._do("break")
        return time.time()

    def undo(self, *, disarm: bool = True) -> None:
        self._do("undo" if disarm else "undo, still armed")


def broken(cluster: Cluster, injector: Doing, monkeypatch: pytest.MonkeyPatch, hold: float = 0.1) -> Any:
    monkeypatch.setattr(fault_window, "BASELINE", 0.1)
    monkeypatch.setattr(fault_window, "MARGIN", 0.1)
    target = FaultTarget("lb1", kind("haproxy", cluster, cluster.preferred), cluster.preferred)
    return Breaking(target, injector, hold, silent).run(Prober([]))


def test_what_was_broken_is_undone_after_a_while(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    injector = Doing()
    at, undone = broken(seed, injector, monkeypatch)
    assert injector.done == ["break", "undo"]
    assert 0.1 <= undone - at < 5


@pytest.mark.parametrize(
    ("step", "done", "state"),
    [
        ("break", ["break", "undo"], "what was broken is undone (lb1: haproxy is stopped)"),
        ("undo", ["break", "undo"], "what was broken is undone (lb1: haproxy is stopped)"),
    ],
)
def test_ctrl_c_never_comes_in_the_middle(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch, step: str, done: list[str], state: str
) -> None:
    """What has begun on the node ends before it is undone."""
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
    assert injector.done == ["break", "undo"]
    assert time.monotonic() - began < 10


def test_ctrl_c_before_it_has_nothing_broken(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor undone."""
    injector = Doing()
    monkeypatch.setattr(fault_window.Breaking, "_probe", lambda *_: press())
    with pytest.raises(InterruptedRunError) as caught:
        broken(seed, injector, monkeypatch, 60)
    assert (injector.done, caught.value.state) == ([], "nothing was broken")


def test_where_another_run_has_had_the_node_since_nothing_is_undone(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was broken; and what that run has stopped would be started."""
    injector = Doing(**{"break": raising(LockedError("another run has had the lock since: bob"))})
    with pytest.raises(LockedError):
        broken(seed, injector, monkeypatch)
    assert injector.done == []


def test_a_node_that_another_run_has_had_since_is_neither_broken_nor_repaired(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept has lost its lock: the node itself looks whose it is, in the script that would break it."""
    sent: list[str] = []

    def on(pool: object, node: object, script: str) -> CommandResult:
        sent.append(script)
        return CommandResult("@@lbdeploy outrun bob: lbdeploy up\n", 0)

    monkeypatch.setattr(injectors, "on", on)
    notes: list[Any] = []
    given: Any = {**dict.fromkeys(("cluster", "ssh", "pool", "clock")), "emit": notes.append}
    drilled = injectors.OnNode(kind("hang", seed, seed.preferred), seed.preferred, "ann: lbdeploy drill", **given)
    with pytest.raises(LockedError, match="another run has had the lock since: bob: lbdeploy up"):
        drilled.break_it(8)
    drilled.undo()  # by the node itself, long before that run could begin
    assert [note.text for note in notes] == ["another run has had the lock since: it was undone by the node itself"]
    assert all(script.startswith(unless_outrun("ann: lbdeploy drill")) for script in sent)
    assert len(sent) == 2


def test_a_second_one_leaves_it_to_the_node(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes on there may come after an undoing from here: what was armed stays so."""
    injector = Doing(**{"break": lambda: press(2)})
    with pytest.raises(InterruptedRunError) as caught:
        broken(seed, injector, monkeypatch, 60)
    assert injector.done == []
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
    assert injector.done == [undone]
    assert state in str(getattr(caught.value, "state", ""))


def test_where_it_cant_be_undone_from_here_the_node_is_waited_for(
    seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost while it is broken ends no drill."""
    injector = Doing(undo=raising(ConnectError("no answer")))
    at, undone = broken(seed, injector, monkeypatch)
    assert undone - at >= 0.2


def test_what_only_a_hand_can_do_is_asked_for() -> None:
    """When to do it, and when to undo it; nothing, where it has not come to that."""
    told: list[str] = []
    target = FaultTarget("master2", of_server("server"))
    hand = OperatorInjector(target, 60.0, lambda event: told.append(event.text))
    hand.undo()
    assert told == []
    assert hand.break_it(70.0) == pytest.approx(time.time(), abs=5)
    hand.undo()
    assert told == [
        "now, on master2: cut its power. What clients see is measured for 60 s",
        "now start master2 again; that is waited for",
    ]
