"""The schema command."""

from __future__ import annotations

import json

from click.testing import CliRunner
from console import Run

from lbdeploy.cli.command_line import cli
from lbdeploy.config.json_schema import json_schema
from lbdeploy.operations.documents import schema_of


def test_the_command_prints_the_schema() -> None:
    """`lbdeploy schema` prints it alone; with --json it is in the document."""
    assert json.loads(CliRunner().invoke(cli, ["schema"]).stdout) == json_schema()
    document = json.loads(CliRunner().invoke(cli, ["schema", "--json"]).stdout)
    assert (document["command"], document["schema"]) == ("schema", json_schema())


def test_the_schema_of_a_commands_document_is_printed(run: Run) -> None:
    """For programs that read it; for what is no command, those that there are are named."""
    assert json.loads(run("schema", "--of", "verify").out) == schema_of("verify")
    assert run("--json", "schema", "--of", "plan").json["schema"] == schema_of("plan")
    refused = run("schema", "--of", "apply")
    assert (refused.code, "one of: init, adopt, check, render" in refused.err) == (2, True)
    assert run("--json", "completion", "bash").json["script"]
