"""Everything that can go wrong and is expected to, as one tree.

    LbdeployError                exit 1   failed; the message says what state things are in
    ├── UsageError               exit 2   the command line asks for something that can't be
    │   └── HostsFileError       exit 2   hosts.toml: every problem at once, nothing contacted
    ├── ConnectError             exit 4   a node could not be reached or logged into
    │   ├── HostKeyError         exit 4   the node's key is not the known one, or is unknown
    │   ├── LoginError           exit 4   the node refused the login
    │   ├── SudoError            exit 4   the login has no root privileges
    │   └── LostError            exit 4   the connection died under way
    ├── LockedError              exit 5   another run is at work
    ├── DrillError               exit 6   an outage was longer than predicted, or did not end in health
    ├── RemoteError              exit 1   a step failed on a node; what it had begun is named
    │   ├── RolledBackError      exit 7   a step failed, and the node is as it was before
    │   ├── AnswerError          exit 4   what a node answers makes no sense
    │   ├── RebootedError        exit 1   the node rebooted in the middle of a change
    │   └── LastNodeError        exit 1   no other node could take over while this one is changed
    ├── RenderError              exit 2   a template does not render
    ├── UnhealthyError           exit 6   what was asked for was done, and all is not well
    ├── ApiError                 exit 1   the Kubernetes API does not say what was asked
    ├── LabError                 exit 1   the rehearsal lab can't do what was asked
    └── InterruptedRunError      exit 130 Ctrl-C

Each says four things, the last three where they are known: what happened, on which node, in what state things are now,
and what to type next. `detail` carries remote output, shown with -v and written to the log.

The docstring of each says what happened, and in a paragraph of its own what to do: docs/errors.md is made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from lbdeploy.common.typed import as_data, typed


class LbdeployError(Exception):
    """A failure that none of the others describes; also a mistake in lbdeploy itself, which leaves a log.

    Read what the message says about the state of things, then look: `lbdeploy plan` shows what is left to do. Report a
    mistake with the log that it names.
    """

    exit_code: ClassVar[int] = 1
    usual_state: ClassVar[str | None] = None  # the `state` of an error that is not given one
    declined = False  # whether somebody was asked, and said no: that is no failure

    def __init__(
        self,
        message: str,
        *,
        node: str | None = None,
        state: str | None = None,
        fix: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.state = state or self.usual_state
        self.fix = fix
        self.detail = detail

    def but(self, **changes: str | None) -> Self:
        """The same error with another message, node, state or fix: for whoever knows more than where it was raised."""
        other = type(self).__new__(type(self), changes.get("message", self.message))
        vars(other).update(vars(self) | changes)
        return other

    def at(self, node: str) -> Self:
        """The same error with the node that it is about, unless it names one."""
        return self if self.node else self.but(node=node)

    def to_json(self) -> dict[str, object]:
        """The `error` object of the JSON contract: `type`, `message`, and where known `node`, `state`, `fix`."""
        optional = {"node": self.node, "state": self.state}
        return {
            "type": type(self).__name__.removesuffix("Error"),
            "message": self.message,
            **{key: value for key, value in optional.items() if value},
            **as_data(self.fix),
        }


class UsageError(LbdeployError):
    """The command line asks for something that can't be: an unknown option or node, a file that is not there.

    Correct the command line; `--help` after a command lists what it takes.
    """

    exit_code = 2
    usual_state = "nothing was contacted"


def together(errors: Iterable[LbdeployError]) -> LbdeployError:
    """The first error, with the messages of the others appended, one line each."""
    first, *rest = errors
    if rest:
        first = first.but(message=first.message + "".join(f"\n{each.node or 'all'}: {each.message}" for each in rest))
    return first


def key_text(*parts: str) -> str:
    """A key as it is written in the file: a part that is not a bare key is quoted, on one line (toml.io, Keys)."""
    from json import dumps  # imported here: only a file with problems, or one that is written, needs it

    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else dumps(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in hosts.toml, or in a template: at which key, what, and how to correct it.

    `rule` is the id of the rule that is broken. Code compares it, and the key's parts; `message` and `fix` are for
    people, and may change. `line` counts from 1, and is 0 until it is looked up; `column` and `width` say which part of
    it (`source`) is meant, in characters. `file` is set where it is not in hosts.toml.
    """

    rule: str
    parts: tuple[str, ...]
    message: str
    fix: str
    line: int = 0
    column: int = 0
    width: int = 0
    source: str = ""
    file: str = ""

    @property
    def id(self) -> tuple[str, tuple[str, ...]]:
        """Identifies a problem: two states of a file have the same one if these are equal."""
        return self.rule, self.parts

    @property
    def key(self) -> str:
        return key_text(*self.parts)

    def to_json(self) -> dict[str, object]:
        """An entry of `problems` in the JSON contract."""
        place = {"line": self.line, **({"column": self.column} if self.column else {})}
        what = {"file": self.file} if self.file else {"key": self.key}
        return {**place, **what, "message": self.message, "fix": self.fix}


