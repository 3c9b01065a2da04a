"""`lbdeploy drain` and `undrain`: arguments, and the report of the outcome."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import Seconds, events_option, global_options, lock_option
from lbdeploy.cli.shell_completion import frontends, servers
from lbdeploy.operations.exit_status import told_servers

if TYPE_CHECKING:
    from lbdeploy.operations.servers.drain import Servers

server_argument = click.argument("server", shell_complete=servers)
frontend_option = click.option(
    "--frontend", metavar="NAME", shell_complete=frontends, help="Only behind this frontend [all that have it]."
)


@click.command()
@server_argument
@frontend_option
@click.option(
    "--wait",
    type=Seconds(0, 86400),
    metavar="SECONDS",
    help="How long to wait for its open connections to end.",
)
@click.option("--shutdown", is_flag=True, help="Close the connections that are open then.")
@click.option("--force-last", is_flag=True, help="Drain it even if its frontend has no other one left.")
@lock_option
@events_option
@global_options
@click.pass_obj
def drain(
    app: App,
    server: str,
    *,
    frontend: str | None,
    wait: float | None,
    shutdown: bool,
    force_last: bool,
    lock_wait: float,
) -> None:
    """Take a server out of use, before work on it.

    No node's haproxy gives it new connections any more; open ones go on. That lasts through reloads, reboots,
    handovers, `up` and `rebuild`, until `lbdeploy undrain`. A frontend's last server is refused.

    With --wait, open connections are waited for: watches never end by themselves, so --shutdown closes what is left.
    Exit code 1: it is drained, and connections are left. Exit code 4: a node could not be reached; the others did it.

    \b
    lbdeploy drain master2
    lbdeploy drain master2 --wait 60 --shutdown
    lbdeploy drain master2 --frontend k8s-api
    """
    with _servers(app, server, frontend, lock_wait) as work:
        result = work.drain(server, frontend, wait=wait, shutdown=shutdown, force_last=force_last)
    end(app, told_servers(result), lambda: app.reporter.servers(result))


@click.command()
@server_argument
@frontend_option
@lock_option
@events_option
@global_options
@click.pass_obj
def undrain(app: App, server: str, *, frontend: str | None, lock_wait: float) -> None:
    """Use a server again that was drained.

    Every node's haproxy gives it new connections again, once its checks of the server succeed.

    \b
    lbdeploy undrain master2
    lbdeploy undrain master2 --frontend k8s-api
    """
    with _servers(app, server, frontend, lock_wait) as work:
        result = work.undrain(server, frontend)
    end(app, told_servers(result), lambda: app.reporter.servers(result))


@contextmanager
def _servers(app: App, server: str, frontend: str | None, lock_wait: float) -> Iterator[Servers]:
    """The servers, once the arguments are known to be good: nothing is contacted for a name that hosts.toml lacks."""
    from lbdeploy.operations.servers.names import members

    members(app.cluster, server, frontend)
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.servers.drain import Servers
        from lbdeploy.rollout.request import user

        yield Servers(app.cluster, pool, app.emit, user(), app.origin.about, lock_wait)
