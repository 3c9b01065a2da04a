"""Many clusters in one run: arguments, wiring, and how it ends. The run itself is `lbdeploy.operations.fleet`."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lbdeploy.cli.app import App
from lbdeploy.cli.failures.crash import mistake
from lbdeploy.cli.report.fleet import Sites
from lbdeploy.common.environment import SUDO_VARIABLE
from lbdeploy.common.typed import typed
from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Cluster
from lbdeploy.errors import InterruptedRunError, UsageError
from lbdeploy.events import Event, Note, Told
from lbdeploy.health.awaited import Goal
from lbdeploy.operations.exit_status import of_many
from lbdeploy.operations.fleet.batches import carry_out
from lbdeploy.operations.fleet.job import ClusterResult, Job, ended_by, labels, worst
from lbdeploy.rollout.interrupt import Interrupt
from lbdeploy.rollout.request import Options, origin
from lbdeploy.ssh.pool import SessionPool

# Clusters at a time: with two nodes each, as many logins at once as an sshd accepts by default, should all go through
# one jump host.
PARALLEL = 5
STOPPING = "stopping as soon as the clusters under way are done"


def fleet(
    app: App,
    *,
    limit: tuple[str, ...],
    wait: float = 0.0,
    goal: Goal | None = None,
    ask: bool = False,
    watch: bool = False,
    kubeconfig: Path | None = None,
    **how: object,
) -> None:
    """Run the command on every cluster, report each, and end with the worst exit code."""
    _refuse(app, ask=ask, watch=watch, kubeconfig=kubeconfig is not None)
    gc.enable()  # unlike a run on one cluster, this one is long enough to need garbage collection
    if watch:
        _watch(app, limit)
        return
    how.pop("diff", None)  # a row a cluster has no room for files
    options = Options(limit=limit, **how)  # type: ignore[arg-type]
    files, about = app.files or [str(app.file)], origin("").about
    sites = Sites(app.reporter, app.command, labels(files), lambda file: app.advice_for(file).of)
    with Interrupt(app.emit, STOPPING) as interrupt:
        jobs = [Job(file, app.command, options, about, wait, app.accept_new, goal) for file in files]
        found = {each.file: each for each in _results(app, jobs, sites, interrupt)}
    results = [_advised(app, found[file]) for file in files]
    sites.summary(results)
    clusters = [each.to_json() for each in results]
    if interrupt.asked and None in [each.exit_code for each in results]:
        app.finish(InterruptedRunError.exit_code, clusters=clusters, error=_interrupted(app.command).to_json())
        return
    code = worst(results)
    app.finish(code, clusters=clusters, **of_many(clusters, code))


def _interrupted(command: str) -> InterruptedRunError:
    state = "the clusters that were not begun are as they were"
    return InterruptedRunError("interrupted", state=state, fix=typed(command, before="the same again: "))


def _advised(app: App, result: ClusterResult) -> ClusterResult:
    """The result, with its advice adapted to this file."""
    return replace(result, document=app.advice_for(result.file).within(result.document))


def _results(app: App, jobs: Sequence[Job], sites: Sites, interrupt: Interrupt) -> Iterator[ClusterResult]:
    """The results in the order in which they arrive, each reported at once."""

    def tell(file: str, event: Event) -> None:
        app.log.event(replace(event, who=" ".join(filter(None, (sites.labels[file], event.who)))))
        if isinstance(event, Told):
            sites.event(file, event)

    with _engine(app, tell) as (begin, parallel, check):
        gc.freeze()  # what was imported stays: it need not be looked through each time

        def stop() -> bool:
            check()
            return interrupt.asked

        for result in carry_out(jobs, begin, parallel, app.canary, stop):
            sites.ended(result)
            yield result


def _refuse(app: App, *, ask: bool, watch: bool, kubeconfig: bool) -> None:
    """Raise UsageError for options that a run over many clusters does not have."""
    fixes = {
        "--lab": (app.lab, "rehearse them one by one: lbdeploy -f FILE --lab up"),
        "--ask": (ask, "lbdeploy plan, with the same files, then up"),
        "--kubeconfig": (kubeconfig, "each cluster has its own: lbdeploy -f FILE verify --kubeconfig KUBECONFIG"),
        "--json status --watch": (watch and app.json, "one file at a time, or lbdeploy --json status"),
        "--canary or --scheduler with --watch": (
            watch and bool(app.canary or app.scheduler),
            "lbdeploy status --watch: it watches all of them from here",
        ),
        "--ask-sudo with --scheduler": (
            app.ask_sudo and app.scheduler,
            f"no password travels: set {SUDO_VARIABLE} where the workers are",
        ),
    }
    for what, (given, fix) in fixes.items():
        if given:
            raise UsageError(f"{what} is not for a run over many clusters", state="nothing was contacted", fix=fix)


def _watch(app: App, limit: tuple[str, ...]) -> None:
    """Watch every cluster, a row each, until q or Ctrl-C. Nobody is asked anything."""
    from lbdeploy.operations.watch.clusters import WatchedClusters

    if not app.reporter.drawable:
        raise UsageError("--watch needs a terminal that can be drawn on", fix="lbdeploy status, without it")
    names = labels(app.files or [str(app.file)])
    app.log.event(Note(None, "watching"))  # with a log, SIGTERM ends the screen as Ctrl-C does
    app.muted = True
    with WatchedClusters([(label, _connecting(app, file, limit)) for file, label in names.items()]) as watched:
        app.reporter.watch(watched.clusters)
    app.finish(0)


def _connecting(app: App, file: str, limit: tuple[str, ...]) -> Callable[[], tuple[Cluster, SessionPool]]:
    """What opens the sessions to the nodes of a file."""
    from lbdeploy.operations.fleet.worker import limited, of_file

    answers = Answers(None, app.accept_new, app.answers.sudo_password)

    def connect() -> tuple[Cluster, SessionPool]:
        cluster, _ = of_file(file)
        chosen = limited(limit, cluster, file)
        return cluster, SessionPool(cluster, app.emit, ssh=replace(cluster.ssh, answers=answers), limit=chosen)

    return connect


Tell = Callable[[str, Event], None]  # called with a file, and an event in its cluster
Engine = tuple[Callable[[Job], "Future[ClusterResult]"], int, Callable[[], None]]


@contextmanager
def _engine(app: App, tell: Tell) -> Iterator[Engine]:
    """How to begin a job, how many to run at a time, and a check to be called regularly."""
    if not app.scheduler:
        yield _here(app, tell)
        return
    from lbdeploy.operations.fleet.dask import workers

    with workers(app.scheduler, tell) as there:
        yield there.begin, app.parallel or there.threads, there.check


def _here(app: App, tell: Tell) -> Engine:
    """Runs jobs in threads of this process: these wait for the nodes nearly all of the time."""
    from lbdeploy.operations.fleet.worker import of_file, perform
    from lbdeploy.ssh.transport import session  # noqa: F401  before there are threads that would all wait for it

    password = app.answers.sudo_password
    parallel = app.parallel or PARALLEL
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="cluster")

    def work(job: Job) -> ClusterResult:
        try:
            return perform(job, lambda: of_file(job.file), lambda event: tell(job.file, event), password)
        except Exception as error:  # one cluster's failure does not end the others
            app.log.write("".join(traceback.format_exception(error)))
            return ended_by(job, mistake(error, "the log"))

    return lambda job: pool.submit(work, job), parallel, lambda: None
