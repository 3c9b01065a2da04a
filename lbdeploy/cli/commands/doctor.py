"""`lbdeploy doctor`: arguments, and the report of every check that precedes `up`."""

from __future__ import annotations

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import global_options, limit_option
from lbdeploy.operations.doctor.checklist import IGNORED_BY_DOCTOR


@click.command()
@limit_option
@click.option(
    "--ignore",
    multiple=True,
    metavar="ID",
    type=click.Choice(IGNORED_BY_DOCTOR),
    help="Treat this check's problems as warnings; may be repeated.",
)
@global_options
@click.pass_obj
def doctor(app: App, limit: tuple[str, ...], ignore: tuple[str, ...]) -> None:
    """Check for everything that could get in the way of `up`.

    Checks all nodes at once, and changes nothing: logins and sudo, releases, packages, disk space, interfaces,
    addresses, clocks, firewalls, and whether others use the VIPs or the virtual router ID. Listens for VRRP for three
    advert intervals. docs/doctor.md lists the checks. Exit code 6: something has to be fixed first; 4: a node could not
    be reached.

    \b
    lbdeploy doctor
    lbdeploy doctor --limit lb2        one node only
    lbdeploy doctor --ignore clock     a problem you know about
    lbdeploy --json doctor | jq '.findings[] | select(.ok | not)'
    """
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh, limit=app.limit(limit)) as pool:
        from lbdeploy.operations.doctor.doctor import examine
        from lbdeploy.operations.exit_status import examined

        diagnosis = examine(app.cluster, pool, app.emit, ignore)
    end(app, examined(diagnosis), lambda: app.reporter.doctor(diagnosis))
