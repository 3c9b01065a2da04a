"""`lbdeploy check`: validates hosts.toml, and lints the files that would be written."""

from __future__ import annotations

import click

from lbdeploy.cli.app import App, end
from lbdeploy.cli.parameters import global_options


@click.command()
@global_options
@click.pass_obj
def check(app: App) -> None:
    """Validate hosts.toml and lint what would be written, offline.

    \b
    lbdeploy check
    lbdeploy -f prod/hosts.toml check  another file
    """
    from lbdeploy.operations.exit_status import linted
    from lbdeploy.planning.lint.known import known_lints

    lints = known_lints(app.cluster)
    end(app, linted(lints), lambda: app.reporter.lints(app.cluster, lints))
