"""A request for one cluster, and its result. Both are plain data without secrets, which can be sent to a worker."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lbdeploy.common.paths import absolute
from lbdeploy.errors import LbdeployError
from lbdeploy.health.awaited import Goal
from lbdeploy.operations.exit_status import CHANGES_PENDING
from lbdeploy.rollout.request import Options

WELL = (0, CHANGES_PENDING)
# Worst first: what was interrupted, then what needs a person, then what is down, then what did not even begin.
WORST = (130, 1, 7, 4, 6, 5, 2, CHANGES_PENDING, 0)


@dataclass(frozen=True, slots=True)
class Job:
    """A command for the cluster of a file, as typed. `wait` and `goal` are verify's; `about` says who asks."""

    file: str
    command: str
    options: Options
    about: str
    wait: float = 0.0
    accept_new: bool = False
    goal: Goal | None = None

    def to_json(self) -> dict[str, Any]:
        """The job as data, for `of_json`."""
        return asdict(self)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Job:
        """A job from what `to_json` gave, also after a round trip through JSON."""
        lists = {key: tuple(each) for key, each in data["options"].items() if isinstance(each, list)}
        options: dict[str, Any] = {**data["options"], **lists}
        return cls(**{**data, "options": Options(**options)})


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """The result of a job. `document` is what the command prints for a single cluster, but for its head.

    `exit_code` None: it was not begun. `name` is the cluster's, "" where its file can't be read.
    """

    file: str
    name: str
    exit_code: int | None
    seconds: float
    document: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        return self.exit_code is not None and self.exit_code not in WELL

    def to_json(self) -> dict[str, Any]:
        """An entry of `clusters` in the JSON document."""
        head = {"file": self.file, "name": self.name or None, "ok": self.exit_code == 0, "exit_code": self.exit_code}
        return {**head, "duration_s": round(self.seconds, 3), **self.document}


def ended_by(job: Job, error: LbdeployError, name: str = "", seconds: float = 0.0) -> ClusterResult:
    """The result of a job that an error has ended."""
    return ClusterResult(job.file, name, error.exit_code, seconds, {"error": error.to_json()})


def not_begun(job: Job) -> ClusterResult:
    """The result of a job that was left out, since others had failed."""
    return ClusterResult(job.file, "", None, 0.0, {})


def worst(results: Iterable[ClusterResult]) -> int:
    """The exit code of a run: the worst one. An unknown code counts as 1."""
    codes = [result.exit_code for result in results if result.exit_code is not None]
    return min((code if code in WORST else 1 for code in codes), key=WORST.index, default=0)


def labels(files: Sequence[str]) -> dict[str, str]:
    """A short name for each file: its own without .toml, the folder's for hosts.toml; the path if two are alike."""
    short = {file: _short(Path(file)) for file in files}
    names = list(short.values())
    return {file: name if names.count(name) == 1 else file for file, name in short.items()}


def _short(file: Path) -> str:
    return absolute(file).parent.name if file.name == "hosts.toml" else file.stem or os.fspath(file)
