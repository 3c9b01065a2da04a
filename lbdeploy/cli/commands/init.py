"""`lbdeploy init`: a new hosts.toml, by questions on a terminal or from flags."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.init_flags import Flags, from_flags
from lbdeploy.cli.commands.new_files import NOTHING, refuse_to_overwrite, write_draft
from lbdeploy.cli.parameters import global_options
from lbdeploy.common.paths import absolute
from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.config.draft import Draft


@click.command()
@click.option("--name", default="k8s-api", show_default=True, help="Name of the cluster.")
@click.option("--user", metavar="LOGIN", help="Login on the nodes [as ssh resolves it].")
@click.option("--network", multiple=True, metavar="NAME=INTERFACE", help="A network of the nodes; may be repeated.")
@click.option(
    "--node",
    multiple=True,
    metavar="NAME=ADDRESS,...",
    help="A node, with one address per network; the first is preferred.",
)
@click.option("--vip", multiple=True, metavar="NETWORK=ADDRESS/LEN", help="A virtual IP; may be repeated.")
@click.option("--server", multiple=True, metavar="NAME=ADDRESS[:PORT]", help="An API server; may be repeated.")
@click.option("--vrrp", metavar="NETWORK", help="The network that VRRP and SSH use [the last one].")
@click.option("--router-id", type=click.IntRange(1, 255), metavar="ID", help="VRRP's virtual router ID [101].")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=6443, metavar="PORT", show_default=True, help="Port on the VIPs."
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Where to write it [--file]."
)
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@global_options
@click.pass_obj
def init(app: App, /, output: Path | None, force: bool, **flags: object) -> None:
    """Write a hosts.toml, interactively or from flags.

    On a terminal it asks questions. It connects to the nodes where it can, and suggests what it finds there:
    interfaces, addresses, a virtual router ID that is free, and the check that the API servers pass. With any of
    --network, --node, --vip and --server it asks nothing and connects to nothing.

    \b
    lbdeploy init
    lbdeploy init --network external=ens33 --network management=ens32 \\
      --node lb1=192.168.0.11,192.168.1.11 \\
      --node lb2=192.168.0.12,192.168.1.12 \\
      --vip external=192.168.0.10/24 --vip management=192.168.1.10/24 \\
      --server master1=192.168.1.21 --server master2=192.168.1.22
    """
    path = output or app.file
    refuse_to_overwrite([path], force)
    draft = _draft(app, Flags(**flags))  # type: ignore[arg-type]
    beside = write_draft(path, draft, force)
    app.reporter.say(("Wrote ", "good"), (str(path), "name"), f", and {beside} for editors" if beside else "")
    app.reporter.say(("Next: ", "next"), app.advice_for(path).of("lbdeploy check"))
    app.finish(0, path=str(absolute(path)))


def _draft(app: App, flags: Flags) -> Draft:
    if flags.given:
        return from_flags(flags)
    if app.json or not sys.stdin.isatty() or not sys.stderr.isatty():
        fix = "give --network, --node, --vip and --server: see lbdeploy init --help"
        raise UsageError("init needs a terminal to ask its questions", state=NOTHING, fix=fix)
    from lbdeploy.cli.commands.init_questions import Interview

    return Interview(app, flags).draft()
