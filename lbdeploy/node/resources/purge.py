"""Removing everything: the packages that lbdeploy installed, and its own records on the node."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.node.apt import removable
from lbdeploy.node.paths import INSTALLED, STATE
from lbdeploy.node.resources.base import Answer, Change, Former, Phase, Step


@dataclass(frozen=True, slots=True)
class PurgeState:
    """`purgeable`: packages to purge. `needing`: packages of others that depend on them. `kept`: our folder exists.

    `staying`: packages that lbdeploy needed, but found there, or has no record of installing.
    """

    purgeable: tuple[str, ...] = ()
    needing: tuple[str, ...] = ()
    kept: bool = False
    staying: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Purge(Former[PurgeState]):
    """No package that lbdeploy installed is left: of `names`, and of their dependencies that nothing needs any more."""

    names: tuple[str, ...]

    @property
    def id(self) -> str:
        return "purge"

    def probe(self) -> Raw:
        return Raw(f"[ -d {STATE} ] && echo state\n{removable(self.names, INSTALLED)}")

    def read(self, answer: Answer) -> PurgeState:
        lines = [line.split() for line in answer.output.splitlines()]
        told = {word: [each[1] for each in lines if each[:1] == [word] and len(each) > 1] for word in _WORDS}
        mine, asked = set(told["mine"]), set(told["asked"])
        freed = [name for name in told["frees"] if name in mine and name not in asked]
        needing = [name for name in told["takes"] if name not in mine]
        staying = [name for name in told["there"] if name not in asked]
        return PurgeState((*told["asked"], *freed), tuple(needing), ["state"] in lines, tuple(staying))

    def compare(self, state: PurgeState, changing: Collection[str]) -> list[Change]:
        packages = [Change("package", name, "purge", "lbdeploy installed it") for name in state.purgeable]
        return packages + ([Change("file", STATE, "remove", "what lbdeploy kept")] if state.kept else [])

    @property
    def undoable(self) -> bool:
        return False

    def steps(self, state: PurgeState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        yield Phase.PURGE, cmd("purge", *state.purgeable) if state.purgeable else Raw("")


_WORDS = ("there", "mine", "asked", "takes", "frees")
