"""One cluster's part of a run, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Cluster
from lbdeploy.config.reader import load, read
from lbdeploy.errors import LbdeployError, UsageError
from lbdeploy.events import Emit
from lbdeploy.operations.exit_status import Ending, changed, looked, planned, verified
from lbdeploy.operations.fleet.job import Job, Result, ended_by
from lbdeploy.operations.status_watch import once
from lbdeploy.rollout.origin import Origin, origin
from lbdeploy.rollout.run import Run
from lbdeploy.ssh.pool import Fleet

Source = Callable[[], tuple[Cluster, str]]  # the cluster, and the text of the hosts.toml that it is made from
RUNS: dict[str, Callable[[Run, Job], Ending]] = {
    "plan": lambda run, job: planned(run.plan()),
    "up": lambda run, job: changed(run.up()),
    "verify": lambda run, job: verified(run.verify(job.wait)),
}


def perform(job: Job, source: Source, emit: Emit, sudo_password: str | None = None) -> Result:
    """Carry out a job; an expected error is a result, too. Nobody is asked anything."""
    began, name = time.monotonic(), ""
    try:
        cluster, text = source()
        name = cluster.name
        asked = replace(origin(text), about=job.about)
        ending = _run(job, cluster, asked, emit, Answers(None, job.accept_new, sudo_password))
    except LbdeployError as error:
        return ended_by(job, error, name, time.monotonic() - began)
    return Result(job.file, name, ending.exit_code, time.monotonic() - began, ending.document)


def of_file(file: str) -> tuple[Cluster, str]:
    """A source: what the file says now. Raises UsageError and HostsFileError."""
    path = Path(file)
    text = read(path)
    return load(path, text), text


def _run(job: Job, cluster: Cluster, asked: Origin, emit: Emit, answers: Answers) -> Ending:
    limit = _limit(job, cluster)
    # As for one cluster: `up` looks at all nodes, also at those that it is not to change.
    looked_at = () if job.command == "up" else limit
    with Fleet(cluster, emit, ssh=replace(cluster.ssh, answers=answers), limit=looked_at) as fleet:
        if job.command == "status":
            return looked(once(cluster, fleet))
        return RUNS[job.command](Run(cluster, fleet, emit, asked, job.options), job)


def _limit(job: Job, cluster: Cluster) -> tuple[str, ...]:
    """The nodes of --limit. Raises UsageError for one that this cluster does not have."""
    known = [node.name for node in cluster.nodes]
    for name in job.options.limit:
        if name not in known:
            raise UsageError(f"there is no node {name} in {job.file}", fix=f"its nodes are: {', '.join(known)}")
    return job.options.limit
