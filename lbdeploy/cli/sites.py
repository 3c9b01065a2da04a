"""Many clusters in one run: arguments, wiring, and how it ends. What is done is in `lbdeploy.sites`."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from lbdeploy.cli.app import App
from lbdeploy.errors import UsageError
from lbdeploy.interrupt import Interrupt
from lbdeploy.options import Options
from lbdeploy.origin import origin
from lbdeploy.report.sites import Sites
from lbdeploy.sites.course import carry_out
from lbdeploy.sites.job import Job, Result, ended_by, labels, worst

PARALLEL = 5  # of two nodes: as many logins at once as an sshd takes by default, where all go through one jump host
STOPPING = "stopping as soon as the clusters under way are done"


def fleet(
    app: App, *, limit: str | None, wait: float = 0.0, ask: bool = False, watch: bool = False, **how: object
) -> None:
    """Do the command in every cluster, tell of each, and end with the worst exit code."""
    _refuse(app, ask=ask, watch=watch)
    gc.enable()  # unlike a run on one cluster, this one goes on for long enough to need its memory back
    names = tuple(name.strip() for name in (limit or "").split(",") if name.strip())
    options = Options(limit=names, **how)  # type: ignore[arg-type]
    files = app.files or [str(app.file)]
    about = origin("").about
    jobs = [Job(file, app.command, options, about, wait, app.accept_new) for file in files]
    sites = Sites(app.reporter, app.command, labels(files))
    with _engine(app, sites) as (begin, parallel, check), Interrupt(app.emit, STOPPING) as interrupt:

        def stop() -> bool:
            check()
            return interrupt.asked

        results = {}
        for result in carry_out(jobs, begin, parallel, app.canary, stop):
            results[result.file] = result
            sites.ended(result)
    ordered = [results[file] for file in files]
    sites.summary(ordered)
    code = 130 if interrupt.asked and None in [each.exit_code for each in ordered] else worst(ordered)
    app.finish(code, clusters=[each.to_json() for each in ordered])


def _refuse(app: App, *, ask: bool, watch: bool) -> None:
    """Raise UsageError for what can't be had in many clusters at once."""
    fixes = {
        "--lab": (app.lab, "rehearse them one by one: lbdeploy -f FILE --lab up"),
        "--ask": (ask, "lbdeploy plan, with the same files, then up"),
        "--watch": (watch, "lbdeploy status, without it"),
        "--ask-sudo with --scheduler": (
            app.ask_sudo and app.scheduler,
            "no password travels: set LBDEPLOY_SUDO_PASSWORD where the workers are",
        ),
    }
    for what, (given, fix) in fixes.items():
        if given:
            raise UsageError(f"{what} is not for a run over many clusters", state="nothing was contacted", fix=fix)


Engine = tuple[Callable[[Job], "Future[Result]"], int, Callable[[], None]]


@contextmanager
def _engine(app: App, sites: Sites) -> Iterator[Engine]:
    """How to begin a job, how many at a time, and what to see to now and then."""
    if not app.scheduler:
        yield _here(app, sites)
        return
    from lbdeploy.sites.remote import workers

    with workers(app.scheduler, sites.event) as there:
        yield there.begin, app.parallel or there.threads, there.check


def _here(app: App, sites: Sites) -> Engine:
    """Threads of this process: nearly all of the time is the nodes', so they do not wait for each other."""
    from lbdeploy import transport  # noqa: F401  before there are threads that would all wait for it
    from lbdeploy.sites.work import of_file, perform

    password = app.answers.sudo_password
    parallel = app.parallel or PARALLEL
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="cluster")

    def work(job: Job) -> Result:
        try:
            return perform(job, lambda: of_file(job.file), lambda event: sites.event(job.file, event), password)
        except Exception as error:
            from lbdeploy.cli.crash import crashed

            return ended_by(job, crashed(error))

    return lambda job: pool.submit(work, job), parallel, lambda: None
