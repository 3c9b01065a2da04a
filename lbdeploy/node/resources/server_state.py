"""The servers that were drained on a node, in the file that its haproxy reads: see drains.

Who is drained is the operators' decision of the moment, and not in hosts.toml. So a drain is no drift, and a run leaves
it as it is; it only drops what hosts.toml no longer has, and keeps the ports of the others up to date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.shell import Raw
from lbdeploy.node.paths import SERVER_STATE, STAGED
from lbdeploy.node.resources.base import Answer, Change, Given, Phase, Resource, Step
from lbdeploy.node.resources.drains import Drain, Pair, parse, render
from lbdeploy.node.resources.file import File, FileState

ID = f"file {SERVER_STATE}"


@dataclass(frozen=True, slots=True)
class ServerState(Resource[FileState]):
    """`servers` are those of hosts.toml: frontend, name, port. `inherited`: what a node without the file is given."""

    servers: tuple[tuple[str, str, int], ...]
    inherited: tuple[Drain, ...] = ()

    @property
    def id(self) -> str:
        return ID

    @property
    def ports(self) -> dict[Pair, int]:
        """The ports of the servers."""
        return {(frontend, server): port for frontend, server, port in self.servers}

    @property
    def files(self) -> tuple[str, ...]:
        return (SERVER_STATE,)

    def probe(self) -> Raw:
        return self._as_file(FileState("missing")).probe()

    def read(self, answer: Answer) -> FileState:
        return self._as_file(FileState("missing")).read(answer)

    def compare(self, state: FileState, changing: Collection[str]) -> list[Change]:
        changes = self._as_file(state).compare(state, changing)
        return [self._told(state, each) for each in changes]

    def steps(self, state: FileState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        """Written before haproxy.cfg is validated, as haproxy then reads it. As a File, but without a validator."""
        for phase, step in self._as_file(state).steps(state, changes, changing):
            yield Phase.CREATE if phase is Phase.SWAP else phase, step

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(managed=(SERVER_STATE,), staged=(SERVER_STATE + STAGED,) if changes else ())

    def as_observed(self, state: FileState) -> Resource[Any]:
        """The file as it was: nobody drains a server while a run is under way. One that was not there may stay."""
        return File(SERVER_STATE, state.content, state.mode) if state.kind == "file" else self

    def former(self) -> list[Resource[Any]]:
        from lbdeploy.node.resources.original import OriginalFile

        return [OriginalFile(SERVER_STATE)]

    def _as_file(self, state: FileState) -> File:
        drains = parse(state.content) if state.kind == "file" else self.inherited
        return File(SERVER_STATE, render(drains, self.ports), "600")

    def _told(self, state: FileState, change: Change) -> Change:
        """The change, with its reason: the file is haproxy's, and says nothing to people."""
        gone = [f"{each.frontend}/{each.server}" for each in parse(state.content) if each.pair not in self.ports]
        if gone:
            return replace(change, reason=f"{', '.join(gone)}: drained, and no longer in hosts.toml")
        taken = [f"{each.frontend}/{each.server}" for each in self.inherited if each.pair in self.ports]
        if state.kind == "missing" and taken:
            return replace(change, reason=f"{', '.join(taken)}: drained on the other nodes")
        return change
