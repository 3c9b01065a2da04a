"""`lbdeploy rebuild`: arguments, and the new host key that the operator states."""

from __future__ import annotations

from typing import Any

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import events_option, global_options, ignore_option, lock_option
from lbdeploy.cli.shell_completion import nodes
from lbdeploy.operations.arguments import fingerprint, require_templates
from lbdeploy.operations.exit_status import rebuilt
from lbdeploy.rollout.request import Options


@click.command()
@click.argument("node", metavar="NODE", shell_complete=nodes)
@click.option("--host-key", metavar="SHA256:...", help="Its new host key, as its console shows it, for known_hosts.")
@click.option("--wait", is_flag=True, help="Wait until it has taken the VIPs, if they return to it.")
@ignore_option
@lock_option
@events_option
@global_options
@click.pass_obj
def rebuild(app: App, /, node: str, host_key: str | None, wait: bool, **how: Any) -> None:
    """Make a freshly installed host a member again.

    Another node must be healthy and hold the VIPs. The host joins as a standby, and takes its role back after
    preempt_delay; clients notice nothing. Other nodes are not touched, unless they would not hear its VRRP. Asks
    nothing; if it fails halfway, run it again. Exit code 4: the host could not be reached; 6: it is a member again, but
    the cluster is not healthy.

    A new host key is refused unless --host-key gives its fingerprint. To show it on the host:
    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub

    \b
    lbdeploy rebuild lb1 --host-key SHA256:...
    lbdeploy --json rebuild lb1 --host-key SHA256:... --wait    from a script
    """
    app.node(node)
    if host_key:
        app.answers.stated[node] = fingerprint(host_key)
    require_templates(app.cluster)
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh) as pool:
        from lbdeploy.operations.rebuild import Rebuild

        run = Rebuild(app.cluster, pool, app.emit, app.origin, Options(limit=(node,), **how))
        app.reporter.prepare()
        outcome = run.rebuild(wait=wait)
    end(app, rebuilt(outcome), lambda: app.reporter.rebuilt(outcome))
