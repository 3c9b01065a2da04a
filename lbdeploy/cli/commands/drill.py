"""`lbdeploy drill`: arguments, the lab's fault injector, and the page. The drill is `lbdeploy.operations.drill`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.parameters import Seconds, events_option, global_options
from lbdeploy.cli.shell_completion import groups, nodes
from lbdeploy.common.typed import typed
from lbdeploy.config.keys import near
from lbdeploy.errors import InterruptedRunError, LbdeployError, UsageError
from lbdeploy.operations.drill.faults import (
    NAMES,
    ON_SERVERS,
    OUTSIDE,
    Name,
    on_a_node,
    refuse_for_good,
    refuse_pointless,
)

if TYPE_CHECKING:
    from lbdeploy.operations.drill.result import DrillResult


@click.command()
@click.argument("kind", required=False, type=click.Choice(NAMES))
@click.option("--node", metavar="NODE", shell_complete=nodes, help="The node to break [the one that holds the VIPs].")
@click.option("--group", metavar="GROUP", shell_complete=groups, help="Break the node that holds this group's VIPs.")
@click.option("--server", metavar="SERVER", help="The server to break, with server and drain [the first one].")
@click.option("--all", "everything", is_flag=True, help="Every kind that can be undone, one after the other.")
@click.option("--hold", type=Seconds(1, 600), metavar="SECONDS", help="Undo it after this long [8, or more].")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html", help="Also write a page."
)
@click.option(
    "--i-have-console", "console", is_flag=True, help="Allow link and power on real nodes; you may need the console."
)
@events_option
@global_options
@click.pass_obj
def drill(
    app: App, /, *, kind: Name | None, everything: bool, report: Path | None, console: bool, **where: Any
) -> None:
    """Break something on purpose, and measure the outage.

    Measures the outage as clients see it: one here, and one on each other node, connects to every VIP 50 times a
    second; and the longest silence of watches that only read. What was broken is undone after some seconds; the node
    does that by itself if this command or its network is gone by then. Refuses to start unless the cluster is healthy.
    Exit code 6: the outage or the silence was longer than the timers in hosts.toml predict, or the cluster is not
    healthy afterwards.

    \b
    haproxy      is stopped
    hang         haproxy gets SIGSTOP, as if it hung
    keepalived   is killed
    freeze       everything on the node stands still, then goes on
    path         the node loses its way to all servers
    link         interfaces go down   (in the lab, or with --i-have-console)
    power        is cut               (in the lab, or with --i-have-console)
    server       one is cut off       (in the lab; otherwise you are asked to)
    drain        one's /readyz fails  (the same; needs check = "https")

    \b
    lbdeploy --lab drill --all             rehearse every kind in the lab
    lbdeploy drill haproxy                 on the real nodes
    lbdeploy drill hang --group ingress    where hosts.toml has groups of VIPs
    lbdeploy drill hang --report a.html    also write a page for colleagues
    """
    names = _names(app, kind, everything=everything, console=console)
    if report:
        _try_out(report)
    what = _broken(app, names, where["node"], where["server"])
    group = _group(app, names, what, where["group"])
    results: list[DrillResult] = []
    stopped = _stopped(partial(_drill, app, names, what, where["hold"], results, group=group))
    if stopped and not results:
        raise stopped
    _end(app, results, stopped, report, alone=not everything)


def _stopped(run: Callable[[], None]) -> LbdeployError | None:
    """Run drills; what ended them before the last one was done."""
    try:
        run()
    except LbdeployError as error:
        return error
    # Ctrl-C while something was broken has been handled by the drill: this one came before or after.
    except KeyboardInterrupt:
        return InterruptedRunError("interrupted", state="nothing is broken", fix=typed("verify"))
    return None


def _broken(app: App, names: Sequence[Name], node: str | None, server: str | None) -> str | None:
    """What is to be broken, where it was named. Raises UsageError for an unknown name, or what shows nothing."""
    for name in names:
        refuse_pointless(name, app.cluster, server)
    if (server if names[0] not in ON_SERVERS else node) is not None:
        wrong, right = ("--server", "server or drain") if server else ("--node", "what breaks on a node")
        raise UsageError(f"{wrong} goes with {right}", state="nothing was contacted", fix="lbdeploy drill --help")
    if node is not None:
        app.node(node)
    known = [each.name for each in app.cluster.frontends[0].servers]
    if server is not None and server not in known:
        what = f"{app.cluster.frontends[0].name} has no server {server}"
        raise UsageError(what, state="nothing was contacted", fix=near(server, known))
    return node or server


def _group(app: App, names: Sequence[Name], broken: str | None, group: str | None) -> str | None:
    """The group whose holder is to be broken, if one was named. Raises UsageError where that decides nothing."""
    if group is None:
        return None
    if broken is not None or names[0] in ON_SERVERS:
        fix = "leave it out, or leave out --node, --server and what breaks on a server"
        raise UsageError("--group names the node that is broken", state="nothing was contacted", fix=fix)
    return app.group(group)


def _drill(
    app: App,
    names: Sequence[Name],
    broken: str | None,
    hold: float | None,
    results: list[DrillResult],
    *,
    group: str | None,
) -> None:
    """Run the drills one after the other, until the cluster is not healthy any more.

    `results` receives those that have ended, so that an interruption loses none.
    """
    ssh = app.ssh  # with --lab this moves the process into the lab, which must happen before it has threads
    from lbdeploy.operations.drill.drill import Drill

    outside = None
    if app.lab:
        from lbdeploy.lab.fault_injector import InLab

        outside = partial(InLab, app.cluster)
    course = Drill(app.cluster, ssh, app.emit, app.origin.about, outside)
    for name in names:
        results.append(course.run(name, broken, hold, patient=len(names) > 1, group=group))
        app.reporter.drill(results[-1])
        if not results[-1].healthy:
            break


def _names(app: App, kind: Name | None, *, everything: bool, console: bool) -> tuple[Name, ...]:
    """The kinds of faults to cause. Raises UsageError for one that can't be undone here."""
    if bool(kind) == everything:
        raise UsageError("name one kind of drill, or --all", fix=f"one of {', '.join(NAMES)}: lbdeploy drill haproxy")
    undoable = app.lab or console
    if kind:
        refuse_for_good(kind, undoable=undoable)
        return (kind,)
    unasked = () if app.lab else ON_SERVERS
    possible = (each for each in NAMES if (undoable or each not in OUTSIDE) and each not in (*unasked, "drain"))
    return tuple(each for each in possible if not on_a_node(each, app.cluster))


