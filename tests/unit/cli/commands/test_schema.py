"""The schema command."""

from __future__ import annotations

import json

from click.testing import CliRunner

from lbdeploy.cli.command_line import cli
from lbdeploy.config.json_schema import json_schema


def test_the_command_prints_the_schema() -> None:
    """`lbdeploy schema` prints it alone; with --json it is in the document."""
    assert json.loads(CliRunner().invoke(cli, ["schema"]).stdout) == json_schema()
    document = json.loads(CliRunner().invoke(cli, ["schema", "--json"]).stdout)
    assert (document["command"], document["schema"]) == ("schema", json_schema())
