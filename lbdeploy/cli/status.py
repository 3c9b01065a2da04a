"""`lbdeploy status`: once, on a screen that goes on, or as a document every other second."""

from __future__ import annotations

import sys
import time

import click

from lbdeploy.cli import limit_option
from lbdeploy.cli.app import App, global_options, in_fleets
from lbdeploy.errors import InterruptedRunError

UNREACHABLE = 4


@click.command()
@click.option("--watch", is_flag=True, help="Look again every 2 seconds, until Ctrl-C.")
@limit_option
@global_options
@click.pass_obj
@in_fleets
def status(app: App, *, watch: bool, limit: str | None) -> None:
    """Show who holds what, at this moment.

    VRRP states and priorities as keepalived itself says, VIPs from `ip a`, services, servers and sessions from
    haproxy's `show stat`. It tells what there is, and what is not as it should be; to judge all of it is for `lbdeploy
    verify`. Exit code 4: a node could not be looked at.

    \b
    lbdeploy status
    lbdeploy status --watch            every 2 seconds; Ctrl-C ends it
    lbdeploy --json status --watch     a document a line, for scripts
    """
    from lbdeploy.fleet import Fleet

    with Fleet(app.cluster, app.emit, ssh=app.ssh, limit=app.limit(limit)) as fleet:
        from lbdeploy.watch import once

        found = once(app.cluster, fleet)
        if watch and (app.json or sys.stdout.isatty()):
            _follow(app, fleet, found)
            return
    app.reporter.status(found)
    if watch:
        app.reporter.warn("--watch wants a terminal, or --json: shown once")
    app.finish(UNREACHABLE if found.errors else 0, **found.to_json())


def _follow(app: App, fleet: object, found: object) -> None:
    """Until Ctrl-C."""
    from lbdeploy.watch import PERIOD, Watch

    app.muted = True  # the screen is the status's own
    try:
        with Watch(app.cluster, fleet, found) as watch:  # type: ignore[arg-type]
            if app.json:
                while True:
                    seen = watch.status
                    app.print_json(UNREACHABLE if seen.errors else 0, seen.to_json())
                    sys.stdout.flush()
                    time.sleep(PERIOD)
            app.reporter.watch(watch)
    except KeyboardInterrupt:
        raise InterruptedRunError("stopped watching", state="nothing was changed") from None
