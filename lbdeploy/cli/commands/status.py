"""`lbdeploy status`: once, or with --watch as a live screen or a document every two seconds."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import global_options, in_fleets, limit_option
from lbdeploy.errors import InterruptedRunError
from lbdeploy.operations.exit_status import looked

if TYPE_CHECKING:
    from lbdeploy.operations.status import Status
    from lbdeploy.operations.watch.nodes import Watch
    from lbdeploy.ssh.pool import SessionPool


@click.command()
@click.option("--watch", is_flag=True, help="Look again every 2 seconds, until q or Ctrl-C.")
@limit_option
@global_options
@click.pass_obj
@in_fleets
def status(app: App, *, watch: bool, limit: tuple[str, ...]) -> None:
    """Show who holds what right now.

    With --watch, on a screen with keys: ? tells them, q and Ctrl-C end it; several files are a row each.

    Shows VRRP states and priorities as keepalived reports them, VIPs from `ip a`, services, servers and sessions from
    haproxy's `show stat`, and any obvious problem. For a full check: `lbdeploy verify`. Exit code 4: a node could not
    be checked.

    \b
    lbdeploy status
    lbdeploy status --watch            every 2 seconds; q ends it, ? tells keys
    lbdeploy -f a.toml -f b.toml status --watch         a row a cluster
    lbdeploy --json status --watch     one document per line, for scripts
    """
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh, limit=app.limit(limit)) as pool:
        from lbdeploy.operations.watch.nodes import PATIENCE, SOON, once

        screen = watch and not app.json and app.reporter.drawable
        found = once(app.cluster, pool, SOON if screen else PATIENCE)
        if screen or (watch and app.json):
            _follow(app, pool, found)
            return
    end(app, looked(found), lambda: app.reporter.status(found))
    if watch:
        app.reporter.warn("--watch needs a terminal that can be drawn on, or --json: shown once")


def _follow(app: App, pool: SessionPool, found: Status) -> None:
    """Show the status again and again, until q or Ctrl-C."""
    from lbdeploy.operations.watch.clusters import WatchedCluster
    from lbdeploy.operations.watch.nodes import Watch

    gc.enable()  # unlike a single look, this goes on for days
    app.muted = True  # the live screen shows only the status, no events
    with Watch(app.cluster, pool, found) as watch:
        if app.json:
            _print(app, watch)
        app.reporter.watch([WatchedCluster(app.cluster.name, watch)])
        app.finish(0)


def _print(app: App, watch: Watch) -> NoReturn:
    """Print a document every two seconds, until Ctrl-C."""
    from lbdeploy.operations.watch.nodes import PERIOD

    try:
        while True:
            exit_status = looked(watch.status)
            app.print_document(exit_status.exit_code, exit_status.document)
            sys.stdout.flush()
            time.sleep(PERIOD)
    except KeyboardInterrupt:
        raise InterruptedRunError("stopped watching", state="nothing was changed") from None
