"""A node as doctor found it, and the type of the functions that judge it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lbdeploy.config.model import Cluster, Node
from lbdeploy.health.finding import Finding
from lbdeploy.node import network_listener
from lbdeploy.node.observation import Observation


@dataclass(frozen=True, slots=True)
class Checkup:
    """A node as doctor found it.

    `ahead`: seconds by which its clock is ahead of this machine's, None if unknown. The answers to doctor's own probes
    are in the observation's marks, by name.
    """

    observation: Observation
    wire: network_listener.Heard
    ahead: float | None = None

    @property
    def node(self) -> Node:
        return self.observation.node

    def lines(self, mark: str) -> list[str]:
        """The lines that a probe printed."""
        answer = self.observation.marks.get(mark)
        return answer.output.splitlines() if answer else []


Judge = Callable[[Cluster, Checkup], Iterator[Finding]]  # judges one node; yields only findings that are not ok
