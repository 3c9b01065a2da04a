"""`lbdeploy servers`: hosts.toml's servers beside those that the Kubernetes cluster names itself."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import global_options, kubeconfig_option
from lbdeploy.cli.shell_completion import frontends
from lbdeploy.common.shell import cmd
from lbdeploy.common.typed import typed
from lbdeploy.errors import UsageError
from lbdeploy.operations.exit_status import CHANGES_PENDING, ExitStatus

if TYPE_CHECKING:
    from lbdeploy.operations.kubernetes.comparison import Comparison


@click.command()
@kubeconfig_option
@click.option("--context", metavar="NAME", help="The context of the kubeconfig [its current one].")
@click.option(
    "--frontend",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=frontends,
    help="The frontend to compare; repeatable [those with an API server at its port].",
)
@click.option("--write", is_flag=True, help="Change hosts.toml: comments and order stay.")
@global_options
@click.pass_obj
def servers(app: App, kubeconfig: Path | None, context: str | None, names: tuple[str, ...], *, write: bool) -> None:
    """Compare the servers of hosts.toml with the cluster's own.

    Asks the Kubernetes API, through your kubectl and its configuration, which API servers there are: the EndpointSlices
    of the service `kubernetes`, and the control plane's nodes. No node of the load balancer is contacted.

    With --write, hosts.toml gets servers that it lacks, and loses those of which the control plane has no node any
    more; one that is only down stays. Exit code 3: they differ, and nothing was written.

    \b
    lbdeploy servers
    lbdeploy servers --kubeconfig admin.conf --write
    lbdeploy --lab servers             what the lab's cluster names
    """
    from lbdeploy.operations.kubernetes.ask import compare

    comparison = compare(app.cluster, _in_lab(app) or kubeconfig, context, names, in_lab=app.lab)
    written = write and _follow(app, comparison)
    code = CHANGES_PENDING if comparison.differences and not written else 0
    then = cmd("lbdeploy", "servers", *_options(kubeconfig, context, names), "--write")
    ended = ExitStatus(code, {**comparison.to_json(), "written": written})
    end(app, ended, lambda: _tell(app, comparison, then, written=written))


def _options(kubeconfig: Path | None, context: str | None, names: tuple[str, ...]) -> list[str]:
    """What was typed, for the next command."""
    given = [("--kubeconfig", str(kubeconfig or "")), ("--context", context or "")]
    return [word for pair in (*given, *(("--frontend", name) for name in names)) if pair[1] for word in pair]


def _in_lab(app: App) -> Path | None:
    """With --lab, the kubeconfig of the lab, into which this process moves."""
    if not app.lab:
        return None
    from lbdeploy.lab import commands as lab

    return lab.kubeconfig(app.cluster) if app.ssh.in_lab else None


def _tell(app: App, comparison: Comparison, then: str, *, written: bool) -> None:
    from lbdeploy.cli.report.servers.compared import HEADINGS, lines, table_row

    app.reporter.table(HEADINGS, map(table_row, comparison.rows))
    app.reporter.say_all(lines(comparison, app.cluster.path.name, then, written=written))


def _follow(app: App, comparison: Comparison) -> bool:
    """Change hosts.toml; False where there is nothing to change."""
    from lbdeploy.config.loading.text import read
    from lbdeploy.operations.kubernetes.edits import LEFT, followed

    if not comparison.differences:
        return False
    text = followed(app.cluster.path, app.text, comparison)
    if read(app.file) != app.text:
        raise UsageError(
            f"{app.file} has just been changed by somebody else", state=LEFT, fix=typed("servers", "--write")
        )
    _replace(app.file, text)
    return True


def _replace(path: Path, text: str) -> None:
    """Replace the file as a whole, with the permissions and line ends that it has. Raises UsageError."""
    target = path.resolve()  # a symbolic link stays
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        ends = "\r\n" if b"\r\n" in target.read_bytes() else "\n"
        new.touch(mode=0o600, exist_ok=False)
        new.write_text(text, encoding="utf-8", newline=ends)
        shutil.copymode(target, new)
        _keep_owner(target, new)
        new.replace(target)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UsageError(
            f"{path} can't be written: {error.strerror}", state="it is as it was", fix=cmd("ls", "-l", path)
        ) from None


def _keep_owner(old: Path, new: Path) -> None:
    """Give the new file to the old one's owner, where this may be done: with sudo, root writes a user's file."""
    with suppress(PermissionError):
        os.chown(new, old.stat().st_uid, old.stat().st_gid)
