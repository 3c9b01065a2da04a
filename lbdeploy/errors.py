"""Everything that can go wrong and is expected to, as one tree.

    LbdeployError                exit 1   failed; the message says what state things are in
    ├── UsageError               exit 2   the command line asks for something that can't be
    │   └── HostsFileError       exit 2   hosts.toml: every problem at once, nothing contacted
    ├── ConnectError             exit 4   a node could not be reached or logged into
    │   ├── HostKeyError         exit 4   the node's key is not the known one, or is unknown
    │   ├── LoginError           exit 4   the node refused the login
    │   ├── SudoError            exit 4   the login has no root rights
    │   └── LostError            exit 4   the connection died under way
    ├── LockedError              exit 5   another run is at work
    ├── RemoteError              exit 1   a step failed on a node; what it had begun is named
    │   ├── RolledBackError      exit 7   a step failed, and the node is as it was before
    │   ├── RebootedError        exit 1   the node was started again in the middle of a change
    │   └── LastNodeError        exit 1   no other node could take over while this one is changed
    ├── RenderError              exit 2   a template does not render
    ├── LabError                 exit 1   the rehearsal lab can't do what was asked
    └── InterruptedRunError      exit 130 Ctrl-C

Each says four things, the last three where they are known: what happened, on which node, in what state things are now,
and what to type next. `detail` carries remote output, shown with -v and written to the log.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar


class LbdeployError(Exception):
    """A failure that the operator can act on; never shown as a traceback."""

    exit_code: ClassVar[int] = 1

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
        self.state = state
        self.fix = fix
        self.detail = detail

    def to_json(self) -> dict[str, object]:
        """The `error` object of the JSON contract: `type`, `message`, and where known `node`, `state` and `fix`."""
        optional = {"node": self.node, "state": self.state, "fix": self.fix}
        return {
            "type": type(self).__name__.removesuffix("Error"),
            "message": self.message,
            **{key: value for key, value in optional.items() if value},
        }


class UsageError(LbdeployError):
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in hosts.toml: where (`line` counts from 1), what, and what would be right."""

    line: int
    key: str
    message: str
    fix: str


class HostsFileError(UsageError):
    """hosts.toml can't be used. `problems` holds every one of them, in the order of their lines."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"{path} has {count}",
            state="nothing was contacted",
            fix=f"edit {path}, then: lbdeploy -f {path} check",
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
        """Besides, `problems`: [{line, key, message, fix}]."""
        message = "\n".join([self.message, *self.lines()])
        return {**super().to_json(), "message": message, "problems": [asdict(problem) for problem in self.problems]}


class ConnectError(LbdeployError):
    exit_code = 4


class HostKeyError(ConnectError):
    pass


class LoginError(ConnectError):
    pass


class SudoError(ConnectError):
    pass


class LostError(ConnectError):
    """`silent`: the connection was not ended; no more was heard."""

    silent: bool = False


class LockedError(LbdeployError):
    exit_code = 5


class RemoteError(LbdeployError):
    pass


class RolledBackError(RemoteError):
    exit_code = 7


class RebootedError(RemoteError):
    pass


class LastNodeError(RemoteError):
    pass


class RenderError(LbdeployError):
    exit_code = 2


class LabError(LbdeployError):
    pass


class InterruptedRunError(LbdeployError):
    exit_code = 130
