"""The handover command, where hosts.toml has groups of VIPs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from goldens import GOOD, GROUPS

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.handover import handover
from lbdeploy.errors import UsageError


def refused(folder: Path, text: str, *args: str) -> UsageError:
    """The mistake in a handover's arguments; nobody is contacted."""
    app = App()
    app.file, app.command = folder / "hosts.toml", "handover"
    app.file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(handover, list(args), obj=app, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    return done.exception


def test_where_groups_have_different_holders_it_must_be_said_which_or_where_to(tmp_path: Path) -> None:
    """There is no next node for all."""
    error = refused(tmp_path, GROUPS)
    assert error.message == "each group of VIPs has a holder of its own"
    assert error.fix == "name one: --group k8s-api or ingress_2; or, for all of them, a node: --to NODE"


@pytest.mark.parametrize(("text", "known"), [(GROUPS, "one of: k8s-api, ingress_2"), (GOOD, "")])
def test_an_unknown_group_is_a_mistake(tmp_path: Path, text: str, known: str) -> None:
    """Also where the file has no groups."""
    error = refused(tmp_path, text, "--group", "ingress2")
    assert "ingress2" in error.message
    assert error.fix
    assert known in error.fix
