"""`lbdeploy lab drain`, `undrain`, `certificate` and `demand`: what the lab's servers do that real ones may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.parameters import global_options
from lbdeploy.cli.shell_completion import servers

if TYPE_CHECKING:
    from lbdeploy.lab.machine.servers import Certificate, Demand


@click.command("drain")
@click.argument("name", metavar="SERVER", shell_complete=servers)
@global_options
@click.pass_obj
def lab_drain(app: App, name: str) -> None:
    """Let a server's /readyz answer 500, as while it shuts down; it serves on.

    \b
    lbdeploy lab drain master2
    """
    from lbdeploy.lab import commands as lab

    lab.drain(app.cluster, name, app.emit)
    done(app)


@click.command("undrain")
@click.argument("name", metavar="SERVER", shell_complete=servers)
@global_options
@click.pass_obj
def lab_undrain(app: App, name: str) -> None:
    """Let a server's /readyz answer 200 again.

    \b
    lbdeploy lab undrain master2
    """
    from lbdeploy.lab import commands as lab

    lab.undrain(app.cluster, name, app.emit)
    done(app)


@click.command("certificate")
@click.argument("name", metavar="SERVER", shell_complete=servers)
@click.argument("kind", type=click.Choice(("good", "without-vips", "expiring", "expired", "other-authority")))
@global_options
@click.pass_obj
def lab_certificate(app: App, name: str, kind: Certificate) -> None:
    """Have a server present a certificate that is not as it should be.

    It lacks the VIPs, ends in 10 days, has ended, or another authority has signed it; good: that of all servers again.

    \b
    lbdeploy lab certificate master2 without-vips
    lbdeploy lab certificate master2 good
    """
    from lbdeploy.lab import commands as lab

    lab.present(app.cluster, name, kind, app.emit)
    done(app)


@click.command("demand")
@click.argument("name", metavar="SERVER", shell_complete=servers)
@click.argument("kind", type=click.Choice(("nothing", "token", "certificate")))
@global_options
@click.pass_obj
def lab_demand(app: App, name: str, kind: Demand) -> None:
    """Have a server demand a login, as hardened API servers do.

    token: /readyz answers 401 to who shows none. certificate: only clients with a certificate can connect. What to show
    is told: a file for check_token_file or check_certificate.

    \b
    lbdeploy lab demand master2 token
    lbdeploy lab demand master2 nothing
    """
    from lbdeploy.lab import commands as lab

    lab.demand(app.cluster, name, kind, app.emit)
    done(app)


def done(app: App) -> None:
    """End a command whose events have already said everything."""
    app.reporter.quiet()
    app.finish(0)
