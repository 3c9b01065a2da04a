"""Clusters as tasks of Dask's distributed: `DaskWorkers` is the operator's side, `perform_there` what a worker runs.

One parcel is sent per cluster: hosts.toml with the files that it names, its templates, and the job. Keys, agents,
known_hosts and passwords are the worker's own.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lbdeploy import __version__
from lbdeploy.common.paths import absolute
from lbdeploy.common.shell import nonce
from lbdeploy.common.typed import typed
from lbdeploy.config.loading.text import read
from lbdeploy.config.model import Cluster
from lbdeploy.config.reader import load
from lbdeploy.errors import ConnectError, LbdeployError, RemoteError, UsageError
from lbdeploy.events import Done, Emit, Event, Note, Step, Told
from lbdeploy.operations.fleet.job import ClusterResult, Job, ended_by
from lbdeploy.operations.fleet.worker import perform
from lbdeploy.planning.render import require_own

TOPIC = "lbdeploy"  # one for all runs: what Dask keeps of a topic is bounded, the number of topics is not
ANSWER_SECONDS = 5  # for the scheduler to answer
NO_WORKER_SECONDS = 60.0  # how long a run waits for workers, once there is none
RERUN_LOCK_SECONDS = 60.0  # a lost worker's run releases the nodes' locks by itself, within this time

KINDS: dict[str, type[Told]] = {"Step": Step, "Done": Done, "Note": Note}
Tell = Callable[[str, Told], None]


class DaskWorkers:
    """The workers of a scheduler. `tell` is given each event, with the file it is about, as it happens."""

    def __init__(self, client: Any, tell: Tell) -> None:
        self._client = client
        self._tell = tell
        self._run = nonce()
        self._begun: dict[str, str] = {}
        self._under_way: set[Future[Any]] = set()
        self._seen = time.monotonic()
        client.subscribe_topic(TOPIC, self._hear)

    @property
    def threads(self) -> int:
        """How many clusters they can work on at the same time. Raises ConnectError where there is no worker."""
        count: int = sum(self._client.nthreads().values())
        if not count:
            raise _no_worker("nothing was begun")
        return count

    def begin(self, job: Job) -> Future[ClusterResult]:
        """Have a worker carry it out. An error that prevents this is a result, too."""
        result: Future[ClusterResult] = Future()
        result.set_running_or_notify_cancel()
        try:
            task = self._submit(job, pack(job, self._run))
        except LbdeployError as error:
            result.set_result(ended_by(job, error))
            return result
        self._under_way.add(task)
        task.add_done_callback(lambda done: result.set_result(self._result(job, done)))
        return result

    def _submit(self, job: Job, parcel: Mapping[str, Any]) -> Future[Any]:
        # What only looks may be retried after any failure. A lost worker's job is given to another one in any case.
        retries = 0 if job.command == "up" else 1
        try:
            task: Future[Any] = self._client.get_executor(pure=False, retries=retries).submit(perform_there, parcel)
        except Exception:  # from a client that has lost its scheduler: of many types
            raise _no_worker("nothing was contacted") from None
        return task

    def check(self) -> None:
        """Cancel all tasks if there has been no worker for NO_WORKER_SECONDS. To be called now and then."""
        with suppress(Exception):
            if self._client.nthreads():
                self._seen = time.monotonic()
        if time.monotonic() > self._seen + NO_WORKER_SECONDS:
            for task in list(self._under_way):
                task.cancel()

    def _result(self, job: Job, task: Future[Any]) -> ClusterResult:
        self._under_way.discard(task)
        state = _UNKNOWN if job.command == "up" else "nothing was changed"
        try:
            return ClusterResult(**{**task.result(), "file": job.file})
        except CancelledError:
            return ended_by(job, _no_worker(state))
        except Exception as error:  # from the worker: it died each time, or its code has a bug
            fix = typed("-f", job.file, "plan", before="see the worker's log; ", after=" shows what is left to do")
            return ended_by(job, RemoteError(f"no worker could do it: {error}", state=state, fix=fix))

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Handle an event from a worker; the topic also has the events of other runs."""
        message = event[1]
        if message["run"] != self._run:
            return
        if message["kind"] != "Begun":
            self._tell(message["file"], KINDS[message["kind"]](**message["event"]))
            return
        lost = self._begun.get(message["file"])
        self._begun[message["file"]] = message["worker"]
        if lost:
            self._tell(message["file"], Note(None, f"restarted by {message['worker']}, since {lost} was lost"))


_UNKNOWN = "not known; a node in change ends it, or restores what was there, by itself"


