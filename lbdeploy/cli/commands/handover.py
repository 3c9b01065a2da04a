"""`lbdeploy handover`: arguments, and the report of the outcome."""

from __future__ import annotations

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import events_option, global_options, lock_option
from lbdeploy.cli.shell_completion import nodes
from lbdeploy.errors import UsageError
from lbdeploy.operations.exit_status import handed_over


@click.command()
@click.option("--to", metavar="NODE", shell_complete=nodes, help="The node to move them to [the next in priority].")
@click.option("--back", is_flag=True, help="End a handover: the VIPs go where the priorities put them.")
@lock_option
@events_option
@global_options
@click.pass_obj
def handover(app: App, *, to: str | None, back: bool, lock_wait: float) -> None:
    """Move the VIPs in a planned way.

    Another node takes all VIPs after preempt_delay; new connections succeed throughout, open ones are cut. It keeps
    them until `handover --back`, or until it is rebooted; then the preferred node takes them back. Reloads and restarts
    of keepalived don't end a handover. A node that could not hold the VIPs is refused.

    Meanwhile, the VIPs are probed from this machine 50 times a second. Exit code 6: moved, but more connections failed
    than the timers in hosts.toml predict, or the cluster is not healthy afterwards.

    \b
    lbdeploy handover                  before work on the node that holds the VIPs
    lbdeploy handover --to lb2
    lbdeploy handover --back           when the work is done
    """
    if to is not None and back:
        raise UsageError(
            "--to and --back cannot be combined", state="nothing was contacted", fix="leave one of them out"
        )
    if to is not None:
        app.node(to)
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.handover.handover import Handover

        moved = Handover(app.cluster, pool, app.emit, app.origin.about, lock_wait).run(to, back=back)
    end(app, handed_over(moved), lambda: app.reporter.handover(app.cluster, moved))
