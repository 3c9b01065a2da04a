"""`lbdeploy history`: what has happened, from the nodes' records and this machine's logs."""

from __future__ import annotations

from pathlib import Path

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.output import write_file
from lbdeploy.cli.parameters import global_options, limit_option
from lbdeploy.operations.exit_status import looked_back


@click.command()
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.html", help="Also write it as a web page."
)
@limit_option
@global_options
@click.pass_obj
def history(app: App, *, html: Path | None, limit: tuple[str, ...]) -> None:
    """Show runs, moves and drills: who, when, what it cost.

    From the nodes' generations and journals, and this machine's logs. Runs are in the order in which the nodes counted
    them, whatever clocks said. A drill or a handover from another machine is known by what the nodes recorded of it.
    Exit code 4: a node could not be asked.

    \b
    lbdeploy history
    lbdeploy history --html past.html  also as a page
    lbdeploy --json history | jq '.events[-1]'
    """
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh, limit=app.limit(limit)) as pool:
        from lbdeploy.operations.history.ask import look

        found = look(app.cluster, pool, app.origin.about.partition(" ")[0], in_lab=app.lab)
    if html:
        from lbdeploy.cli.report.history.page import page

        write_file(html, page(found))
    end(app, looked_back(found), lambda: app.reporter.history(found, html))
