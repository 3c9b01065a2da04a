"""A kind of resource that lbdeploy does not have: a symbolic link. Run as a program, this is an lbdeploy that has it.

It shows what a new kind takes: this class, in a file of its own, and the one line that `program` adds to `desired`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.resources.base import Answer, Change, Phase, Resource, Step

PATH = "/etc/haproxy-errors"


@dataclass(frozen=True, slots=True)
class Symlink(Resource[str]):
    """A link at `path` to `target`, or none where that is "". The state is the target, or "" where there is no link."""

    path: str
    target: str

    @property
    def id(self) -> str:
        return f"symlink {self.path}"

    def probe(self) -> Raw:
        return cmd("readlink", "--", self.path)

    def read(self, answer: Answer) -> str:
        return answer.output.rstrip("\n")

    def compare(self, state: str, changing: Collection[str]) -> list[Change]:
        if state == self.target:
            return []
        reason = f"is {state or 'not there'}, should be {self.target or 'not there'}"
        return [Change("file", self.path, "update" if self.target else "remove", reason)]

    def steps(self, state: str, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        lines = (cmd("step", "link", self.path), f"undo {here(self._link(state))}", f"run {self._link(self.target)}")
        yield Phase.SWAP, "\n".join(lines)

    def as_observed(self, state: str) -> Symlink:
        return replace(self, target=state)

    def former(self) -> list[Resource[Any]]:
        return [replace(self, target="")]

    def _link(self, target: str) -> Raw:
        return cmd("ln", "-sfnT", "--", target, self.path) if target else cmd("rm", "-f", "--", self.path)


def program(target: str) -> None:
    """lbdeploy, where every node should have a link to this target."""
    from lbdeploy.cli.main import main
    from lbdeploy.planning import desired

    of_lbdeploy = desired.desired

    def with_link(*args: Any, **settings: Any) -> list[Resource[Any]]:
        return [*of_lbdeploy(*args, **settings), Symlink(PATH, target)]

    desired.desired = with_link  # before any command imports it
    main()


if __name__ == "__main__":
    import os

    program(os.environ["LINK_TARGET"])
