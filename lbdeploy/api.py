"""lbdeploy as a library: each operation is a function that takes a cluster and returns the result.

Functions print nothing, ask nothing and never exit; they raise LbdeployError on failure. They may be called from any
thread, and for several clusters at once. Ctrl-C is handled as by the command line: in the main thread, while nodes are
being changed. `on_event` is called with each event. To add an operation: a function here, and its name in __init__.py
and __init__.pyi.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from lbdeploy.common.debian import PACKAGES
from lbdeploy.common.paths import shown
from lbdeploy.config.credentials import Answers
from lbdeploy.config.model import Cluster, Ssh
from lbdeploy.errors import LabError, LbdeployError, UsageError
from lbdeploy.events import Emit, Event, silent
from lbdeploy.health.awaited import Goal
from lbdeploy.operations.arguments import chosen, fingerprint, require_templates
from lbdeploy.operations.doctor.checklist import IGNORED_BY_UP
from lbdeploy.operations.servers.names import members
from lbdeploy.rollout.request import Options, Origin, origin, user
from lbdeploy.rollout.run import Outcome, Run
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.operations.adopt.result import Adopted
    from lbdeploy.operations.down import Removed
    from lbdeploy.operations.drill.faults import Name
    from lbdeploy.operations.drill.result import DrillResult
    from lbdeploy.operations.handover.result import HandoverResult
    from lbdeploy.operations.rebuild import Rebuilt
    from lbdeploy.operations.servers.drain import Servers
    from lbdeploy.operations.servers.result import ServerResult
    from lbdeploy.operations.status import Status
    from lbdeploy.planning.plan import Plan

__all__ = [
    "Answers", "Cluster", "LbdeployError", "Outcome",
    "adopt", "down", "drain", "drill", "handover", "load", "plan", "rebuild", "rollback", "status", "undrain",
    "up", "verify",
]  # fmt: skip


class Asked(TypedDict, total=False):
    """The options of a run: see Options, and `lbdeploy up --help`."""

    limit: Iterable[str]
    ignore: Iterable[str]
    reinstall: Iterable[str]
    upgrade: bool
    force_last: bool
    lock_wait: float


def load(path: str | Path = "hosts.toml", *, answers: Answers | None = None, lab: bool = False) -> Cluster:
    """The cluster that a hosts.toml describes. Contacts no host. Raises HostsFileError with every problem of the file.

    `answers`: what logging in needs and no file contains: `Answers(sudo_password=...)`. With `lab`, this process
    moves into the file's rehearsal lab, irreversibly, and the cluster is the lab's; call it while the process has only
    one thread. Raises LabError.
    """
    from lbdeploy.config.reader import load as read

    cluster = read(Path(path))
    ssh = _lab(cluster) if lab else cluster.ssh
    return replace(cluster, ssh=replace(ssh, answers=answers or Answers()))


def adopt(
    nodes: Mapping[str, str] | Iterable[str],
    *,
    name: str = "k8s-api",
    ssh: Ssh | None = None,
    answers: Answers | None = None,
    on_event: Emit = silent,
) -> Adopted:
    """The hosts.toml that does what a pair built by hand does; nothing is written, here or on the nodes.

    `nodes`: what SSH connects to, by name, or just that. `ssh`: how to log in, as of a cluster; if unset, as ssh does.
    """
    from lbdeploy.operations.adopt.adopt import adopt as adopted
    from lbdeploy.operations.adopt.hosts import hosts

    access = ssh or Ssh()
    access = replace(access, answers=answers) if answers else access
    return adopted(hosts(nodes), name, access, _telling(on_event))


def plan(cluster: Cluster, *, on_event: Emit = silent, **asked: Unpack[Asked]) -> Outcome:
    """What `up` would do; changes nothing. `errors` has the nodes that could not be observed."""
    options = _options(cluster, asked)
    with _run(cluster, options, on_event, "plan", limit=options.limit) as run:
        return run.plan()


def up(
    cluster: Cluster,
    *,
    approve: Callable[[Plan], bool] | None = None,
    on_event: Emit = silent,
    **asked: Unpack[Asked],
) -> Outcome:
    """Bring every node to the desired state, one by one, and verify. Raises the first node's error where one fails.

    `approve` is shown a plan that has changes, and may refuse it: then InterruptedRunError is raised.
    """
    with _run(cluster, _options(cluster, asked), on_event, "up") as run:
        return run.up(approve)


def verify(
    cluster: Cluster,
    *,
    wait: float = 0.0,
    wait_for: Goal | None = None,
    limit: Iterable[str] = (),
    on_event: Emit = silent,
) -> Outcome:
    """The state of the running cluster; observed again for up to `wait` s until it is healthy. Changes nothing.

    `wait_for`: servers, vips or all, as in `lbdeploy verify --help`.
    """
    options = _options(cluster, {"limit": limit})
    with _run(cluster, options, on_event, "verify", limit=options.limit) as run:
        return run.verify(wait, wait_for)


def rollback(cluster: Cluster, to: str | None = None, *, on_event: Emit = silent, **asked: Unpack[Asked]) -> Outcome:
    """Restore the files as they were before the run `to`, or before the last one."""
    options = _options(cluster, asked)
    require_templates(cluster)
    with _pool(cluster, on_event) as (pool, emit):
        from lbdeploy.operations.rollback import Rollback, stored

        back = Rollback(cluster, pool, emit, _origin(cluster, "rollback"), options)
        return back.prepare(stored(pool, options.limit), to)[0].up()


def rebuild(
    cluster: Cluster,
    node: str,
    *,
    host_key: str | None = None,
    wait: bool = False,
    on_event: Emit = silent,
    **asked: Unpack[Asked],
) -> Rebuilt:
    """Make a reinstalled host a member again. `host_key`: its new one, SHA256:...; `wait`: until it has its role."""
    options = _options(cluster, {**asked, "limit": [node]})
    if host_key:
        cluster.ssh.answers.stated[node] = fingerprint(host_key)
    require_templates(cluster)
    with _pool(cluster, on_event) as (pool, emit):
        from lbdeploy.operations.rebuild import Rebuild

        return Rebuild(cluster, pool, emit, _origin(cluster, "rebuild"), options).rebuild(wait=wait)


def handover(
    cluster: Cluster,
    to: str | None = None,
    *,
    back: bool = False,
    group: str = "",
    lock_wait: float = 0.0,
    on_event: Emit = silent,
) -> HandoverResult:
    """Move the VIPs to a node, or to the one of next highest priority, and keep them there; `back` ends that.

    `group`: whose VIPs, where hosts.toml has groups.
    """
    if to is not None:
        _limit(cluster, to)
    _require_group(cluster, group)
    require_templates(cluster)
    with _pool(cluster, on_event) as (pool, emit):
        from lbdeploy.operations.handover.handover import Handover

        return Handover(cluster, pool, emit, _origin(cluster, "handover").about, lock_wait, group=group).run(
            to, back=back
        )


def _require_group(cluster: Cluster, group: str) -> None:
    """Raise UsageError unless that is a group of the cluster's; "" is where there are none."""
    known = [part.group for part in cluster.parts]
    if group not in known:
        fix = f"name one of: {', '.join(known)}" if known != [""] else "leave group out: hosts.toml has no groups"
        raise UsageError(f"there is no group {group!r}", state="nothing was contacted", fix=fix)