class HostsFileError(UsageError):
    """hosts.toml can't be used: every problem in it, in the order of their lines. Nothing was contacted.

    Correct the lines that are named, then `lbdeploy check`.
    """

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"{path} has {count}",
            fix=typed("-f", str(path), "check", before=f"edit {path}, then: "),
        )
        self.path = path
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.key))

    def lines(self) -> list[str]:
        """Each problem as `file:line: key: what is wrong: what would be right`."""
        return [
            f"{self.path}:{p.line}: {p.key + ': ' if p.key else ''}{p.message}{'; ' + p.fix if p.fix else ''}"
            for p in self.problems
        ]

    def to_json(self) -> dict[str, object]:
        """In addition, `problems`: [{line, column?, key, message, fix}]."""
        message = "\n".join([self.message, *self.lines()])
        return {**super().to_json(), "message": message, "problems": [problem.to_json() for problem in self.problems]}


class ConnectError(LbdeployError):
    """A node, or a jump host before it, could not be reached, or what answers there does not speak SSH.

    See whether it runs and whether its sshd listens, with the `ssh` command that the message names.
    """

    exit_code = 4


@dataclass(frozen=True, slots=True)
class NewKey:
    """A host key that known_hosts does not have: the name it would get there, in which file (None: nowhere)."""

    host: str
    name: str
    kind: str
    key: str  # base64
    file: Path | None
    hashed: bool


class HostKeyError(ConnectError):
    """The node's host key is not the known one, is revoked, or is not known at all. Nobody logged in.

    Compare the fingerprint on the node's console. Only then make the key known, as the message says; a changed key that
    nobody can explain may be somebody in between.
    """

    def __init__(self, message: str, *, new: NewKey | None = None, **known: str | None) -> None:
        super().__init__(message, **known)
        self.new = new  # set where the operator may be asked whether to accept the key


class LoginError(ConnectError):
    """The node refused the login: no key that was offered is one that it takes. Or the key has a passphrase.

    See which keys were tried, load the right one into the agent or name it as `ssh.identity_file`, or put it on the
    node with `ssh-copy-id`.
    """

    def __init__(self, message: str, *, locked: Iterable[Path] = (), **known: str | None) -> None:
        super().__init__(message, **known)
        self.locked = tuple(locked)  # keys that were not tried, since they have passphrases


class SudoError(ConnectError):
    """The login has no root privileges: sudo needs a password, refused the one given, or does not know the user.

    Give the user sudo rights. Or give the password: on a terminal lbdeploy asks for it, elsewhere it is taken from
    `LBDEPLOY_SUDO_PASSWORD`. It is tried once on each node, so that nobody is locked out.
    """

    def __init__(self, message: str, *, wants_password: bool = False, **known: str | None) -> None:
        super().__init__(message, **known)
        self.wants_password = wants_password  # whether sudo asks for a password, and none has been given yet


class LostError(ConnectError):
    """The connection died under way; or nothing was heard from the node for 14 s, or its answer took too long or had no
    end, so that it was given up; then `silent` is set.

    A change that had begun goes on by itself on the node. See whether it answers by hand, with the `ssh` command that
    the message may name. Once it can be reached again: `lbdeploy verify`.
    """

    def __init__(self, message: str, *, silent: bool = False, **known: str | None) -> None:
        super().__init__(message, **known)
        self.silent = silent


