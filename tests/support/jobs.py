"""Jobs of fleets, and what comes of them."""

from __future__ import annotations

from lbdeploy.operations.fleet.job import ClusterResult, Job
from lbdeploy.rollout.request import Options

JOB = Job("a.toml", "up", Options(limit=("lb1",), reinstall=("haproxy",), lock_wait=1.5), "me, since now")


def result(file: str, code: int | None, **document: object) -> ClusterResult:
    return ClusterResult(file, file, code, 1.0, document)
