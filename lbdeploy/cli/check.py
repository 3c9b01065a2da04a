"""`lbdeploy check`: is the file right, and what would come of it?"""

from __future__ import annotations

import click

from lbdeploy.cli.app import App
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
    from lbdeploy.lint import lint

    lints = lint(app.cluster)
    exit_code = 2 if any(each.severity == "error" for each in lints) else 0
    app.reporter.lints(app.cluster, lints)
    app.finish(exit_code, findings=[each.to_json() for each in lints])