class LockedError(LbdeployError):
    """Another run is at work on the node, perhaps one whose operator has disconnected.

    Wait until it has ended, or let lbdeploy wait: `lbdeploy up --lock-wait 300`.
    """

    exit_code = 5


class DrillError(LbdeployError):
    """A drill ended, and its outage was longer than the timers predict, or the cluster is not healthy afterwards.

    What it measured is told all the same. `lbdeploy verify --wait 60` shows whether all is well by now; docs/drill.md
    says what each prediction is made of.
    """

    exit_code = 6


class RemoteError(LbdeployError):
    """A step failed on a node; the message names it, and what had been begun.

    Read the node's own words with `-v`, fix what they complain of, then type the same again: it does what is left.
    """


class RolledBackError(RemoteError):
    """A step failed on a node, or nobody confirmed the change; its files and services are as they were before.

    Read with `-v` why, correct hosts.toml or the node, then `lbdeploy plan`.
    """

    exit_code = 7


class AnswerError(RemoteError):
    """What a node answers makes no sense, or is not all that was asked for, so that it could not be looked at.

    See on the node why: a program that is not the one it should be, a shell that prints more, a disk that is full.
    `lbdeploy -v verify` shows more of the answer.
    """

    exit_code = 4


class RebootedError(RemoteError):
    """The node rebooted in the middle of a change, which interrupted it.

    The same command again repairs what is half done.
    """


class LastNodeError(RemoteError):
    """No other node could take over while this one is changed, so it was left as it is.

    Bring another node back first. Or, if an outage is acceptable: `up` and `rollback` with `--force-last`.
    """


class RenderError(LbdeployError):
    """A template does not render: a name that is not defined, a mistake in Jinja's syntax, a file that can't be read.

    Correct the line that is named; `lbdeploy check` names those of all templates, `lbdeploy render` shows the outcome.
    """

    exit_code = 2

    def __init__(self, message: str, *, problems: Iterable[Problem] = (), **known: str | None) -> None:
        super().__init__(message, **known)
        self.problems = tuple(problems)

    def lines(self) -> list[str]:
        """Each problem as `file:line: what is wrong`; none where the message says that of the only one."""
        several = self.problems if len(self.problems) > 1 else ()
        return [f"{p.file}{f':{p.line}' if p.line else ''}: {p.message}" for p in several]

    def to_json(self) -> dict[str, object]:
        """In addition, `problems`: [{file, line, column?, message, fix}]."""
        message = "\n".join([self.message, *self.lines()])
        problems = {"problems": [each.to_json() for each in self.problems]} if self.problems else {}
        return {**super().to_json(), "message": message, **problems}


class UnhealthyError(LbdeployError):
    """What was asked for was done, and the cluster is not healthy now, or clients have lost more than they should have.

    Do what the message says; `lbdeploy verify` shows everything that was found.
    """

    exit_code = 6


class ApiError(LbdeployError):
    """The Kubernetes API does not say which servers the cluster has: no answer, a login that may not ask, none there.

    Try what the message names: it is lbdeploy's own question, asked with kubectl. The load balancer is not concerned.
    """

    usual_state = "nothing was changed"


class LabError(LbdeployError):
    """The rehearsal lab can't do what was asked: no root, a package that is missing, a node that is not up.

    Do what the message says; `lbdeploy lab status` shows what runs. The real nodes are not concerned.
    """

    usual_state = "the real nodes are not concerned"


class InterruptedRunError(LbdeployError):
    """Ctrl-C in a run or at a question, or a plan that was not approved.

    A node that was being changed ends its change, or restores what was there, by itself. `lbdeploy plan` shows what is
    left to do, `lbdeploy rollback` goes back.
    """

    exit_code = 130

    @classmethod
    def said_no(cls, fix: str) -> Self:
        """The end of a command whose question was answered with no, before anything was changed."""
        error = cls("not approved", state="nothing was changed", fix=fix)
        error.declined = True
        return error
