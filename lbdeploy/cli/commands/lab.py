"""`lbdeploy lab`: the nodes of hosts.toml, its servers and a client on this machine, in network namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.lab_servers import done, lab_certificate, lab_demand, lab_drain, lab_undrain
from lbdeploy.cli.group import Near
from lbdeploy.cli.parameters import global_options
from lbdeploy.cli.shell_completion import hosts, networks, nodes, places
from lbdeploy.common.debian import SUITES
from lbdeploy.common.shell import cmd

if TYPE_CHECKING:
    from lbdeploy.lab.status import LabStatus

where_argument = click.argument("name", metavar="NODE|SERVER", shell_complete=hosts)
network_option = click.option(
    "--network", metavar="NETWORK", shell_complete=networks, help="Only on this network [all]."
)


@click.group(cls=Near)
@global_options
def lab() -> None:
    """Rehearse: real nodes for this hosts.toml, on this machine.

    Needs root and Linux.

    \b
    lbdeploy lab up                    start nodes, servers, a client, an operator
    lbdeploy --lab up                  run any command in the lab, as the operator
    lbdeploy lab exec lb1 ip a         look into a node
    lbdeploy lab stop lb1              cut its power
    lbdeploy lab down                  leave nothing behind
    """


@lab.command("up")
@click.option(
    "--suite",
    type=click.Choice(SUITES),
    help="Debian release of the nodes [what the lab has, or bookworm].",
)
@click.option("--rebuild-image", is_flag=True, help="Rebuild the nodes' image.")
@global_options
@click.pass_obj
def lab_up(app: App, suite: str | None, rebuild_image: bool) -> None:
    """Start what is not running: nodes, servers, client and operator.

    \b
    lbdeploy lab up
    lbdeploy lab up --suite trixie     nodes with Debian 13
    """
    from lbdeploy.lab import commands as lab

    status = lab.up(app.cluster, app.emit, suite=suite, rebuild_image=rebuild_image)
    _show(app, status)
    app.finish(0, lab=status.to_json())


@lab.command("down")
@click.option("--all", "everything", is_flag=True, help="Every lab of this machine, also those whose file is gone.")
@global_options
@click.pass_obj
def lab_down(app: App, everything: bool) -> None:
    """Stop and remove everything. The image stays in the cache.

    \b
    lbdeploy lab down
    lbdeploy lab down --all            also labs whose hosts.toml is gone
    """
    from lbdeploy.lab import commands as lab

    if everything:
        lab.down_all(app.emit)
    else:
        lab.down(app.cluster, app.emit)
    done(app)


@lab.command("status")
@global_options
@click.pass_obj
def lab_status(app: App) -> None:
    """Show what runs, with its addresses.

    \b
    lbdeploy lab status
    """
    from lbdeploy.lab import commands as lab

    status = lab.status(app.cluster)
    _show(app, status)
    app.finish(0, lab=status.to_json())


@lab.command("exec", context_settings={"allow_interspersed_args": False})  # what follows the name is the command's
@click.argument("where", metavar="NODE|SERVER|client|operator", shell_complete=places)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@global_options
@click.pass_obj
def lab_exec(app: App, where: str, command: tuple[str, ...]) -> None:
    """Run a command in a node, a server, the client or the operator.

    As root. A server, the client and the operator are networks only: what runs there sees this machine's files.

    \b
    lbdeploy lab exec lb1 journalctl -u keepalived -n 20
    lbdeploy lab exec client curl -k https://192.168.0.10:6443/readyz
    """
    from lbdeploy.lab import commands as lab

    app.exit_code = lab.exec_(app.cluster, where, list(command))


@lab.command("stop")
@where_argument
@global_options
@click.pass_obj
def lab_stop(app: App, name: str) -> None:
    """Cut a node's power, or stop a server.

    \b
    lbdeploy lab stop lb1
    lbdeploy lab stop master2
    """
    from lbdeploy.lab import commands as lab

    lab.stop(app.cluster, name, app.emit)
    done(app)


@lab.command("start")
@where_argument
@global_options
@click.pass_obj
def lab_start(app: App, name: str) -> None:
    """Start a node or a server that was stopped.

    \b
    lbdeploy lab start lb1
    """
    from lbdeploy.lab import commands as lab

    lab.start(app.cluster, name, app.emit)
    done(app)


@lab.command("fresh")
@click.argument("name", metavar="NODE", shell_complete=nodes)
@global_options
@click.pass_obj
def lab_fresh(app: App, name: str) -> None:
    """Reinstall a node: an empty disk, a new host key.

    \b
    lbdeploy lab fresh lb1
    """
    from lbdeploy.lab import commands as lab

    lab.fresh(app.cluster, name, app.emit)
    done(app)


@lab.command("cut")
@where_argument
@network_option
@global_options
@click.pass_obj
def lab_cut(app: App, name: str, network: str | None) -> None:
    """Pull a node's or a server's cable.

    \b
    lbdeploy lab cut lb1
    lbdeploy lab cut lb1 --network external
    """
    from lbdeploy.lab import commands as lab

    lab.cut(app.cluster, name, network, app.emit)
    done(app)


@lab.command("join")
@where_argument
@network_option
@global_options
@click.pass_obj
def lab_join(app: App, name: str, network: str | None) -> None:
    """Put the cable back.

    \b
    lbdeploy lab join lb1
    """
    from lbdeploy.lab import commands as lab

    lab.join(app.cluster, name, network, app.emit)
    done(app)


for each in (lab_drain, lab_undrain, lab_certificate, lab_demand):
    lab.add_command(each)


def _show(app: App, status: LabStatus) -> None:
    app.reporter.table(
        ("host", "kind", "state", "addresses", "cut off from"),
        [
            (
                host.name,
                host.kind,
                host.state,
                " ".join(a for each in host.addresses.values() for a in each),
                " ".join(host.cut),
            )
            for host in status.hosts
        ],
    )
    if status.kubeconfig:
        app.reporter.say("kubectl, in the lab: ", (f"lbdeploy lab exec operator {_kubectl(status.kubeconfig)}", "name"))
    if status.state == "up":
        app.reporter.say("The lab is up. Run any command in it, for example: ", ("lbdeploy --lab up", "next"))


def _kubectl(kubeconfig: str) -> str:
    return cmd("kubectl", "--kubeconfig", kubeconfig, "get", "nodes")
