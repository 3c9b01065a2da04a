"""What a resource is: one thing that a node should have, and all that lbdeploy knows how to do about it.

A kind of resource is a class, in a module of its own. It says how it is observed (`probe`, `read`), what has to change
(`compare`), how that is done (`steps`), how it was before a change (`as_observed`, `as_kept`), and what a node has in
its place once lbdeploy is gone (`former`). Probes and steps are shell text that other modules join and run; all else is
pure. So the same list of resources is observed, compared, applied, observed again, and taken away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from lbdeploy.common.shell import Raw

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe's command printed (text, with bytes that are not UTF-8 as surrogates), and its exit status."""

    output: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between what a node has and what it should have.

    `kind` is package, file, sysctl or service; `action` a verb (install, create, update, set, start, reload, ...);
    `reason` says in a few words what was found; `diff` is a unified diff, for files.
    """

    kind: str
    name: str
    action: str
    reason: str
    diff: str | None = None

    def to_json(self) -> dict[str, str]:
        """An entry of `changes` in the JSON contract, without the node."""
        entry = {"kind": self.kind, "name": self.name, "action": self.action, "reason": self.reason}
        return entry | ({"diff": self.diff} if self.diff is not None else {})


class Phase(Enum):
    """When a step is taken. The scripts give the order: `steps` in rollout/transaction, `leave` in down_steps."""

    INSTALL = "install packages"
    STAGE = "write the new content of files beside them"
    GUARD = "register what has to be done once files have their old content again"
    STOP = "stop services"
    CREATE = "validate new files and put them in place, since validators of others may read them"
    VALIDATE = "validate the other staged files"
    SWAP = "put the other staged files in place"
    DROP = "delete files"
    UPDATE = "fetch the package lists of repositories"
    SET = "set what is in force until the next boot"
    RELOAD_UNITS = "have systemd read its units again"
    BRING_UP = "start services, or have them read their files, and check that they run"
    VRRP = "the same for keepalived, once all else that a holder of VIPs needs is there"
    CHECK = "check what other steps may have disturbed"
    ENABLE = "have services started at boot"
    LAST = "what must not take effect, not even at a boot, before the change is confirmed"
    PURGE = "remove what can't be put back"
    REHEARSE = "validate staged files, and nothing else"


Step = tuple[Phase, str]
RELOAD_UNITS: Step = (Phase.RELOAD_UNITS, "run systemctl daemon-reload")  # however many resources ask for it, once


@dataclass(frozen=True, slots=True)
class Given:
    """Lists of words for remote/transaction.sh and remote/original.sh, which record what there was before lbdeploy.

    `managed` are paths of files, whose content is also kept for a rollback, and `dropped` those of files that are only
    to be deleted. `staged` are files that must not be left over; `packages` those whose versions are recorded.
    """

    managed: Sequence[str] = ()
    dropped: Sequence[str] = ()
    staged: Sequence[str] = ()
    sysctls: Sequence[str] = ()
    services: Sequence[str] = ()
    packages: Sequence[str] = ()


class Resource(ABC, Generic[State]):
    """One thing that a node should have. Frozen: what identifies it and the wanted state are its fields."""

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> str:
        """What identifies it among a node's resources, like `file /etc/haproxy/haproxy.cfg`."""

    @abstractmethod
    def probe(self) -> Raw:
        """A command that prints the state; it changes nothing."""

    @abstractmethod
    def read(self, answer: Answer) -> State:
        """The state, parsed from the probe's answer."""

    @abstractmethod
    def compare(self, state: State, changing: Collection[str]) -> list[Change]:
        """What has to change; empty where all is as desired. `changing` names the files that this run will replace."""

    @abstractmethod
    def steps(self, state: State, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        """What makes the changes; each step is one or more lines of shell for remote/transaction.sh.

        `changing` names the files that the same script replaces. What a step changes must be undone, by `undo` and
        `undo_last`, or by `swap` and `drop`, which do so themselves.
        """

    @abstractmethod
    def as_observed(self, state: State) -> Resource[Any]:
        """The resource that wants what was observed: where a change of it is to be undone later."""

    @abstractmethod
    def former(self) -> list[Resource[Any]]:
        """What `down` wants in its place. See `original`, where it is on record what there was before."""

    def removed(self, state: State) -> Mapping[str, tuple[str, str]]:
        """The files that it removes where this state is found, by path: mode (octal) and content."""
        return {}

    def as_kept(self, kept: Mapping[str, Resource[Any]]) -> list[Resource[Any]]:
        """What going back wants in its place. `kept` are files of then, by path."""
        return [self]

    def lasting(self) -> Resource[Any]:
        """The same without what was asked for this run only."""
        return self

    def given(self, changes: Sequence[Change]) -> Given:
        """What is recorded of it before anything is changed on a node."""
        return Given()

    def interrupts(self, change: Change) -> bool:
        """Whether this change of it stops a daemon for a moment."""
        return change.action == "restart"

    @property
    def undoable(self) -> bool:
        """Whether its changes can be undone: all those that can't be come after those that can."""
        return True

    @property
    def early(self) -> bool:
        """Whether it must be in place before packages are installed. `down` takes it away after all else."""
        return False

    @property
    def units(self) -> Sequence[str]:
        """The units whose properties its probe reads: systemd is asked once for those of all resources."""
        return ()

    @property
    def files(self) -> Sequence[str]:
        """The files whose attributes, or digests, its probe reads: they, too, are asked for once."""
        return ()

    @property
    def settings(self) -> Sequence[str]:
        """The kernel settings whose values its probe reads, by their paths: the same."""
        return ()


class Former(Resource[State]):
    """What there was before lbdeploy, which only `down` wants: it is not taken away in turn."""

    __slots__ = ()

    def as_observed(self, state: State) -> Resource[Any]:
        return self

    def former(self) -> list[Resource[Any]]:
        return []
