"""`lbdeploy plan`, `up` and `verify`: arguments, and the report of a run."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import (
    Seconds,
    diff_option,
    events_option,
    force_option,
    format_option,
    global_options,
    ignore_option,
    in_fleets,
    kubeconfig_option,
    limit_option,
    lock_option,
    package_options,
)
from lbdeploy.cli.prompts import approved
from lbdeploy.errors import UsageError
from lbdeploy.health.awaited import GOALS
from lbdeploy.operations.exit_status import changed, planned, verified
from lbdeploy.rollout.request import Options

if TYPE_CHECKING:
    from lbdeploy.health.awaited import Goal
    from lbdeploy.node.resources.base import Resource
    from lbdeploy.planning.plan import Plan
    from lbdeploy.rollout.run import Run


@click.command()
@limit_option
@ignore_option
@package_options
@diff_option
@format_option("markdown")
@global_options
@click.pass_obj
@in_fleets
def plan(app: App, /, limit: tuple[str, ...], ignore: tuple[str, ...], diff: bool, **how: Any) -> None:
    """Show what `up` would do, with a diff for each file.

    Shows files, packages, kernel settings, services, and the order of the nodes; changes nothing. What is the same on
    several nodes is shown once, and a new file by its name and length, unless --diff is given. Exit code 3: changes are
    pending.

    \b
    lbdeploy plan
    lbdeploy plan --limit lb2          for one node only
    lbdeploy --json plan | jq '.changes'   for scripts
    lbdeploy plan --format markdown        for a merge request
    """
    options = Options(limit=app.limit(limit), ignore=ignore, **how)
    with running(app, options) as run:
        outcome = run.plan()
    end(app, planned(outcome), lambda: app.reporter.planned(outcome, f"lbdeploy up{options.typed}", whole=diff))


@click.command()
@limit_option
@ignore_option
@click.option("--ask", is_flag=True, help="Show the plan, and ask before anything is changed.")
@diff_option
@package_options
@lock_option
@force_option
@events_option
@global_options
@click.pass_obj
@in_fleets
def up(app: App, /, limit: tuple[str, ...], ignore: tuple[str, ...], ask: bool, diff: bool, **how: Any) -> None:
    """Apply hosts.toml, node by node, and verify.

    Changes only what differs from hosts.toml. On a live cluster, the nodes that hold no VIP go first, one at a time. A
    change stays only if all is well afterwards and a new connection confirms it; otherwise the node undoes it by
    itself. Asks nothing unless --ask is given. Ctrl-C stops after the current node; pressed twice, at once.

    \b
    lbdeploy up
    lbdeploy up --ask                  show the plan, and ask
    lbdeploy --lab up                  in the rehearsal lab, not on the real nodes
    """
    with running(app, Options(limit=app.limit(limit), ignore=ignore, **how), everyone=True) as run:
        outcome = run.up((lambda plan: approve(app, plan, whole=diff)) if ask else None)
    end(app, changed(outcome), lambda: app.reporter.up(outcome))


@click.command()
@limit_option
@click.option(
    "--wait",
    type=Seconds(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait until it is healthy, and servers that are rising have risen.",
)
@click.option(
    "--wait-for",
    "goal",
    type=click.Choice(GOALS),
    help="Wait until every server is up, the VIPs are in place, or all is; it is a failure if not.",
)
@kubeconfig_option
@format_option("nagios", "prometheus", "junit")
@global_options
@click.pass_obj
@in_fleets
def verify(app: App, limit: tuple[str, ...], wait: float, goal: Goal | None, kubeconfig: Path | None) -> None:
    """Check the cluster as it runs, and say who holds the VIPs.

    Checks VIP placement from `ip a`, services, files and kernel settings, servers from haproxy's `show stat`, and
    whether the API answers through each VIP. Exit code 6: not healthy, or not as --wait-for wants it.

    --wait-for servers: every server that is not drained is up, as each node sees it. vips: each VIP is on one node, the
    one that VRRP prefers. all: both, and healthy.

    --kubeconfig: also compare the servers with those that the Kubernetes cluster names, as `lbdeploy servers` does.

    \b
    lbdeploy verify
    lbdeploy verify --wait 60          after a change, which may take a moment
    lbdeploy verify --wait 120 --wait-for servers
    lbdeploy --json verify | jq '.vips'    for scripts
    lbdeploy verify --format nagios        a check plugin, with its exit codes
    """
    with running(app, Options(limit=app.limit(limit))) as run:
        outcome = run.verify(wait, goal)
    if kubeconfig:
        from lbdeploy.operations.kubernetes.ask import membership

        more = membership(app.cluster, kubeconfig, in_lab=app.lab)
        outcome = replace(outcome, verdict=outcome.verdict.with_more(more))
    end(app, verified(outcome, goal), lambda: app.reporter.verdict(outcome.verdict))


@contextmanager
def running(app: App, options: Options, *, everyone: bool = False) -> Iterator[Run]:
    """A run on the nodes; modules are imported while the connections are being made.

    What nodes should have is rendered meanwhile, too; but before, where templates of one's own may be wrong.
    `everyone`: also observe the nodes that are not to be changed.
    """
    limit = () if everyone else options.limit
    wanted = _wanted(app, options, limit) if app.cluster.has_own_templates else None
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh, limit=limit) as pool:
        from lbdeploy.rollout.run import Run

        run = Run(app.cluster, pool, app.emit, app.origin, options, wanted or _wanted(app, options, limit))
        app.reporter.prepare()
        yield run


def _wanted(app: App, options: Options, limit: Collection[str]) -> dict[str, list[Resource[Any]]]:
    """What these nodes should have, all of them for (). Raises RenderError."""
    from lbdeploy.planning.known_files import known_desired

    nodes = [node for node in app.cluster.nodes if not limit or node.name in limit]
    return known_desired(app.cluster, nodes, upgrade=options.upgrade, reinstall=options.reinstall)


def approve(app: App, plan: Plan, *, whole: bool = False) -> bool:
    """Show a plan, and ask whether to carry it out. Raises UsageError without a terminal."""
    app.reporter.plan(plan, whole=whole)
    if not sys.stdin.isatty():
        raise UsageError("--ask needs a terminal", state="nothing was changed", fix="lbdeploy up, without --ask")
    from lbdeploy.cli.report.plan import is_new

    more = not whole and any(is_new(change) for _, change in plan.changes)
    return approved("Make these changes?", (lambda: app.reporter.plan(plan, whole=True)) if more else None)
