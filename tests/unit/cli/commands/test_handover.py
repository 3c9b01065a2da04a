"""The handover command, where hosts.toml has groups of VIPs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from goldens import GOOD, GROUPS

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.handover import handover
from lbdeploy.errors import RemoteError, UsageError


def failed(folder: Path, text: str, *args: str) -> BaseException | None:
    """What a handover raises."""
    app = App()
    app.file, app.command = folder / "hosts.toml", "handover"
    app.file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(handover, list(args), obj=app, standalone_mode=False).exception


def refused(folder: Path, text: str, *args: str) -> UsageError:
    """The mistake in a handover's arguments; nobody is contacted."""
    error = failed(folder, text, *args)
    assert isinstance(error, UsageError)
    return error


def test_where_groups_have_different_holders_it_must_be_said_which_or_where_to(tmp_path: Path) -> None:
    """There is no next node for all."""
    error = refused(tmp_path, GROUPS)
    assert error.message == "each group of VIPs has a holder of its own"
    assert error.fix == "name one: --group k8s-api or ingress_2; or, for all of them, a node: --to NODE"


class SecondFails:
    """Stands for the handovers: that of the second group fails."""

    def __init__(self, *_: Any, group: str) -> None:
        self.group = group

    def run(self, to: str, *, back: bool) -> SimpleNamespace:
        if self.group == "k8s-api":
            return SimpleNamespace(group=self.group, taker=to)
        raise RemoteError("it was not taken", state="the VIPs stay", fix="lbdeploy verify")


def test_an_error_about_one_group_says_what_has_become_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody would know that the VIPs of the first group have moved."""
    monkeypatch.setattr("lbdeploy.operations.handover.handover.Handover", SecondFails)
    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool", lambda *_, **__: nullcontext())
    error = failed(tmp_path, GROUPS, "--to", "lb2")
    assert isinstance(error, RemoteError)
    assert error.state == "the VIPs stay; moved before: k8s-api to lb2"
    only = failed(tmp_path, GROUPS, "--to", "lb2", "--group", "ingress_2")
    assert isinstance(only, RemoteError)
    assert only.state == "the VIPs stay"


@pytest.mark.parametrize(("text", "known"), [(GROUPS, "one of: k8s-api, ingress_2"), (GOOD, "")])
def test_an_unknown_group_is_a_mistake(tmp_path: Path, text: str, known: str) -> None:
    """Also where the file has no groups."""
    error = refused(tmp_path, text, "--group", "ingress2")
    assert "ingress2" in error.message
    assert error.fix
    assert known in error.fix
