"""`lbdeploy handover`: arguments, and the report of the outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import events_option, global_options, lock_option
from lbdeploy.cli.shell_completion import groups, nodes
from lbdeploy.errors import LbdeployError, UsageError
from lbdeploy.operations.arguments import require_templates
from lbdeploy.operations.exit_status import all_handed_over, handed_over

if TYPE_CHECKING:
    from lbdeploy.operations.handover.result import HandoverResult


@click.command()
@click.option("--to", metavar="NODE", shell_complete=nodes, help="The node to move them to [the next in priority].")
@click.option("--group", metavar="GROUP", shell_complete=groups, help="Only the VIPs of this group.")
@click.option("--back", is_flag=True, help="End a handover: the VIPs go where the priorities put them.")
@lock_option
@events_option
@global_options
@click.pass_obj
def handover(app: App, *, group: str | None, to: str | None, back: bool, lock_wait: float) -> None:
    """Move the VIPs in a planned way.

    Another node takes all VIPs after preempt_delay; new connections succeed throughout, open ones are cut. It keeps
    them until `handover --back`, or until it is rebooted; then the preferred node takes them back. Reloads and restarts
    of keepalived don't end a handover. A node that could not hold the VIPs is refused.

    Where hosts.toml has groups of VIPs, --group moves one alone; without it, --to and --back move each of them, one
    after the other.

    Meanwhile, the VIPs are probed from this machine 50 times a second. Exit code 6: moved, but more connections failed
    than the timers in hosts.toml predict, or the cluster is not healthy afterwards.

    \b
    lbdeploy handover                  before work on the node that holds the VIPs
    lbdeploy handover --to lb2
    lbdeploy handover --group ingress  where hosts.toml has groups: only its VIPs
    lbdeploy handover --back           when the work is done
    """
    if to is not None and back:
        raise UsageError(
            "--to and --back cannot be combined", state="nothing was contacted", fix="leave one of them out"
        )
    if to is not None:
        app.node(to)
    names = _groups(app, group, decided=back or to is not None)
    require_templates(app.cluster)
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.handover.handover import Handover

        moved: list[HandoverResult] = []
        for each in names:
            course = Handover(app.cluster, pool, app.emit, app.origin.about, lock_wait, group=each)
            with _besides(moved):
                moved.append(course.run(to, back=back))
    status = handed_over(moved[0]) if len(names) == 1 else all_handed_over(moved)
    end(app, status, lambda: app.reporter.handover(app.cluster, moved))


@contextmanager
def _besides(moved: Sequence[HandoverResult]) -> Iterator[None]:
    """An error about one group says what has become of those before it."""
    try:
        yield
    except LbdeployError as error:
        if not moved:
            raise
        before = ", ".join(f"{each.group} to {each.taker}" for each in moved)
        raise error.but(state=f"{error.state}; moved before: {before}") from error


def _groups(app: App, group: str | None, *, decided: bool) -> Sequence[str]:
    """The groups whose VIPs are to move; "" for all VIPs of a hosts.toml without groups.

    `decided`: it is said where to. Groups may have different holders, and then there is no "other node" for all.
    """
    if group is not None:
        return [app.group(group)]
    names = [each.group for each in app.cluster.parts]
    if len(names) > 1 and not decided:
        fix = f"name one: --group {' or '.join(names)}; or, for all of them, a node: --to NODE"
        raise UsageError("each group of VIPs has a holder of its own", state="nothing was contacted", fix=fix)
    return names
