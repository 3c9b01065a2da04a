"""`lbdeploy rollback`: puts files back as they were before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.commands.run import approve
from lbdeploy.cli.parameters import events_option, force_option, global_options, ignore_option, lock_option
from lbdeploy.errors import UsageError
from lbdeploy.operations.exit_status import changed
from lbdeploy.rollout.options import Options

if TYPE_CHECKING:
    from lbdeploy.operations.generations import Generation


@click.command()
@click.option("--to", metavar="RUN", help="Go back to before this run [the last one].")
@click.option("--list", "listing", is_flag=True, help="Show the runs that can be undone, and change nothing.")
@click.option("--ask", is_flag=True, help="Show what would change, and ask before anything does.")
@ignore_option
@lock_option
@force_option
@events_option
@global_options
@click.pass_obj
def rollback(app: App, /, to: str | None, listing: bool, ask: bool, **how: Any) -> None:
    """Put the previous generation of files back.

    The nodes keep the previous content of each file, hand edits included, for the last five runs that changed any. It
    is put back just as `up` makes a change: in the same order, with the same checks. hosts.toml is not touched, so the
    next `up` makes the change again unless you undo it there as well.

    \b
    lbdeploy rollback --list           list what can be undone
    lbdeploy rollback --ask            show what would change, and ask
    """
    if to is not None and not to.strip():
        raise UsageError("--to needs a run", state="nothing was contacted", fix="lbdeploy rollback --list shows them")
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.generations import target
        from lbdeploy.operations.rollback import generations, restoring

        known = generations(pool)
        if listing:
            _show(app, known)
            return
        goal = target(known, to)
        run = restoring(app.cluster, pool, app.emit, app.origin, Options(**how), goal)
        outcome = run.up((lambda plan: approve(app, plan)) if ask else None)

    def tell() -> None:
        app.reporter.up(outcome)
        app.reporter.rolled_back(goal.id, goal.about)

    exit_status = changed(outcome)
    end(app, replace(exit_status, document={**exit_status.document, "rolled_back": goal.id}), tell)


def _show(app: App, generations: dict[str, list[Generation]]) -> None:
    runs: dict[str, tuple[str, list[str]]] = {}
    for name, those in generations.items():
        for each in those:
            runs.setdefault(each.id, (each.about, []))[1].append(name)
    rows: Sequence[tuple[str, str, str]] = [
        (run, " ".join(runs[run][1]), runs[run][0]) for run in sorted(runs, reverse=True)
    ]
    app.reporter.table(("run", "changed", "by"), rows)
    app.finish(
        0, runs=[{"id": run, "nodes": runs[run][1], "about": runs[run][0]} for run in sorted(runs, reverse=True)]
    )