def _try_out(report: Path) -> None:
    """Raise UsageError where the page can't be written, before anything is broken."""
    new = not report.exists()
    try:
        report.open("a").close()
        if new:
            report.unlink()
    except OSError as error:
        what = f"{report} can't be written: {error.strerror}"
        raise UsageError(what, state="nothing was contacted", fix="name another --report FILE") from None


def _end(
    app: App, results: Sequence[DrillResult], stopped: LbdeployError | None, report: Path | None, *, alone: bool
) -> None:
    """Report what was measured, and end with the worst error.

    It is that of a drill, of writing the page, or what `stopped` the drills.
    """
    from lbdeploy.operations.drill.result import failure, together

    app.reporter.drills(results)
    unwritten = _write(app, results, report) if report else None
    for error in (unwritten, stopped):
        if error:
            app.complain(error)
    error = stopped or failure(results) or unwritten
    document = results[0].to_json() if alone else together(results)
    app.finish(error.exit_code if error else 0, **document, **({"error": error.to_json()} if error else {}))


def _write(app: App, results: Sequence[DrillResult], report: Path) -> LbdeployError | None:
    """Write the page; returns the error that prevented it, if any."""
    from lbdeploy.cli.report.drill.page import page

    try:
        report.write_text(page(app.cluster, results), encoding="utf-8")
    except OSError as error:
        what = f"{report} can't be written: {error.strerror}"
        return LbdeployError(what, state="the drill has ended; what it measured is shown above", fix="make room there")
    app.reporter.say("The same as a page: ", (str(report), "name"))
    return None
