"""`lbdeploy down`: arguments, the question, and the report of the outcome."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.parameters import events_option, global_options, limit_option, lock_option
from lbdeploy.cli.prompts import confirm
from lbdeploy.common.typed import typed
from lbdeploy.errors import ConnectError, UsageError
from lbdeploy.node.paths import STATE
from lbdeploy.rollout.request import Options

if TYPE_CHECKING:
    from lbdeploy.operations.down import Removed
    from lbdeploy.operations.down_plan import RemovalPlan


@click.command()
@limit_option
@click.option("--purge", is_flag=True, help=f"Also remove the packages that lbdeploy installed, and {STATE}.")
@click.option("--yes", is_flag=True, help="Don't ask; required without a terminal.")
@lock_option
@events_option
@global_options
@click.pass_obj
def down(app: App, /, limit: tuple[str, ...], purge: bool, yes: bool, lock_wait: float) -> None:
    """Remove the load balancer, and restore the nodes as they were.

    Files, kernel settings and services become what they were before the first `up`; what lbdeploy has added is removed.
    The nodes that hold no VIP go first, the holder last; then the VIPs are gone. Shows what it will do, and asks.

    With --limit, removes it from some nodes only, for example one that is being retired: the VIPs move to another node
    first, and no new connection fails. Take the node out of hosts.toml afterwards.

    \b
    lbdeploy down                      show what goes, and ask
    lbdeploy down --purge --yes        all of it, without asking
    lbdeploy down --limit lb2          one node only
    """
    if not yes and not sys.stdin.isatty():
        fix = "lbdeploy down --yes, if that is what you want"
        raise UsageError("down asks for confirmation, which needs a terminal", state="nothing was contacted", fix=fix)
    options = Options(limit=app.limit(limit), lock_wait=lock_wait)
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.down import Removal

        removal = Removal(app.cluster, pool, app.emit, app.origin, options, purge=purge)
        removed = removal.down(None if yes else lambda planned: _approved(app, planned))
    app.outcome = ConnectError.exit_code if removed.errors else 0
    app.reporter.removed(removed, purge=purge, limited=bool(options.limit))
    _end(app, removed)


def _approved(app: App, planned: RemovalPlan) -> bool:
    app.reporter.removal_plan(planned)
    return confirm("Remove the load balancer from these nodes?")


def _end(app: App, removed: Removed) -> None:
    """Report the outcome; nodes that could not be reached make it an error, since they still have everything."""
    document = {"changes": removed.plan.to_json(), "removed": list(removed.done)}
    for name, error in removed.errors.items():
        left = ConnectError(
            f"skipped: {error.message}",
            node=name,
            state="lbdeploy's files and services are still on it: it takes the VIPs if it runs",
            fix=typed("down", before="bring it back, then: "),
        )
        app.complain(left)
        document.setdefault("error", left.to_json())
    app.finish(ConnectError.exit_code if removed.errors else 0, **document)
