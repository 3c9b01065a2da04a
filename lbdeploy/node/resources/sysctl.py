"""A kernel setting in force. A separate file, below /etc/sysctl.d, keeps it over a reboot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.paths import proc_path
from lbdeploy.node.resources.base import Answer, Change, Given, Phase, Resource, Step

# Lets haproxy bind to VIPs that the node does not hold (ip-sysctl.rst); one setting for each family of addresses.
NONLOCAL_BIND = {4: "net.ipv4.ip_nonlocal_bind", 6: "net.ipv6.ip_nonlocal_bind"}


@dataclass(frozen=True, slots=True)
class Sysctl(Resource[str | None]):
    """`name` in sysctl's dotted form; the state is the value in force, or None where the kernel has no such setting.

    `conf`: lbdeploy's own file that sets it at boot.
    """

    name: str
    value: str
    conf: str = ""

    @property
    def id(self) -> str:
        return f"sysctl {self.name}"

    @property
    def settings(self) -> tuple[str, ...]:
        return (proc_path(self.name),)

    def probe(self) -> Raw:
        return cmd("setting", proc_path(self.name))  # `setting` is in observe.sh

    def read(self, answer: Answer) -> str | None:
        return answer.output.strip() if answer.status == 0 else None

    def compare(self, state: str | None, changing: Collection[str]) -> list[Change]:
        if state == self.value:
            return []
        return [Change("sysctl", self.name, "set", f"is {state or 'unknown'}, should be {self.value}")]

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(sysctls=(self.name,))

    def steps(self, state: str | None, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        undo = [f"undo {here(self._set(state))}"] if state is not None else []
        yield Phase.SET, "\n".join((f"step set {cmd(self.name)}", *undo, f"run {self._set(self.value)}"))

    def as_observed(self, state: str | None) -> Sysctl:
        return self if state is None else replace(self, value=state)

    def former(self) -> list[Resource[Any]]:
        from lbdeploy.node.resources.original import OriginalSysctl

        return [OriginalSysctl(self.name, self.conf)]

    def _set(self, value: str) -> Raw:
        return cmd("sysctl", "-q", "-w", f"{self.name}={value}")