@contextmanager
def workers(address: str, tell: Tell) -> Iterator[DaskWorkers]:
    """The workers of the scheduler at an address. Raises UsageError and ConnectError."""
    try:
        from distributed import Client
    except ImportError:
        fix = "pip install 'lbdeploy[fleet]', here and where the workers are"
        raise UsageError("--scheduler needs Dask's distributed", state="nothing was contacted", fix=fix) from None
    logging.disable()  # or Dask's log writes over the display; all that it tells is also raised
    try:
        client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        fix = "see whether it runs, and whether the address is as it says: tcp://HOST:8786, or tls://"
        raise ConnectError(f"the scheduler {address}: {error}", state="nothing was begun", fix=fix) from None
    try:
        yield DaskWorkers(client, tell)
    finally:
        with suppress(Exception):  # all results are in: it does not matter if closing fails
            client.close(timeout=2)
        logging.disable(logging.NOTSET)


def pack(job: Job, run: str) -> dict[str, Any]:
    """What a worker is sent, as plain data. Raises UsageError and RenderError: nothing invalid is sent."""
    path = absolute(Path(job.file))
    text = read(path)
    texts: dict[str, str] = {}
    templates = load(path, text, texts).templates
    require_own(templates)
    files = _templates(templates)
    if job.command == "up":
        longer = max(job.options.lock_wait, RERUN_LOCK_SECONDS)
        job = replace(job, options=replace(job.options, lock_wait=longer))
    return {
        "run": run,
        "version": __version__,
        "job": job.to_json(),
        "path": str(path),
        "text": text,
        "templates": files,
        "texts": texts,
    }


def _templates(folder: Path) -> dict[str, bytes]:
    """The templates by name, as they are: what is wrong with one is reported by rendering it. Raises UsageError.

    Hidden files are left out: an editor's swap files, a version control folder.
    """
    try:
        paths = {str(each.relative_to(folder)): each for each in folder.rglob("*") if each.is_file()}
        return {name: each.read_bytes() for name, each in paths.items() if not f"/{name}".count("/.")}
    except OSError as error:
        fix = f"make it readable, or take it out of {folder}"
        raise UsageError(f"a template can't be read: {error}", state="nothing was contacted", fix=fix) from None


def perform_there(parcel: Mapping[str, Any]) -> dict[str, Any]:
    """Run by a worker: carries out a job with the worker's own keys. Returns the result as plain data."""
    from distributed import get_worker

    worker = get_worker()

    def say(kind: str, **event: Any) -> None:
        """Send an event to the operator; Dask adds the worker's address."""
        worker.log_event(TOPIC, {"run": parcel["run"], "file": parcel["job"]["file"], "kind": kind, "event": event})

    _stop_profiler(worker)

    def emit(event: Event) -> None:
        """Scripts and their output are not passed on: the scheduler would keep them."""
        if isinstance(event, Told):
            say(type(event).__name__, **asdict(event))

    say("Begun")
    return asdict(_unpacked(parcel, worker.address, emit))


def _stop_profiler(worker: Any) -> None:
    """CPython 3.11 may hang if a thread starts while Dask's profiler inspects all: python/cpython issue 106883."""
    profiler = worker.periodic_callbacks.get("profile")
    if sys.version_info >= (3, 12) or not profiler or not profiler.is_running():
        return
    stopped = threading.Event()
    worker.loop.add_callback(profiler.stop)
    worker.loop.add_callback(stopped.set)
    stopped.wait(ANSWER_SECONDS)


def _unpacked(parcel: Mapping[str, Any], worker: str, emit: Emit) -> ClusterResult:
    job = Job.of_json(parcel["job"])
    if parcel["version"] != __version__:
        message = f"the worker {worker} has lbdeploy {__version__}, and this is {parcel['version']}"
        return ended_by(job, UsageError(message, state="nothing was contacted", fix="install the same one there"))
    with TemporaryDirectory(prefix="lbdeploy-") as folder:
        return perform(job, lambda: _cluster(parcel, Path(folder)), emit)


def _cluster(parcel: Mapping[str, Any], folder: Path) -> tuple[Cluster, str]:
    """The operator's file, templates and what the file names, from the parcel alone; other paths are the worker's."""
    for name, content in parcel["templates"].items():
        path = folder / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    cluster = load(Path(parcel["path"]), parcel["text"], parcel["texts"])
    return replace(cluster, path=folder / cluster.path.name), parcel["text"]


def _no_worker(state: str) -> ConnectError:
    fix = "start workers, with keys of their own: dask worker SCHEDULER"
    return ConnectError("the scheduler is gone, or has no worker", state=state, fix=fix)
