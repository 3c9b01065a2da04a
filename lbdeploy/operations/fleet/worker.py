"""One cluster's part of a run, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lbdeploy.config.credentials import Answers
from lbdeploy.config.loading.text import read
from lbdeploy.config.model import Cluster
from lbdeploy.config.reader import load
from lbdeploy.errors import LbdeployError, UsageError
from lbdeploy.events import Emit
from lbdeploy.operations.arguments import require_templates
from lbdeploy.operations.exit_status import ExitStatus, changed, looked, planned, verified
from lbdeploy.operations.fleet.job import ClusterResult, Job, ended_by
from lbdeploy.planning.known_files import known_desired
from lbdeploy.rollout.request import Origin, origin
from lbdeploy.rollout.run import Run
from lbdeploy.ssh.pool import SessionPool

ClusterSource = Callable[[], tuple[Cluster, str]]  # the cluster, and the text of the hosts.toml that it is made from
RUNS: dict[str, Callable[[Run, Job], ExitStatus]] = {
    "plan": lambda run, job: planned(run.plan()),
    "up": lambda run, job: changed(run.up()),
    "verify": lambda run, job: verified(run.verify(job.wait, job.goal), job.goal),
}


def perform(job: Job, source: ClusterSource, emit: Emit, sudo_password: str | None = None) -> ClusterResult:
    """Carry out a job; an expected error is a result, too. Nobody is asked anything."""
    began, name = time.monotonic(), ""
    try:
        cluster, text = source()
        name = cluster.name
        asked = replace(origin(text), about=job.about)
        exit_status = _run(job, cluster, asked, emit, Answers(None, job.accept_new, sudo_password))
    except LbdeployError as error:
        return ended_by(job, error, name, time.monotonic() - began)
    return ClusterResult(job.file, name, exit_status.exit_code, time.monotonic() - began, exit_status.document)


def of_file(file: str) -> tuple[Cluster, str]:
    """A source: what the file says now. Raises UsageError and HostsFileError."""
    path = Path(file)
    text = read(path)
    return load(path, text), text


def _run(job: Job, cluster: Cluster, asked: Origin, emit: Emit, answers: Answers) -> ExitStatus:
    limit = limited(job.options.limit, cluster, job.file)
    # As for one cluster: `up` looks at all nodes, also at those that it is not to change.
    looked_at = () if job.command == "up" else limit
    if job.command != "status":
        require_templates(cluster)
    with SessionPool(cluster, emit, ssh=replace(cluster.ssh, answers=answers), limit=looked_at) as pool:
        if job.command == "status":
            from lbdeploy.operations.watch.nodes import once  # which no other command needs

            return looked(once(cluster, pool))
        wanted = known_desired(cluster, pool.nodes, upgrade=job.options.upgrade, reinstall=job.options.reinstall)
        return RUNS[job.command](Run(cluster, pool, emit, asked, job.options, wanted), job)


def limited(limit: tuple[str, ...], cluster: Cluster, file: str) -> tuple[str, ...]:
    """The nodes of --limit. Raises UsageError for one that this cluster does not have."""
    known = [node.name for node in cluster.nodes]
    for name in limit:
        if name not in known:
            raise UsageError(f"there is no node {name} in {file}", fix=f"its nodes are: {', '.join(known)}")
    return limit
