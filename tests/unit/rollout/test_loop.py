"""The run loop, without nodes: what comes when, what stops it, and what it says then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lbdeploy.common.typed import Typed, typed
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import InterruptedRunError, LbdeployError, LockedError, LostError, RebootedError, RemoteError
from lbdeploy.events import silent
from lbdeploy.planning.plan import Strategy
from lbdeploy.rollout.loop import RunContext, RunLoop, Start, Wording
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.request import Options

WORDING = Wording(
    "{} done",
    "asked again",
    "halted",
    "interrupted",
    "outdated",
    "look",
    typed("undo", "7"),
    typed("undo", "7", "--ask"),
)
WANTED = Wanted({}, frozenset())


def plan(*names: str, text: str = "", way: Strategy = Strategy.RELOAD) -> Any:
    """A plan with a stage for each of the nodes."""
    stages = tuple(
        SimpleNamespace(names=(name,), way=way, to_json=lambda name=name: {"nodes": name, "cost": text})
        for name in names
    )
    order = tuple((name,) for name in names)
    return SimpleNamespace(changes=names, stages=stages, order=order, to_json=lambda: [*names, text])


class Purposeful:
    """A purpose that writes down what it is asked; `stop` is what happens in the stage of a node."""

    wording = WORDING

    def __init__(self, *plans: Any, runs: str = "1", settles: bool = True) -> None:
        self.said: list[str] = []
        self.stop: dict[str, Callable[[], None]] = {}
        self.settles = settles
        self._plans = iter(plans)
        self._runs = runs
        self.preempting: dict[str, float] = {}

    def survey(self, what: str) -> Any:
        self.said.append(what)
        found = {"runs": {"lb1": self._runs}, "undecided": self._runs == "under way"}
        return SimpleNamespace(seen={"lb1": None}, what=what, preempting=self.preempting, **found)

    def start(self) -> Start:
        return Start(self.survey("start"), WANTED, next(self._plans))

    def perform(self, start: Start, stage: Any, before: Any) -> None:
        self.said.append(f"{stage.names[0]} after {before.what}")
        self.stop.pop(stage.names[0], lambda: None)()

    def look(self, start: Start) -> Any:
        return self.survey("look")

    def recover(self, error: LbdeployError, start: Start, done: Sequence[str]) -> Start:
        if isinstance(error, RebootedError):
            return Start(self.survey("reboot"), WANTED, next(self._plans))
        raise error.but(state=f"{', '.join(done)} done")

    def end(self, start: Start, done: tuple[str, ...]) -> Any:
        return self.survey("end")


class Locked:
    """The lock of a cluster whose last run was "1"; it may be lost."""

    def __init__(self) -> None:
        self.runs = {"lb1": "1"}
        self.again: list[str] = []
        self.refusal: LbdeployError | None = None
        self.lost = False

    def take_again(self, node: Node, _: object) -> None:
        self.again.append(node.name)
        if self.refusal:
            raise self.refusal

    def check(self, fix: str) -> None:
        if self.lost:
            raise LostError("the lock is lost", fix=fix)


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Locked:
    made = Locked()

    @contextmanager
    def taken(*_: object) -> Iterator[Locked]:
        yield made

    monkeypatch.setattr("lbdeploy.rollout.loop.locking", taken)
    return made


@pytest.fixture
def context(seed: Cluster, lock: Locked) -> RunContext:
    pool: Any = SimpleNamespace(nodes=seed.nodes)
    origin: Any = SimpleNamespace(about="ann")
    return RunContext(seed, pool, silent, origin, Options())


def raising(error: BaseException) -> Callable[[], None]:
    def stop() -> None:
        raise error

    return stop


def test_stages_follow_each_other_and_each_knows_the_nodes_before_it(context: RunContext) -> None:
    """The nodes are looked at between two stages, and once more in the end."""
    purpose = Purposeful(plan("lb2", "lb1"))
    end = RunLoop(context, purpose).run()
    assert purpose.said == ["start", "lb2 after start", "look", "lb1 after look", "end"]
    assert (end.done, end.survey.what) == (("lb2", "lb1"), "end")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("left", "way", "waits"),
    [(2.0, Strategy.REELECT, True), (0.1, Strategy.REELECT, True), (31.0, Strategy.REELECT, False),
     (2.0, Strategy.AWAY, False), (2.0, Strategy.RELOAD, False)],
)  # fmt: skip
def test_vips_that_are_about_to_move_are_waited_for(
    left: float, way: Strategy, waits: bool, context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would move in the middle of a change, which is planned anew after that; not where that is far away."""
    purpose = Purposeful(plan("lb2", way=way), plan("lb2", way=way))
    purpose.preempting = {"lb1": left}

    def look(_: object) -> Any:
        purpose.preempting = {} if left > 1 else purpose.preempting  # or it does not take them after all
        return purpose.survey("wait")

    monkeypatch.setattr(context.observer, "look", look)
    heard: list[Any] = []
    context.emit = heard.append
    end = RunLoop(context, purpose).run()
    assert [each.text for each in heard] == [
        "waiting until lb1 has the VIPs: it is about to take them, by its higher priority"
    ] * waits
    assert ("wait" in purpose.said, purpose.said.count("start")) == (waits, 1 + waits)
    assert end.done == ("lb2",)


