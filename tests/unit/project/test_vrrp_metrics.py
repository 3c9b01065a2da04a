"""What keepalived's script writes for the node exporter: templates/vrrp-metrics.sh.j2."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import cluster
from goldens import BEYOND
from vrrp_script import Script

Run = Callable[..., dict[str, float]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the script of lb1 with these arguments; gives its metrics, {} where there is no file."""
    return Script(tmp_path, cluster(tmp_path, BEYOND["metrics of VRRP"]), "lb1").metrics


def state(metrics: dict[str, float], instance: str) -> str:
    """The only state that is 1."""
    (one,) = [
        each[1]
        for key, value in metrics.items()
        if value and (each := re.fullmatch(rf'lbdeploy_vrrp_state{{.*vrrp_instance="{instance}",state="(\w+)"}}', key))
    ]
    return one


def of(metrics: dict[str, float], name: str, instance: str) -> float:
    labels = f'cluster="k8s-api",node="lb1",vrrp_instance="{instance}"'
    return metrics[f"lbdeploy_vrrp_{name}{{{labels}}}"]


def test_states_and_moves_are_written_for_each_instance(run: Run, instances: tuple[str, str]) -> None:
    """Without a word of keepalived's, by the addresses; then by what it says, a move counted once."""
    one, two = instances
    found = run(held="192.168.0.10 192.168.1.10")
    assert (state(found, one), of(found, "vips", one), of(found, "transitions_total", one)) == ("MASTER", 2, 0)
    assert (state(found, two), of(found, "vips", two)) == ("BACKUP", 0)
    for _ in range(2):
        run(one, "FAULT", "true")
    found = run()
    assert (state(found, one), of(found, "vips", one), of(found, "transitions_total", one)) == ("FAULT", 0, 1)
    assert (
        of(found, "last_transition_seconds", one)
        <= found['lbdeploy_vrrp_timestamp_seconds{cluster="k8s-api",node="lb1"}']
    )


def test_a_state_that_was_missed_goes_by_the_addresses(run: Run, instances: tuple[str, str]) -> None:
    one, _ = instances
    run(held="192.168.0.10 192.168.1.10")
    found = run()
    assert (state(found, one), of(found, "transitions_total", one)) == ("BACKUP", 1)


def test_the_command_behind_it_runs_and_its_end_is_the_scripts(
    run: Run, instances: tuple[str, str], tmp_path: Path
) -> None:
    """With its arguments, whatever becomes of the metrics."""
    run(instances[0], "MASTER", "touch", str(tmp_path / "announced here"))
    assert (tmp_path / "announced here").exists()


def test_there_are_no_metrics_without_keepalived_or_where_nobody_asks(
    run: Run, instances: tuple[str, str], tmp_path: Path
) -> None:
    """It ends; its configuration does not ask for them any more; there is no node exporter."""
    assert run() != {}
    assert run(instances[0], "STOP") == {}
    (tmp_path / "conf").write_text("# other\n")
    assert run() == {}
    (tmp_path / "textfiles").rmdir()
    assert run() == {}


def test_a_link_that_the_owner_of_the_folder_puts_in_place_of_the_new_file_is_not_followed(
    run: Run, tmp_path: Path
) -> None:
    """However early: root would write to what it points to, and make that readable for all."""
    secret = tmp_path / "shadow"
    secret.write_text("root:x\n")
    secret.chmod(0o600)
    made = tmp_path / "mktemp"
    made.write_text(f'#!/bin/sh\nnew=$(/usr/bin/mktemp "$@")\nln -sf {secret} "$new"\necho "$new"\n')
    made.chmod(0o755)
    run()
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("root:x\n", 0o600)
    made.unlink()
    assert run() != {}
    assert (tmp_path / "textfiles/lbdeploy-vrrp.prom").stat().st_mode & 0o777 == 0o644


@pytest.fixture
def instances(tmp_path: Path) -> tuple[str, str]:
    """The names of the VRRP instances."""
    one, two = cluster(tmp_path, BEYOND["metrics of VRRP"]).parts
    return one.instance, two.instance
