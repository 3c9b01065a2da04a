"""Files that an earlier hosts.toml asked for, and this one does not: they are removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from lbdeploy.common.debian import of_systemd
from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.answers import base64_text
from lbdeploy.node.paths import STAGED
from lbdeploy.node.resources.base import RELOAD_UNITS, Answer, Change, Given, Phase, Resource, Step
from lbdeploy.node.resources.text_diff import difference

Found = Mapping[str, tuple[str, str]]  # (mode, content) by path


@dataclass(frozen=True, slots=True)
class Gone(Resource[Found]):
    """No file matches `patterns` (of the shell, without spaces), except for those in `but`. `name` is for people.

    `unit`: a service of lbdeploy's whose unit file is among them: it is stopped first. `late`: they are removed only
    once no daemon needs them any more. `written_by`: a script that a daemon runs, and that writes them: where a
    rollback brings that back, they come by themselves, and their old content is of no use. The state is each file
    found.
    """

    name: str
    patterns: tuple[str, ...]
    but: tuple[str, ...] = ()
    unit: str = ""
    late: bool = False
    written_by: str = ""

    @property
    def id(self) -> str:
        return f"file {self.name}"

    def probe(self) -> Raw:
        return cmd("leftovers", STAGED, *map(Raw, self.patterns))  # in observe.sh

    def read(self, answer: Answer) -> dict[str, tuple[str, str]]:
        lines = (line.split(" ", 2) for line in answer.output.splitlines())
        return {path: (mode, base64_text(text)) for path, mode, text in lines if path not in self.but}

    def compare(self, state: Found, changing: Collection[str]) -> list[Change]:
        why = "hosts.toml does not ask for it"
        return [Change("file", path, "remove", why, difference(path, old, "")) for path, (_, old) in state.items()]

    @property
    def early(self) -> bool:
        return not self.late

    def covers(self, path: str) -> bool:
        """Whether it removes a file with this path, unless it is one of those in `but`."""
        return any(fnmatchcase(path, pattern) for pattern in self.patterns)

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(dropped=[change.name for change in changes])

    def steps(self, state: Found, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        if self.unit:
            yield Phase.STOP, self._stop()
        yield from ((Phase.DROP, cmd("drop", change.name)) for change in changes)
        if any(of_systemd(change.name) for change in changes):
            yield RELOAD_UNITS

    def as_observed(self, state: Found) -> Gone:
        return self

    def removed(self, state: Found) -> Found:
        return state

    def as_kept(self, kept: Mapping[str, Resource[Any]]) -> list[Resource[Any]]:
        if self.written_by:
            return [] if self.written_by in kept else [self]
        again = self.again(kept)
        return [*(kept[path] for path in again), replace(self, but=(*self.but, *again))]

    def again(self, kept: Mapping[str, Resource[Any]]) -> list[str]:
        """The paths of `kept` that a later hosts.toml no longer asked for, which are wanted again.

        Not what apt reads: packages don't go back, either.
        """
        return [path for path in kept if (self.late or self.unit) and self.covers(path) and path not in self.but]

    def former(self) -> list[Resource[Any]]:
        return [replace(self, but=())]

    def _stop(self) -> str:
        """Stop the unit while its unit file, which says how, still exists; undone once the file is back, or at boot."""
        back = cmd("systemctl", "enable", "--quiet", "--now", self.unit)
        lasting = f"undo_lasting {here(cmd('systemctl', 'enable', '--quiet', self.unit))}"
        stop = f"run systemctl disable --quiet --now {cmd(self.unit)}"
        known = f"systemctl cat {cmd(self.unit)} > /dev/null 2>&1"
        return f"if {known}; then\nstep stop {cmd(self.unit)}\nundo_last {here(back)}\n{lasting}\n{stop}\nfi"
