"""What is waited for before a node is judged."""

from __future__ import annotations

from typing import Any, cast

import pytest
from builders import NOW, observe, running, stopped, survey
from goldens import SEED

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.health.fitness import booting, starting
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import FAULT_STATE, Observation
from lbdeploy.rollout import observer
from lbdeploy.rollout.observer import Observer, Wanted
from lbdeploy.rollout.survey import Survey

WANTED = Wanted({}, frozenset())


class Looks(Observer):
    """An observer that sees the given surveys, one after the other, and then the last one for ever."""

    def __init__(self, *surveys: Survey) -> None:
        self.told: list[str] = []
        super().__init__(surveys[0].cluster, cast("Any", Nobody()), lambda event: self.told.append(str(event)))
        self.surveys = list(surveys)

    def look(self, wanted: Wanted, more: Any = None, ask: Any = ()) -> Survey:
        return self.surveys.pop(0) if len(self.surveys) > 1 else self.surveys[0]


class Nobody:
    nodes = ()


@pytest.fixture
def seed() -> Cluster:
    return reader.load(SEED)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(observer, "BOOT_SECONDS", 0.1)


def pair(cluster: Cluster, **standby: Any) -> Survey:
    """The pair, whose standby is as told."""
    return survey(cluster, observe(cluster, cluster.node("lb1"), holds=True), lb2(cluster, **standby))


def lb2(cluster: Cluster, **changes: Any) -> Observation:
    return observe(cluster, cluster.node("lb2"), **changes)


ABOUT_TO = {"states": {"service keepalived": stopped(queued=True)}}
DOWN = {"states": {"service keepalived": stopped()}}
IN_FAULT = {"keepalived": KeepalivedState(state=FAULT_STATE)}


def test_a_node_in_the_middle_of_its_boot_is_looked_at_again(seed: Cluster) -> None:
    """What systemd is about to start need not be started; and it is said what is waited for, once."""
    looks = Looks(pair(seed, **ABOUT_TO), pair(seed, **ABOUT_TO), pair(seed))
    assert looks.survey_once_booted(WANTED).plan.changes == ()
    assert [each for each in looks.told if "waiting until lb2 has started its daemons" in each] == looks.told[-1:]


@pytest.mark.parametrize("found", [ABOUT_TO, DOWN], ids=["hangs", "down"])
def test_a_node_that_does_not_start_its_daemons_is_taken_as_it_is(seed: Cluster, found: dict[str, Any]) -> None:
    """At once where nothing is about to, or else in the end: the run starts them, and sees why they don't."""
    planned = Looks(pair(seed, **found)).survey_once_booted(WANTED).plan.changes
    assert [(name, change.action, change.name) for name, change in planned] == [("lb2", "start", "keepalived")]


def test_only_what_is_queued_and_does_not_run_is_about_to_run(seed: Cluster) -> None:
    """A reload is queued, too."""
    assert booting(lb2(seed, **ABOUT_TO))
    assert not booting(lb2(seed, states={"service keepalived": running(queued=True)}))
    assert not booting(lb2(seed, **DOWN))


def test_a_node_that_has_just_started_may_soon_be_able(seed: Cluster) -> None:
    """In FAULT state for a while after the start of a daemon; one that is there for long will not be."""
    young = {"service keepalived": running(since=NOW - 3)}
    assert starting(lb2(seed, states=young, **IN_FAULT), 10)
    assert not starting(lb2(seed, states=young, **IN_FAULT), 2)
    assert not starting(lb2(seed, states=young), 10)
    assert not starting(lb2(seed, **IN_FAULT), 10)
    assert not starting(lb2(seed, states=young | {"service haproxy": stopped()}), 10)


def test_a_node_is_waited_for_until_it_could_hold_the_vips(seed: Cluster) -> None:
    """The survey in which it could is the one to go on with."""
    able = pair(seed)
    assert Looks(pair(seed, **IN_FAULT), pair(seed, **IN_FAULT), able).until_able(WANTED, ["lb2"]) is able
