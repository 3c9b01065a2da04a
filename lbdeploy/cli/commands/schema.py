"""`lbdeploy schema`: prints the JSON Schema of hosts.toml for editors."""

from __future__ import annotations

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.output import show
from lbdeploy.cli.parameters import global_options
from lbdeploy.errors import UsageError


@click.command()
@click.option("--of", metavar="COMMAND", help="That of a command's document instead, such as verify.")
@global_options
@click.pass_obj
def schema(app: App, *, of: str | None) -> None:
    """Print the JSON Schema of hosts.toml, for editors.

    With --of, the JSON Schema of what a command prints with --json, for programs that read it.

    With the schema beside it and a first line that names it, taplo and Even Better TOML complete and check hosts.toml:

    \b
    lbdeploy schema > hosts.schema.json
    sed -i '1i #:schema hosts.schema.json' hosts.toml
    lbdeploy schema --of verify
    """
    if of is not None:
        _of_document(app, of)
        return
    from lbdeploy.config.json_schema import json_schema, text

    if app.json:
        app.finish(0, schema=json_schema())
    else:
        show(text(), end="")


def _of_document(app: App, command: str) -> None:
    from lbdeploy.cli.group import ORDER
    from lbdeploy.operations.documents import KEYS, schema_of

    if command not in KEYS:
        raise UsageError(f"there is no schema of {command}", fix=f"one of: {', '.join(ORDER)}")
    found = schema_of(command)
    if app.json:
        app.finish(0, schema=found)
    else:
        import json

        show(json.dumps(found, indent=2))
