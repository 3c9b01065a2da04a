"""What stands in the way on a node."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.node import surroundings
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.surroundings import held
from lbdeploy.planning.occupants import occupants


def told(seed: Cluster, output: str) -> Observation:
    return replace(observe(seed, seed.node("lb1")), marks={surroundings.NAME: Answer(output)})


@pytest.mark.parametrize(
    ("states", "problems"), [("BACKUP", 1), ("MASTER", 0), ("", 0), ('[{"data": {"state": 2}}]', 0)]
)
def test_a_vip_is_not_keepalived_s_where_that_says_so(seed: Cluster, states: str, problems: int) -> None:
    """Where it says nothing, the address may be its own."""
    seen = told(seed, f"state {states}\naddress 2: ens33    inet 192.168.0.10/24 scope global ens33\n")
    assert held(seen) == {"192.168.0.10": "ens33"}
    assert len([*occupants(seed, seen)]) == problems


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("/etc/netplan/a.yaml:7:    - 192.168.0.10/24", 1),
        ("/etc/network/interfaces:7:  address 192.168.0.10", 1),
        ("/etc/systemd/network/a.network:3:Address=192.168.0.10/24", 1),
        ("/etc/network/interfaces:7:# address 192.168.0.10", 0),
        ("/etc/network/interfaces:7:  address 192.168.0.101", 0),
        ("/etc/systemd/network/a.network:3:Gateway=192.168.0.10", 0),
    ],
)
def test_files_of_the_network_that_have_a_vip_are_named(seed: Cluster, line: str, problems: int) -> None:
    """As an address; as a gateway, or in a comment, it is none."""
    assert len([*occupants(seed, told(seed, f"network {line}"))]) == problems
