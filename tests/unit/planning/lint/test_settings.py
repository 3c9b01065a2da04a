"""Settings of hosts.toml that can't work as they are meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from linted import GOOD

from lbdeploy.planning.lint.lint import lint


def test_ssh_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    """Each by its path: a key, unless the agent has it and its public half is there, and a known_hosts file."""
    named = 'identity_file = "keys/id"\nknown_hosts_file = "known"\n[networks.external]'
    made = cluster(tmp_path, GOOD.replace("[networks.external]", named))
    assert [each.message for each in lint(made)] == [
        f"ssh.identity_file: {tmp_path}/keys/id is not there",
        f"ssh.known_hosts_file: {tmp_path}/known is not there",
    ]
    (tmp_path / "keys").mkdir()
    for name in ("keys/id.pub", "known"):
        (tmp_path / name).touch()
    assert lint(made) == []


def test_servers_that_are_checked_more_slowly_than_nodes_are_warned_of(tmp_path: Path) -> None:
    """Adverts several times a second are of little use where a dead server is seen after 11 s. The advice is sound."""
    quick = GOOD.replace("advert_interval = 1", "advert_interval = 0.1")
    (found,) = lint(cluster(tmp_path, quick))
    assert found.severity == "warning"
    assert found.message.startswith("frontends.k8s-api: haproxy may take 11 s to see that a server is gone")
    assert "keepalived 1.3 s for a node" in found.message
    advice = found.fix.partition(": ")[2].replace(", ", "\n")
    assert advice == "interval = 0.8\nfast_interval = 0.4\nfall = 2"
    assert lint(cluster(tmp_path, quick.replace("interval = 10", advice).replace("\nfall = 2\n[", "\n["))) == []


def test_the_seeds_initial_state_is_warned_of(tmp_path: Path) -> None:
    """With state MASTER the delay that the seed wants is lost: said of the setting, and it is not written."""
    (found,) = lint(cluster(tmp_path, GOOD.replace("router_id", 'initial_state = "MASTER"\nrouter_id')))
    assert (found.severity, found.node, found.file) == ("warning", None, str(tmp_path / "hosts.toml"))
    assert "loses preempt_delay" in found.message


def test_the_initial_state_without_a_delay_is_fine(tmp_path: Path) -> None:
    """There is nothing to be lost where no delay is set."""
    text = GOOD.replace("preempt_delay = 30", 'preempt_delay = 0\ninitial_state = "MASTER"')
    assert lint(cluster(tmp_path, text)) == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_timeouts_that_cut_watches_are_warned_of(tmp_path: Path, side: str) -> None:
    """The seed's 50 s would cut kubectl logs -f, exec and watches; ten minutes are let pass."""
    short = lint(cluster(tmp_path, GOOD.replace("port = 6443", f"port = 6443\n{side}_timeout = 50")))
    assert [each.message for each in short] == [
        f"frontends.k8s-api.{side}_timeout of 50 s cuts off kubectl logs -f, exec and watches"
    ]
    assert lint(cluster(tmp_path, GOOD.replace("port = 6443", f"port = 6443\n{side}_timeout = 600"))) == []