def test_where_nothing_is_to_be_changed_nobody_is_asked_or_locked_out(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lbdeploy.rollout.loop.locking", None)
    purpose = Purposeful(plan())
    assert RunLoop(context, purpose).run(raising(AssertionError())).done == ()  # type: ignore[arg-type]
    assert purpose.said == ["start", "end"]


def test_what_another_run_may_still_undo_is_not_yet_done(context: RunContext) -> None:
    """Nothing is left to do, but a node waits for its confirmation: it is looked at again once the lock is free."""
    undone = Purposeful(plan(), plan("lb1"), plan("lb1"), runs="under way")
    assert RunLoop(context, undone).run().done == ("lb1",)
    kept = Purposeful(plan(), plan(), runs="under way")
    assert RunLoop(context, kept).run().done == ()
    assert kept.said == ["start", "start", "end"]


def test_a_plan_that_is_not_approved_changes_nothing(context: RunContext) -> None:
    purpose = Purposeful(plan("lb1"))
    with pytest.raises(InterruptedRunError) as caught:
        RunLoop(context, purpose).run(lambda _: False)
    assert (caught.value.state, caught.value.fix) == ("nothing was changed", "asked again")
    assert purpose.said == ["start"]


def test_another_run_meanwhile_makes_the_plan_anew(context: RunContext) -> None:
    """What was approved counts: a different plan is refused, the same one is carried out."""
    purpose = Purposeful(plan("lb1"), plan("lb1", text="other"), runs="0")
    with pytest.raises(RemoteError, match="outdated"):
        RunLoop(context, purpose).run(lambda _: True)
    assert purpose.said == ["start", "start"]
    assert RunLoop(context, Purposeful(plan("lb1"), plan("lb1"), runs="0")).run(lambda _: True).done == ("lb1",)
    unasked = Purposeful(plan("lb1"), plan("lb2"), runs="0")
    assert RunLoop(context, unasked).run().done == ("lb2",)


def test_a_look_that_has_become_old_is_not_acted_upon(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody was asked, the lock was waited for, or the laptop slept: VIPs may have moved, which no journal tells."""
    purpose = Purposeful(plan("lb2"), plan("lb1"))
    monkeypatch.setattr("lbdeploy.rollout.loop.time", SimpleNamespace(time=iter((1000.0, 1002.0)).__next__))
    assert RunLoop(context, purpose).run().done == ("lb1",)
    monkeypatch.setattr("lbdeploy.rollout.loop.time", SimpleNamespace(time=iter((1000.0, 1000.5)).__next__))
    assert RunLoop(context, Purposeful(plan("lb2"), plan("lb1"))).run().done == ("lb2",)


@pytest.mark.parametrize(("settles", "stopped"), [(True, True), (False, False)])
def test_ctrl_c_stops_between_stages(context: RunContext, *, settles: bool, stopped: bool) -> None:
    """It says which nodes are done and which are not; after the last stage it counts where the end takes a while."""
    purpose = Purposeful(plan("lb2", "lb1"))
    purpose.stop["lb2"] = lambda: setattr(context.interrupt, "asked", True)
    with pytest.raises(InterruptedRunError) as caught:
        RunLoop(context, purpose).run()
    assert (caught.value.state, caught.value.fix) == ("lb2 done; lb1 left as it was", "halted")
    context.interrupt.asked = False
    late = Purposeful(plan("lb1"), settles=settles)
    late.stop["lb1"] = lambda: setattr(context.interrupt, "asked", True)
    if stopped:
        with pytest.raises(InterruptedRunError, match="interrupted"):
            RunLoop(context, late).run()
    else:
        assert RunLoop(context, late).run().done == ("lb1",)


def test_a_second_ctrl_c_leaves_in_the_middle_of_a_stage(context: RunContext) -> None:
    """What the nodes do by themselves then is said, and what is done already."""
    purpose = Purposeful(plan("lb2", "lb1"))
    purpose.stop["lb1"] = raising(KeyboardInterrupt())
    with pytest.raises(InterruptedRunError) as caught:
        RunLoop(context, purpose).run()
    assert (caught.value.state, caught.value.fix) == ("lb2 done", "interrupted")


def test_a_lock_that_is_lost_stops_the_run_before_the_next_stage(context: RunContext, lock: Locked) -> None:
    purpose = Purposeful(plan("lb2", "lb1"))
    purpose.stop["lb2"] = lambda: setattr(lock, "lost", True)
    with pytest.raises(LostError) as caught:
        RunLoop(context, purpose).run()
    assert caught.value.fix == "halted"
    assert purpose.said == ["start", "lb2 after start", "look"]


def test_after_a_reboot_the_run_continues_with_what_is_left_to_do(context: RunContext, lock: Locked) -> None:
    """The node's lock is gone with it, and is taken again."""
    purpose = Purposeful(plan("lb2", "lb1"), plan("lb1"))
    purpose.stop["lb1"] = raising(RebootedError("rebooted", node="lb1"))
    assert RunLoop(context, purpose).run().done == ("lb2", "lb1")
    assert purpose.said == ["start", "lb2 after start", "look", "lb1 after look", "reboot", "lb1 after reboot", "end"]
    assert lock.again == ["lb1"]


def test_a_node_that_another_run_has_locked_after_its_reboot_is_left_to_it(
    context: RunContext, lock: Locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for, and then the run ends, saying what it has done and how that node is."""
    monkeypatch.setattr("lbdeploy.rollout.loop.LOCK_AGAIN_SECONDS", 0.0)
    purpose = Purposeful(plan("lb2", "lb1"))
    purpose.stop["lb1"] = raising(RebootedError("rebooted", node="lb1", state="what it had begun was interrupted"))
    lock.refusal = LockedError("bob has it", node="lb1", fix="later")
    with pytest.raises(LockedError) as caught:
        RunLoop(context, purpose).run()
    assert caught.value.state == "what it had begun was interrupted; lb2 done"
    assert caught.value.fix == "later"


def test_what_is_done_is_known_after_a_reboot(context: RunContext) -> None:
    """A failure, Ctrl-C in mid-stage and Ctrl-C between stages say so, though the plan after it no longer has that."""

    def rebooted(then: BaseException | None = None) -> Purposeful:
        purpose = Purposeful(plan("lb3", "lb2", "lb1"), plan("lb2", "lb1"))
        after = {"lb2": then} if then else {}

        def reboot() -> None:
            purpose.stop |= {name: raising(error) for name, error in after.items()}
            context.interrupt.asked = not then
            raise RebootedError("rebooted", node="lb2")

        purpose.stop["lb2"] = reboot
        return purpose

    with pytest.raises(RemoteError) as failed:
        RunLoop(context, rebooted(RemoteError("haproxy failed", node="lb2"))).run()
    assert failed.value.state == "lb3 done"
    with pytest.raises(InterruptedRunError) as interrupted:
        RunLoop(context, rebooted(KeyboardInterrupt())).run()
    assert interrupted.value.state == "lb3 done"
    with pytest.raises(InterruptedRunError) as halted:
        RunLoop(context, rebooted()).run()
    assert halted.value.state == "lb3 done; lb2 and lb1 left as it was"


def test_the_lock_is_needed_until_the_last_stage_of_a_node(context: RunContext, lock: Locked) -> None:
    """Also where each node has had a stage already."""
    purpose = Purposeful(plan("lb1", "lb1"))
    purpose.stop["lb1"] = lambda: setattr(lock, "lost", True)
    with pytest.raises(LostError):
        RunLoop(context, purpose).run()
    assert purpose.said == ["start", "lb1 after start", "look"]


def test_a_stage_that_fails_ends_the_run_as_its_purpose_says(context: RunContext, lock: Locked) -> None:
    purpose = Purposeful(plan("lb2", "lb1"))
    purpose.stop["lb1"] = raising(RemoteError("haproxy failed", node="lb1"))
    with pytest.raises(RemoteError, match="haproxy failed") as caught:
        RunLoop(context, purpose).run()
    assert caught.value.state == "lb2 done"
    assert lock.again == []


FORCED = typed("up", "--force-last", before="bring it back; or anyway: ")


@pytest.mark.parametrize(
    ("fix", "told", "words"),
    [
        (typed("up", before="fix the cause, then: "), "fix the cause, then: lbdeploy undo 7", ["undo", "7"]),
        (typed("up", after=" repairs it"), "lbdeploy undo 7 repairs it", ["undo", "7"]),
        (
            typed("plan", after=" shows what is left"),
            "lbdeploy undo 7 --ask shows what is left",
            ["undo", "7", "--ask"],
        ),
        (typed("verify", after="; or: lbdeploy up"), "lbdeploy verify; or: lbdeploy up", ["verify"]),
        (FORCED, "bring it back", None),
        ("reinstall it", "reinstall it", None),
        (None, None, None),
    ],
)
def test_what_an_error_advises_is_the_run_that_failed(
    context: RunContext, fix: str | None, told: str | None, words: list[str] | None
) -> None:
    """Where code below speaks of `up` and `plan`: as words, and as a command for programs."""
    purpose = Purposeful(plan("lb1"))
    purpose.stop["lb1"] = raising(RemoteError("haproxy failed", node="lb1", fix=fix))
    with pytest.raises(RemoteError) as caught:
        RunLoop(context, purpose).run()
    assert caught.value.fix == told
    command = caught.value.to_json().get("fix_command")
    assert command == (["lbdeploy", *words] if words else None)


def test_what_can_be_forced_is_no_command_for_programs() -> None:
    """A command that can do that names itself; a program that does what it reads does not force anything."""
    told = replace(WORDING, forced="lbdeploy undo 7 --force-last").advice(FORCED)
    assert told == "bring it back; or anyway: lbdeploy undo 7 --force-last"
    assert not isinstance(told, Typed)


def test_a_refusal_advises_the_run_that_was_refused(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is changed."""
    purpose = Purposeful(plan("lb1"))
    monkeypatch.setattr(purpose, "start", raising(RemoteError("it is not fit", fix=typed("up"))))
    with pytest.raises(RemoteError) as caught:
        RunLoop(context, purpose).run()
    assert caught.value.fix == "lbdeploy undo 7"
