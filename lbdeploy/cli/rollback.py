"""`lbdeploy rollback`: the files as they were before a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli import approve, end_changed, force_option, ignore_option, lock_option
from lbdeploy.cli.app import App, global_options
from lbdeploy.errors import HostsFileError, LbdeployError
from lbdeploy.options import Options

if TYPE_CHECKING:
    from lbdeploy.fleet import Fleet
    from lbdeploy.history import Generation, Target
    from lbdeploy.model import Cluster
    from lbdeploy.rollout import Run


@click.command()
@click.option("--to", metavar="RUN", help="Go back to before this run; without it, to before the last one.")
@click.option("--list", "listing", is_flag=True, help="Show the runs that can be undone, and change nothing.")
@click.option("--ask", is_flag=True, help="Show what would change, and ask before anything does.")
@ignore_option
@lock_option
@force_option
@global_options
@click.pass_obj
def rollback(app: App, /, to: str | None, listing: bool, ask: bool, **how: Any) -> None:
    """Put the previous generation of files back.

    The nodes keep what each file held before each of the last five runs that changed any, hand-edited text included.
    It comes back in the same way as a change by `up`: in the same order, with the same checks. hosts.toml is not
    touched, so the next `up` makes the change again, unless you undo it there, too.

    \b
    lbdeploy rollback --list           what can be undone
    lbdeploy rollback --ask            shows what would change, and asks
    """
    from lbdeploy.fleet import Fleet
    from lbdeploy.history import target

    with Fleet(app.cluster, app.emit, ssh=app.ssh) as fleet:
        generations = _generations(fleet)
        if listing:
            _show(app, generations)
            return
        goal = target(generations, to)
        outcome = _run(app, fleet, goal, Options(**how)).up((lambda plan: approve(app, plan)) if ask else None)
    app.reporter.up(outcome)
    app.reporter.rolled_back(goal.id, goal.about)
    end_changed(app, outcome, rolled_back=goal.id)


def _generations(fleet: Fleet) -> dict[str, list[Generation]]:
    from lbdeploy.history import Reader

    def read(node: object, session: Any) -> list[Generation]:
        reader = Reader()
        return reader.read(session.run(reader.script()).output)

    found = fleet.each(fleet.nodes, read)
    for each in found.values():
        if isinstance(each, LbdeployError):
            raise each
    return {name: each for name, each in found.items() if not isinstance(each, LbdeployError)}


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


def _run(app: App, fleet: Fleet, goal: Target, options: Options) -> Run:
    """A run that wants what there was then, and judges by the hosts.toml that it was made from."""
    from lbdeploy.desired import desired
    from lbdeploy.rollout import Run

    cluster = _cluster_then(app, goal)
    fleet.nodes = tuple(replace(cluster.node(node.name), host=node.host) for node in fleet.nodes)
    wanted = {node.name: goal.wanted(node.name, desired(cluster, node)) for node in fleet.nodes}
    origin = replace(app.origin, hosts=(goal.hosts or app.origin.hosts).rstrip("\n"))
    return Run(cluster, fleet, app.emit, origin, options, wanted)


def _cluster_then(app: App, goal: Target) -> Cluster:
    """The cluster as hosts.toml described it then; as it does now where that is not known, or has other nodes."""
    from lbdeploy.hosts import load

    try:
        then = load(app.file, goal.hosts) if goal.hosts else app.cluster
    except HostsFileError:  # of an older lbdeploy, for example
        return app.cluster
    same = {node.name for node in then.nodes} == {node.name for node in app.cluster.nodes}
    return then if same else app.cluster
