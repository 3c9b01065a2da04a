"""What an applying script reports, and what went wrong with it, if anything. Pure: text in, errors out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lbdeploy.common.typed import typed
from lbdeploy.errors import LbdeployError, LockedError, LostError, RebootedError, RemoteError, RolledBackError
from lbdeploy.node.answers import unreadable
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.resources.package import installs

_ACTS = ("start", "stop", "reload", "restart", "set")
MARK = "@@lbdeploy"  # prefix of the lines that are meant for lbdeploy


@dataclass(slots=True)
class Progress:
    """Reads what an applying script prints, line by line; `on_step` is called with each step as it begins.

    Marked lines: `step TEXT`, `failed COMMAND`, `ready SECONDS` (to take the step on which peers must agree), `await
    SECONDS` (it waits for the laptop, as when it is ready; `alone`: in vain), then `confirmed`,
    `abandoned` or `unconfirmed SECONDS`; `killed`, where its process was; `kept`, `restored` or `unrestored`, `locked
    WHO`, `outrun WHO`, and finally `exit STATUS`. Between `kept` and that, nodes that must agree have `agree SECONDS`,
    and maybe `disagreed NODE` and `undoing`. Where a script's log is gone, its journal is read instead, which also has
    `boot ID`, the boot that it ran in; `now ID` is the present boot.
    """

    node: str
    on_step: Callable[[str], None]
    step: str = "start"
    lines_read: int = 0  # lines read so far, so that a new connection can continue where one was lost
    failed: str | None = None
    ready: bool = False  # it waits until its peers are so, too
    awaiting: int | None = None
    undecided: str | None = None  # why the change was undone, though no step had failed
    dissenter: str = ""  # the peer that has undone the change
    kept: bool = False  # and that is certain, though its peers may still have it undone
    agrees: bool = False  # it waits until its peers have kept the change, too
    restored: bool | None = None
    locked: str | None = None
    outrun: str | None = None  # who has had the lock since this run was asleep
    exit: int | None = None
    acted: bool = False  # whether anything was done that could have broken the connection
    garbled: str = ""  # what a node printed in place of a number
    boots: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Read one line of output."""
        self.lines_read += 1
        if not text.startswith(MARK + " "):
            self.output.append(text)
            return
        word, _, rest = text.removeprefix(MARK + " ").partition(" ")
        self.ready = word == "ready"
        self.acted = self.acted or self.ready
        match word:
            case "step":
                self.step = rest
                self.acted = self.acted or rest.split(" ")[0] in _ACTS
                self.on_step(rest)
            case "failed":
                self.failed = rest
            case "await":
                self.awaiting = self._number(rest)
                self.acted = True
            case "locked":
                self.locked = rest
            case "outrun":
                self.outrun = rest
            case "exit":
                self.exit = self._number(rest)
            case "boot" | "now":
                self.boots[word] = rest
            case _:
                self._decided(word, rest)

    def _decided(self, word: str, rest: str) -> None:
        """Read whether the change stays."""
        match word:
            case "abandoned" | "unconfirmed" | "alone" | "killed" | "disagreed":
                self.undecided, self.dissenter = word, rest
            case "kept" | "undoing":
                self.kept = word == "kept"
            case "agree":
                self.agrees = True
            case "restored" | "unrestored":
                self.restored = word == "restored"

    def _number(self, text: str) -> int:
        """A number on a marked line; 0 for anything else, which is an error of the node's once it has been told."""
        if re.fullmatch(r"[0-9]{1,5}", text):
            return int(text)
        self.garbled = self.garbled or text or "nothing"
        return 0

    @property
    def waits(self) -> bool:
        """Whether the node waits for its peers to be ready, or, all steps done, for the change to be confirmed."""
        return (
            (self.ready or self.awaiting is not None) and self.exit is None and not self.boots and self.outrun is None
        )

    @property
    def rebooted(self) -> bool:
        """Whether the node rebooted before the script came to its end."""
        return self.exit != 0 and bool(self.boots) and self.boots.get("boot") != self.boots.get("now")

    def error(self, plan: NodePlan) -> LbdeployError | None:
        """What went wrong, if anything did. None also where the script waits for a decision."""
        if others := self._others():
            return others
        if self.garbled:
            return self._unreadable()
        if self.waits:
            return None
        if self.rebooted:
            return self._rebooted()
        if self.exit is None:
            return self._ended_without_a_word()
        return self._failure(plan) if self.exit else None

    def _others(self) -> LockedError | None:
        """The error where the node is in other hands."""
        if self.locked is not None:
            return locked(self.node, self.locked)
        return None if self.outrun is None else outrun(self.node, self.outrun)

    def _unreadable(self) -> RemoteError:
        state = "a change that nobody confirms is undone by the node itself"
        what = unreadable(self.node, "progress", self.garbled)
        return RemoteError(what.message, node=self.node, state=state, fix=what.fix, detail="\n".join(self.output))

    def _rebooted(self) -> RebootedError:
        return RebootedError(
            f"the node rebooted during: {self.step}",
            node=self.node,
            state="what it had begun was interrupted",
            fix=typed("up", after=" repairs it"),
        )

    def _ended_without_a_word(self) -> LostError:
        return LostError(
            "the run on the node ended without a word",
            node=self.node,
            state="unknown",
            fix=typed("plan", after=" shows what is left to do"),
            detail="\n".join(self.output),
        )

    def _failure(self, plan: NodePlan) -> RemoteError:
        detail = "\n".join(self.output)
        installed = any(installs(change) for change in plan.changes)
        state = {
            True: "its files and services are as before",
            False: "not everything could be put back: see lbdeploy plan",
            None: "its files and services were not touched",
        }[self.restored]
        if self.restored is not False and not installed:
            fix = typed("plan", before="fix the cause, then: ")
            return RolledBackError(self._what(), node=self.node, state=state, detail=detail, fix=fix)
        state += "; packages that were installed stay" if self.restored else ""
        fix = typed("up", before="fix the cause, then: ")
        return RemoteError(self._what(), node=self.node, state=state, detail=detail, fix=fix)

    def _what(self) -> str:
        if self.undecided == "unconfirmed":
            return f"no confirmation came within {self.awaiting} s"
        if self.undecided == "alone":
            return "it was ready for the step on which all nodes must agree, and heard no more from here or a peer"
        if self.undecided == "abandoned":
            return "it was told to undo the change"
        if self.undecided == "disagreed":
            return f"{self.dissenter} has undone the change, on which the nodes must agree"
        if self.undecided == "killed":
            return f"its run there was killed at: {self.step}"
        return f"{self.step}: {_reason(self.output) or f'{self.failed} failed'}"


def locked(node: str, who: str) -> LockedError:
    """The error for a node that another run is changing."""
    return LockedError(
        f"another run is at work: {who}",
        node=node,
        state="nothing was changed",
        fix="wait for it to end, and try again; commands that change nodes wait with --lock-wait SECONDS",
    )


def outrun(node: str, who: str) -> LockedError:
    """The error for a node that has been in another run's hands while this one was asleep."""
    return LockedError(
        f"another run has had the lock since: {who}",
        node=node,
        state="it is as that run has left it",
        fix=typed("plan", after=" shows how it is now"),
    )


_MARKED = re.compile(r"^(E|W|dpkg): |.*\[ALERT\]")
_NOISE = re.compile(r"^(WARNING: apt does not|Reading |Building |\s*$)")


def _reason(output: list[str]) -> str:
    """The relevant lines of a failed command's output: the last, and before it those that are marked as errors.

    apt, dpkg and haproxy mark theirs; for others, the last three lines are shown.
    """
    lines = [line for line in output if not _NOISE.match(line)]
    marked = [line for line in lines[:-1] if _MARKED.match(line)]
    return "; ".join([*marked[-2:], *lines[-1:]] if any(map(_MARKED.match, lines)) else lines[-3:])
