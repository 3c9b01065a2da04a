"""How long nodes wait for the confirmation of a stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from builders import observe, plans, survey
from goldens import SEED

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.events import silent
from lbdeploy.planning.plan import Plan, Stage, Strategy
from lbdeploy.rollout.observer import Wanted
from lbdeploy.rollout.stage_runner import StageChange, StageRunner, confirm_seconds
from lbdeploy.rollout.transaction import Task


@dataclass
class Begun:
    """Stands for the nodes' tasks: what was begun, in order."""

    tasks: list[Mapping[str, Task]] = field(default_factory=list)

    @contextmanager
    def confirmed(self, order: Any) -> Iterator[None]:
        yield

    def begin(self, tasks: Mapping[str, Task]) -> None:
        self.tasks.append(tasks)


@pytest.fixture
def seed() -> Cluster:
    return reader.load(SEED)


def begin(cluster: Cluster) -> list[Mapping[str, Task]]:
    """The tasks of a stage that sets up a new cluster."""
    tasks = Begun()
    seen = [observe(cluster, node) for node in cluster.nodes]
    stage = Stage(Strategy.BEGIN, plans(cluster, *seen), "")
    change = StageChange(Plan({}, (stage,)), stage, survey(cluster, *seen), Wanted({}, frozenset()))
    StageRunner(cluster, cast("Any", tasks), cast("Any", None), silent).perform(change)
    return tasks.tasks


def test_a_node_waits_until_the_cluster_may_have_settled_and_a_connection_was_made(seed: Cluster) -> None:
    """With the usual timers for half a minute; longer where hosts.toml grants connections more."""
    assert confirm_seconds(seed) == 33
    patient = replace(seed, ssh=replace(seed.ssh, connect_timeout=60.0))
    assert confirm_seconds(patient) == 33 + 50
    hasty = replace(seed, ssh=replace(seed.ssh, connect_timeout=2.0))
    assert confirm_seconds(hasty) == 33


def test_the_first_of_a_new_cluster_also_waits_while_the_others_start(seed: Cluster) -> None:
    """The preferred node starts keepalived before the others, and its wait begins then."""
    together, rest = begin(seed)
    assert together["lb1"].confirm == 2 * confirm_seconds(seed)
    assert together["lb2"].confirm == 0
    assert rest["lb2"].confirm == confirm_seconds(seed)
