"""`lbdeploy rollback`: puts files back as they were before a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.commands.run import approve
from lbdeploy.cli.parameters import (
    events_option,
    force_option,
    global_options,
    ignore_option,
    limit_option,
    lock_option,
)
from lbdeploy.cli.prompts import Terminal
from lbdeploy.common.typed import typed
from lbdeploy.errors import UsageError
from lbdeploy.operations.arguments import require_templates
from lbdeploy.operations.exit_status import changed
from lbdeploy.rollout.request import Options

if TYPE_CHECKING:
    from lbdeploy.operations.generations import Stored


@click.command()
@click.option("--to", metavar="RUN", help="Go back to before this run [the last one].")
@click.option("--list", "listing", is_flag=True, help="Show the runs that can be undone, and change nothing.")
@click.option("--ask", is_flag=True, help="Show what would change, and ask before anything does.")
@limit_option
@ignore_option
@lock_option
@force_option
@events_option
@global_options
@click.pass_obj
def rollback(app: App, /, to: str | None, listing: bool, ask: bool, limit: tuple[str, ...], **how: Any) -> None:
    """Put the previous generation of files back.

    The nodes keep the previous content of each file, hand edits included, for the last five runs that changed any. It
    is put back just as `up` makes a change: in the same order, with the same checks. hosts.toml is not touched, so the
    next `up` makes the change again unless you undo it there as well. What a node keeps counts for that node only: if
    the nodes do not agree, you are asked; without a terminal, nothing is changed, and the exit code is 1. So it is with
    --to, where a node no longer has what it had before that run.

    \b
    lbdeploy rollback --list           list what can be undone
    lbdeploy rollback --ask            show what would change, and ask
    """
    if to is not None and not to.strip():
        raise UsageError(
            "--to needs a run", state="nothing was contacted", fix=typed("rollback", "--list", after=" shows them")
        )
    options = Options(limit=app.limit(limit), **how)
    if not listing:
        require_templates(app.cluster)
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.rollback import Rollback, stored

        known = stored(pool, options.limit)
        if listing:
            _show(app, known)
            return
        run, goal = Rollback(app.cluster, pool, app.emit, app.origin, options).prepare(known, to, _asker(app))
        outcome = run.up((lambda plan: approve(app, plan)) if ask else None)

    exit_status = changed(outcome)
    document = {**exit_status.document, "rolled_back": goal.id}
    end(app, replace(exit_status, document=document), lambda: app.reporter.rolled_back(outcome, goal.id, goal.about))


def _asker(app: App) -> Callable[[str], bool] | None:
    """The function that asks the operator where the nodes do not agree; None without a terminal."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return lambda text: Terminal(lambda: app.reporter).confirm(text, "Go on?")


def _show(app: App, known: Mapping[str, Stored]) -> None:
    from lbdeploy.operations.generations import runs

    found = runs({name: each.generations for name, each in known.items()})
    rows: Sequence[tuple[str, str, str]] = [(run, " ".join(nodes), about) for run, (about, nodes) in found.items()]
    app.reporter.table(("run", "changed", "by"), rows)
    app.finish(0, runs=[{"id": run, "nodes": nodes, "about": about} for run, (about, nodes) in found.items()])
