"""`up`, without nodes."""

from __future__ import annotations

import sys
from contextlib import suppress

import click
import pytest
from builders import observe, survey
from console import Run

from lbdeploy.cli.app import end
from lbdeploy.cli.commands import run as run_commands
from lbdeploy.config.model import Cluster
from lbdeploy.operations.exit_status import changed
from lbdeploy.rollout.run import Outcome


def test_a_run_that_succeeded_says_so_where_its_report_can_not_be_written(
    run: Run, seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to fear that nodes were left in the middle of a change."""

    def up(**_: object) -> None:
        app = click.get_current_context().obj
        end(app, changed(outcome), lambda: app.reporter.up(outcome))

    plan = survey(seed, observe(seed, seed.node("lb1")), observe(seed, seed.node("lb2")))
    outcome = Outcome(plan.plan, plan.verdict)
    monkeypatch.setattr(run_commands.up, "callback", up)
    with (
        suppress(OSError),
        open("/dev/full", "w", encoding="utf-8") as full,
    ):  # which can't be flushed when it is closed
        monkeypatch.setattr(sys, "stdout", full)
        done = run("up")
    assert done.code == 1
    assert "now: it had ended with exit code 6, before it could say so" in done.err
