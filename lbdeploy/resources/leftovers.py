"""Files that lbdeploy put on a node for something that is in hosts.toml no more."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from lbdeploy.resource import Answer, Change
from lbdeploy.shell import Raw, cmd


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Files whose path begins with `prefix`, which is lbdeploy's alone, but for those to `keep`. There should be none.

    The state is the paths of all of them.
    """

    prefix: str
    keep: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"leftovers {self.prefix}*"

    def probe(self) -> Raw:
        paths = f"{cmd(self.prefix)}*"
        return Raw(f'for path in {paths}; do if [ -f "$path" ] || [ -L "$path" ]; then echo "$path"; fi; done')

    def read(self, answer: Answer) -> tuple[str, ...]:
        # Names that lbdeploy gives; one that is being written has another ending, and is seen to elsewhere.
        names = rf"{re.escape(self.prefix)}[A-Za-z0-9_.-]+(?<!\.lbdeploy-new)"
        return tuple(line for line in answer.output.splitlines() if re.fullmatch(names, line))

    def compare(self, state: tuple[str, ...], changing: Collection[str]) -> list[Change]:
        gone = [path for path in state if path not in self.keep]
        return [Change("file", path, "remove", "is not in hosts.toml any more") for path in gone]

    def fix(self, state: tuple[str, ...], changes: list[Change]) -> Raw:
        """Nothing: `transaction` and `takedown` remove them once no daemon needs them any more."""
        return Raw("")