def drain(
    cluster: Cluster,
    server: str,
    frontend: str | None = None,
    *,
    wait: float | None = None,
    shutdown: bool = False,
    force_last: bool = False,
    lock_wait: float = 0.0,
    on_event: Emit = silent,
) -> ServerResult:
    """Give a server no new connections, on any node, until `undrain`. `wait` (s) for open ones; `shutdown` closes them.

    `errors` has the nodes that did not do it.
    """
    members(cluster, server, frontend)
    with _servers(cluster, "drain", lock_wait, on_event) as servers:
        return servers.drain(server, frontend, wait=wait, shutdown=shutdown, force_last=force_last)


def undrain(
    cluster: Cluster, server: str, frontend: str | None = None, *, lock_wait: float = 0.0, on_event: Emit = silent
) -> ServerResult:
    """Have a server that was drained get new connections again."""
    members(cluster, server, frontend)
    with _servers(cluster, "undrain", lock_wait, on_event) as servers:
        return servers.undrain(server, frontend)


def drill(
    cluster: Cluster,
    kind: Name,
    *,
    node: str | None = None,
    server: str | None = None,
    group: str | None = None,
    hold: float | None = None,
    i_have_console: bool = False,
    on_event: Emit = silent,
) -> DrillResult:
    """Break something on the holder, or on `node`, for `hold` seconds; measure the outage; undo it.

    `group`: on the holder of these VIPs, where hosts.toml has groups. `server`: the one that is broken, for the kinds
    server and drain.
    Raises UsageError for link and power where they can't be undone: outside the lab, unless somebody is at the console.
    """
    if node is not None:
        _limit(cluster, node)
    if group is not None:
        _require_group(cluster, group)
    if server is not None:
        chosen([server], "server", [each.name for each in cluster.frontends[0].servers], f" in {shown(cluster.path)}")
    from lbdeploy.operations.drill.drill import Drill
    from lbdeploy.operations.drill.faults import ON_SERVERS, refuse_for_good, refuse_pointless

    refuse_pointless(kind, cluster)
    in_lab = cluster.ssh.in_lab
    refuse_for_good(kind, undoable=in_lab or i_have_console)
    outside = None
    if in_lab:
        from lbdeploy.lab.fault_injector import InLab

        # The injector reads the lab's state by the file's own settings.
        outside = partial(InLab, replace(cluster, ssh=load(cluster.path).ssh))
    about = _origin(cluster, "drill").about
    return Drill(cluster, cluster.ssh, _telling(on_event), about, outside).run(
        kind, server if kind in ON_SERVERS else node, hold, group=group
    )


