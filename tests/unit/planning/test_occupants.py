"""What stands in the way on a node."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import LONG_AGO, observe

from lbdeploy.config.model import Cluster
from lbdeploy.node import surroundings
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.surroundings import held
from lbdeploy.planning.desired import KEEPALIVED_CONF
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


HELD = "state {}\naddress 2: ens33    inet 192.168.0.10/24 scope global ens33\n"


def by_hand(seed: Cluster, conf: str, output: str) -> Observation:
    states = {f"file {KEEPALIVED_CONF}": FileState("file", "644", "root:root", LONG_AGO, conf)}
    seen = observe(seed, seed.node("lb1"), states=states)
    return replace(seen, marks={surroundings.NAME: Answer(output)})


@pytest.mark.parametrize(
    "conf",
    [
        "include /etc/keepalived/conf.d/*.conf\n",
        "vrrp_instance A {\n@lb1 include vips\n}\n",
        "$VIP=192.168.0.10\nvrrp_instance A {\n virtual_ipaddress {\n ${VIP}/24 dev ens33\n }\n}\n",
        "vrrp_instance A {\n virtual_ipaddress {\n ${NET}.10/24 dev ens33\n }\n}\n",
    ],
)
@pytest.mark.parametrize(("state", "problems"), [("MASTER", 0), ("", 0), ("BACKUP", 1)])
def test_a_master_may_have_its_vips_from_other_files(seed: Cluster, conf: str, state: str, problems: int) -> None:
    """Only what a keepalived says of itself counts, where its file alone does not tell which VIPs it has."""
    assert len([*occupants(seed, by_hand(seed, conf, HELD.format(state)))]) == problems


@pytest.mark.parametrize(("state", "deleted"), [("MASTER", False), ("", False), ("BACKUP", True)])
def test_a_vip_that_clients_may_use_is_not_to_be_deleted(seed: Cluster, state: str, deleted: bool) -> None:
    """The file may have been changed since a MASTER read it."""
    conf = "vrrp_instance A {\n virtual_ipaddress {\n 192.168.0.99/24\n }\n}\n"
    (found,) = occupants(seed, by_hand(seed, conf, HELD.format(state)))
    assert f"{KEEPALIVED_CONF} has no such VIP" in found.detail
    assert ("ip addr del" in found.fix) is deleted
