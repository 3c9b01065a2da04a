"""`lbdeploy bundle`: an archive for whoever is asked for help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.output import write_file
from lbdeploy.cli.parameters import global_options, limit_option
from lbdeploy.common.paths import absolute
from lbdeploy.errors import HostsFileError

if TYPE_CHECKING:
    from lbdeploy.operations.bundle.archive import Bundle


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it [./lbdeploy-NAME-TIME.tar.gz].",
)
@limit_option
@global_options
@click.pass_obj
def bundle(app: App, *, output: Path | None, limit: tuple[str, ...]) -> None:
    """Collect what a colleague needs to help, without secrets.

    Configuration, logs, states and versions of the nodes and of this machine, what `verify` finds and `plan` would do,
    in one archive that only you can read. Where hosts.toml is wrong, it has what is on this machine, and the problems.
    Passwords, tokens, keys and the texts of scripts are left out; addresses and names are in it. Changes nothing on the
    nodes. Never fails because a node does: what could not be had is listed.

    \b
    lbdeploy bundle
    lbdeploy bundle --output help.tar.gz
    tar xzf help.tar.gz                to look at what is in it
    """
    try:
        found = _collected(app, limit)
    except HostsFileError as error:  # whoever can't correct it needs help, too
        from lbdeploy.operations.bundle.unreadable import bundle_of

        app.reporter.error(error)
        found = bundle_of(absolute(app.file), app.text, error)
    path = output or Path(f"{found.name}.tar.gz")
    write_file(path, found.tar(), 0o600)
    for each in found.missing:
        where = f"{each.node}: " if each.node else ""
        app.reporter.say(("not in it: ", "warn"), (where, "name"), f"{each.what}: {each.why}")
    app.reporter.say(("Wrote ", "good"), (str(path), "name"), f": {len(found.entries)} files. {found.summary}")
    app.reporter.say("Secrets are hidden, addresses and names are not: look before you pass it on.")
    app.finish(0, path=str(path), **found.to_json())


def _collected(app: App, limit: tuple[str, ...]) -> Bundle:
    """What the nodes and this machine have. Raises HostsFileError where nobody knows which nodes there are."""
    from lbdeploy.ssh.pool import SessionPool

    with SessionPool(app.cluster, app.emit, ssh=app.ssh, limit=app.limit(limit)) as pool:
        from lbdeploy.operations.bundle.collect import Collector

        return Collector(app.cluster, pool, app.emit, app.origin).bundle()
