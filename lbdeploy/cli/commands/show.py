"""`lbdeploy show`: draws the cluster, offline or with the states of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.output import write_file
from lbdeploy.cli.parameters import global_options, limit_option
from lbdeploy.errors import ConnectError, UsageError

if TYPE_CHECKING:
    from lbdeploy.operations.status import Status

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--live", is_flag=True, help="Ask the nodes, and show the state of each part.")
@click.option("--svg", type=_file, metavar="FILE.svg", help="Also write it as a picture.")
@click.option("--html", type=_file, metavar="FILE.html", help="Also write it as a web page.")
@limit_option
@global_options
@click.pass_obj
def show(app: App, *, live: bool, svg: Path | None, html: Path | None, limit: tuple[str, ...]) -> None:
    """Draw the cluster: networks, VIPs, nodes, frontends, servers.

    Contacts nobody, unless --live asks for who holds what at this moment. Exit code 4 then: a node could not be
    checked; it is shown as unreachable. With --limit, only these nodes are asked; the others' states are unknown.

    \b
    lbdeploy show
    lbdeploy show --live               with VRRP states, holders, servers' checks
    lbdeploy show --svg cluster.svg    a picture for your own documentation
    """
    from lbdeploy.operations.topology import topology

    if limit and not live:
        raise UsageError("--limit goes with --live: nobody is asked without it", fix="leave it out, or add --live")
    status = _look(app, app.limit(limit)) if live else None
    shown = topology(app.cluster, status)
    app.reporter.topology(shown)
    if svg:
        from lbdeploy.cli.report.topology.svg import svg as drawn

        _write(app, svg, drawn(shown))
    if html:
        from lbdeploy.cli.report.topology.page import page

        _write(app, html, page(shown))
    if status:
        app.reporter.condition(status)
    error = next(iter(status.errors.values()), None) if status else None
    if error:
        app.complain(error)
    app.finish(
        ConnectError.exit_code if error else 0, **shown.to_json(), **({"error": error.to_json()} if error else {})
    )


def _look(app: App, limit: tuple[str, ...]) -> Status:
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh, limit=limit) as pool:
        from lbdeploy.operations.watch.nodes import once

        return once(app.cluster, pool)


def _write(app: App, path: Path, text: str) -> None:
    """Write the picture. Raises UsageError where the file can't be written."""
    write_file(path, text)
    app.reporter.say("Wrote ", (str(path), "name"))
