"""`lbdeploy schema`: prints the JSON Schema of hosts.toml for editors."""

from __future__ import annotations

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.output import show
from lbdeploy.cli.parameters import global_options


@click.command()
@global_options
@click.pass_obj
def schema(app: App) -> None:
    """Print the JSON Schema of hosts.toml, for editors.

    With the schema beside it and a first line that names it, taplo and Even Better TOML complete and check hosts.toml:

    \b
    lbdeploy schema > hosts.schema.json
    sed -i '1i #:schema hosts.schema.json' hosts.toml
    """
    from lbdeploy.config.json_schema import json_schema, text

    if app.json:
        app.finish(0, schema=json_schema())
    else:
        show(text(), end="")
