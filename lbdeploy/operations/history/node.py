"""What a node remembers: its generations, and its journal of keepalived, of lbdeploy's runs and of drills."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lbdeploy.common.shell import cmd, nonce
from lbdeploy.node.answers import base64_text, count, seconds
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.paths import DRILL_UNIT, GENERATIONS, STATE, UNIT
from lbdeploy.operations.generations import Generation
from lbdeploy.operations.outage.clocks import Clock

MOST = 1000  # lines of a journal
_UNITS = f"-u keepalived -u {UNIT} -u {DRILL_UNIT}.timer"
_WANTED = f"Entering [A-Z]* STATE\\|: Started \\|{UNIT}[.]service: "
_LINE = re.compile(r"^(?P<at>[0-9]{1,11}\.[0-9]{1,9}) \S+ (?P<by>[^ :\[]+)\S*: (?P<text>.*)$")
_STARTED = re.compile(rf"Started (?:{UNIT}\.service - )?lbdeploy: (?P<about>.*?)\.?$")
_STATE = re.compile(r"(?:\((?P<instance>\S+)\) )?Entering (?P<state>MASTER|BACKUP|FAULT) STATE")


@dataclass(frozen=True, slots=True)
class Past:
    """What a node remembers, in this machine's time (s, Unix). `generations`: the latest first, as the node counts.

    `files` are their files' checksums by path, by generation; "" is the present. `states`: (time, VRRP's state, whose:
    the instance's); `started`: (time, who began a run); `ended`: when runs ended; `drills`: when a repair was armed.
    """

    generations: Sequence[Generation] = ()
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    states: Sequence[tuple[float, str, str]] = ()
    started: Sequence[tuple[float, str]] = ()
    ended: Sequence[float] = ()
    drills: Sequence[float] = ()

    def changed(self, run: str) -> list[str]:
        """The paths of the files that a run changed on this node."""
        ids = [each.id for each in self.generations]
        if run not in ids:
            return []
        at = ids.index(run)
        before, after = self.files.get(run, {}), self.files.get(ids[at - 1] if at else "", {})
        paths = [
            path for path in before.keys() | after.keys() if not path.startswith(STATE)
        ]  # its own records: no change
        return sorted(path for path in paths if before.get(path) != after.get(path))


class PastReader:
    """The script that asks a node, and the reader of what it prints. `paths`: files that lbdeploy may have made."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.nonce = nonce()

    def script(self) -> str:
        """POSIX sh for root; it changes nothing."""
        n = self.nonce
        sums = f'sha256sum -- "$path" | {{ read -r sum _; echo {n} file "$id" "$sum" "${{path#$id/files}}"; }}'
        kept = f'find "$id/files" -type f | while read -r path; do {sums}; done'
        about = f'echo {n} run "$id" "$(cat "$id/number" || echo 0)" "$(base64 -w 0 "$id/about")"'
        now = f'for path in {cmd(*self.paths)}; do id=/; if [ -f "$path" ]; then {sums}; fi; done\n'
        runs = f'for id in *; do if [ -d "$id" ]; then {about}; {kept}; fi; done\n'
        journal = f"journalctl -q {_UNITS} -o short-unix --no-pager | grep {cmd(_WANTED)} | tail -n {MOST}"
        there = f"if cd {cmd(GENERATIONS)}; then\n{runs}fi\n"
        said = f"{journal} | while read -r line; do printf '%s said %s\\n' {n} \"$line\"; done\n"
        return f"{PRELUDE}exec 2> /dev/null\necho {n} now $(date +%s.%N)\n{now}{there}{said}exit 0\n"

    def read(self, output: str, asked: float, answered: float) -> Past:
        """What the node has printed, between two moments of this machine's clock. Raises ValueError."""
        told = [line.removeprefix(f"{self.nonce} ") for line in output.splitlines() if line.startswith(self.nonce)]
        words = [line.split(" ", 4) for line in told]
        now = next((seconds(each[1]) for each in words if each[0] == "now" and len(each) > 1), 0.0)
        clock = Clock.compared(asked, now, answered)
        files: dict[str, dict[str, str]] = {"": {}}
        for each in words:
            if each[0] == "file" and len(each) > 3:
                files.setdefault("" if each[1] == "/" else each[1], {})[" ".join(each[3:])] = each[2]
        lines = [line.removeprefix("said ") for line in told if line.startswith("said ")]
        journal = _Journal(clock, lines)
        runs = sorted(_runs(words), key=lambda one: (one.number, one.id), reverse=True)
        return Past(runs, files, [*journal.states()], [*journal.started()], [*journal.ended()], [*journal.drills()])


def _runs(words: Sequence[Sequence[str]]) -> Iterator[Generation]:
    for each in words:
        if each[0] == "run" and len(each) == 4:
            yield Generation(each[1], base64_text(each[3]).strip(), "", {}, count(each[2]))


@dataclass(frozen=True, slots=True)
class _Journal:
    """Lines of a node's journal, and its clock."""

    clock: Clock
    lines: Sequence[str]

    def _parsed(self, by: str) -> Iterator[tuple[float, str]]:
        for line in self.lines:
            if (found := _LINE.match(line)) and found["by"].startswith(by):
                yield max(self.clock.here(float(found["at"])), 0.0), found["text"]

    def states(self) -> Iterator[tuple[float, str, str]]:
        for at, text in self._parsed("Keepalived"):
            if found := _STATE.search(text):
                yield at, found["state"], found["instance"] or ""

    def started(self) -> Iterator[tuple[float, str]]:
        for at, text in self._parsed("systemd"):
            if found := _STARTED.search(text):
                yield at, found["about"]

    def ended(self) -> Iterator[float]:
        for at, text in self._parsed("systemd"):
            if text.startswith(f"{UNIT}.service: ") and (
                "Deactivated" in text or "Failed" in text or "Succeeded" in text
            ):
                yield at

    def drills(self) -> Iterator[float]:
        for at, text in self._parsed("systemd"):
            if text.startswith("Started ") and f"{DRILL_UNIT}.timer" in text:
                yield at
