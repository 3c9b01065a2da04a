"""`lbdeploy adopt`: a hosts.toml for a pair that somebody has built by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.new_files import refuse_to_overwrite, write_beside, write_draft
from lbdeploy.cli.parameters import global_options
from lbdeploy.common.paths import absolute
from lbdeploy.common.redact import holds_password

if TYPE_CHECKING:
    from lbdeploy.config.model import Ssh
    from lbdeploy.operations.adopt.result import Adopted


@click.command()
@click.argument("nodes", metavar="NODE[=ADDRESS]...", nargs=-1, required=True)
@click.option("--name", metavar="NAME", help="Name of the cluster [k8s-api].")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Where to write it [--file]."
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@global_options
@click.pass_obj
def adopt(app: App, /, nodes: tuple[str, ...], name: str | None, output: Path | None, force: bool) -> None:
    """Write a hosts.toml for a pair that was built by hand.

    Reads what really runs on the nodes, and changes nothing there. NODE is what ssh connects to, unless =ADDRESS says
    so. The hosts.toml does what the nodes' keepalived.conf and haproxy.cfg do now; each of their lines is listed, with
    what becomes of it. A node alone says which peers to name, too. With --lab, --file is the lab's own.

    \b
    lbdeploy adopt lb1 lb2
    lbdeploy adopt lb1=192.168.1.11 lb2=192.168.1.12 --output hosts.toml
    """
    from lbdeploy.cli.commands.adopt_lines import lines
    from lbdeploy.operations.adopt.adopt import adopt as adopted
    from lbdeploy.operations.adopt.hosts import hosts

    path = output or app.file
    refuse_to_overwrite([path], force)
    chosen = hosts(nodes)
    ssh, cluster = _access(app, name)
    found = adopted(chosen, cluster, ssh, app.emit)
    app.reporter.quiet()
    _write(app, path, found, force)
    for line in lines(found):
        app.reporter.say(*line)
    app.reporter.say(("Next: ", "next"), app.advice_for(path).of("lbdeploy check, then: lbdeploy plan"))
    files = [str(absolute(path.parent / each)) for each in found.files]
    app.finish(0, path=str(absolute(path)), files=files, **found.to_json())


def _access(app: App, name: str | None) -> tuple[Ssh, str]:
    """How to log in, and what the cluster is called: in the lab, as the lab knows it."""
    if app.lab:
        return app.ssh, name or app.cluster.name
    from lbdeploy.config.model import Ssh

    return Ssh(answers=app.answers), name or "k8s-api"


def _write(app: App, path: Path, found: Adopted, force: bool) -> None:
    """The files that hosts.toml names, then hosts.toml itself."""
    beside = {path.parent / each: text for each, text in found.files.items()}
    refuse_to_overwrite(beside, force)
    for each, text in beside.items():
        mode = 0o777 if text.startswith("#!") else 0o666
        write_beside(each, text, force, mode & (0o700 if holds_password(text) else 0o777))
        app.reporter.say(("Wrote ", "good"), (str(each), "name"))
    schema = write_draft(path, found.draft, force)
    app.reporter.say(("Wrote ", "good"), (str(path), "name"), f", and {schema} for editors" if schema else "")