def down(
    cluster: Cluster,
    *,
    limit: Iterable[str] = (),
    purge: bool = False,
    lock_wait: float = 0.0,
    on_event: Emit = silent,
) -> Removed:
    """Restore the nodes to how they were before lbdeploy, without asking. `purge`: also remove the packages."""
    options = _options(cluster, {"limit": limit, "lock_wait": lock_wait})
    with _pool(cluster, on_event) as (pool, emit):
        from lbdeploy.operations.down import Removal

        return Removal(cluster, pool, emit, _origin(cluster, "down"), options, purge=purge).down()


def status(cluster: Cluster, *, limit: Iterable[str] = (), on_event: Emit = silent) -> Status:
    """Which node holds which VIP at this moment, and the state of daemons and servers."""
    with _pool(cluster, on_event, _limit(cluster, limit)) as (pool, _):
        from lbdeploy.operations.watch.nodes import once

        return once(cluster, pool)


@contextmanager
def _pool(cluster: Cluster, on_event: Emit, limit: Iterable[str] = ()) -> Iterator[tuple[SessionPool, Emit]]:
    emit = _telling(on_event)
    pool = SessionPool(cluster, emit, limit=tuple(limit))
    try:
        yield pool, emit
    finally:
        pool.close()  # also after an interruption, since the calling program goes on


@contextmanager
def _servers(cluster: Cluster, operation: str, lock_wait: float, on_event: Emit) -> Iterator[Servers]:
    from lbdeploy.operations.servers.drain import Servers

    with _pool(cluster, on_event) as (pool, emit):
        yield Servers(cluster, pool, emit, user(), _origin(cluster, operation).about, lock_wait)


@contextmanager
def _run(
    cluster: Cluster, options: Options, on_event: Emit, operation: str, limit: Iterable[str] = ()
) -> Iterator[Run]:
    """A run on all nodes, or on those of `limit`; the others are not even observed."""
    require_templates(cluster)
    with _pool(cluster, on_event, limit) as (pool, emit):
        yield Run(cluster, pool, emit, _origin(cluster, operation), options)


def _options(cluster: Cluster, asked: Asked) -> Options:
    """The options as checked. Raises UsageError for invalid ones."""
    limit = _limit(cluster, asked.get("limit", ()))
    ignore = chosen(_several(asked.get("ignore", ())), "check", IGNORED_BY_UP)
    reinstall = chosen(_several(asked.get("reinstall", ())), "package", PACKAGES)
    checked: dict[str, Any] = {**asked, "limit": limit, "ignore": ignore, "reinstall": reinstall}
    return Options(**checked)


def _limit(cluster: Cluster, names: Iterable[str]) -> tuple[str, ...]:
    return chosen(_several(names), "node", [node.name for node in cluster.nodes], f" in {shown(cluster.path)}")


def _several(names: Iterable[str]) -> tuple[str, ...]:
    """The names as a tuple; a single string is one name, not a sequence of letters."""
    return (names,) if isinstance(names, str) else tuple(names)


def _telling(on_event: Emit) -> Emit:
    """Passes events on to `on_event`, one at a time, whichever thread they come from.

    An exception in `on_event` does not end the run.
    """
    lock = threading.RLock()

    def emit(event: Event) -> None:
        with lock:
            try:
                on_event(event)
            except Exception:
                logging.getLogger("lbdeploy").exception("on_event failed")

    return emit


def _origin(cluster: Cluster, operation: str) -> Origin:
    """The calling program, by its name only, as its arguments may be secret."""
    return origin(_text(cluster), f"lbdeploy.{operation}() in {Path(sys.argv[0]).name or 'python'}")


def _text(cluster: Cluster) -> str:
    """The text of the hosts.toml that the cluster was made from; "" where the file has changed since."""
    from lbdeploy.config.reader import load as read

    try:
        text = cluster.path.read_text(encoding="utf-8")
        same = replace(read(cluster.path, text), ssh=cluster.ssh) == cluster
    except (OSError, ValueError, UsageError):
        return ""
    return text if same else ""


def _lab(cluster: Cluster) -> Ssh:
    from lbdeploy.lab import commands as lab

    try:
        return lab.enter(cluster)
    except RuntimeError as error:
        raise LabError(str(error), fix="load(..., lab=True) before threads are started") from None
