"""A kernel setting in force. A separate file, below /etc/sysctl.d, keeps it over a reboot."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.node.resources.base import Answer, Change


@dataclass(frozen=True, slots=True)
class Sysctl:
    """`name` in sysctl's dotted form; the state is the value in force, or None where the kernel has no such setting."""

    name: str
    value: str

    @property
    def id(self) -> str:
        return f"sysctl {self.name}"

    @property
    def _path(self) -> str:
        return "/proc/sys/" + self.name.replace(".", "/")

    def probe(self) -> Raw:
        # Not the shell's `read`, which reads byte by byte: the kernel gives the first digit of a number, then nothing.
        return cmd("cat", self._path)

    def read(self, answer: Answer) -> str | None:
        return answer.output.strip() if answer.status == 0 else None

    def compare(self, state: str | None, changing: Collection[str]) -> list[Change]:
        if state == self.value:
            return []
        return [Change("sysctl", self.name, "set", f"is {state or 'unknown'}, should be {self.value}")]

    def fix(self, state: str | None, changes: list[Change]) -> Raw:
        return cmd("sysctl", "-q", "-w", f"{self.name}={self.value}")
