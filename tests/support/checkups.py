"""What `doctor` sees of the nodes, and what a test has changed in it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.node import network_listener
from lbdeploy.node.resources.base import Answer
from lbdeploy.operations.doctor import node_checks
from lbdeploy.operations.doctor.checkup import Checkup

ALL = frozenset({"vrrp", "hail", "who-has"})
BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
LB1, LB2, STRANGER = (ip_address(each) for each in ("192.168.1.11", "192.168.1.12", "192.168.1.99"))


def looked(
    seed: Cluster, name: str = "lb1", hears: network_listener.Heard | None = None, ahead: float = 0.0, **marks: str
) -> Checkup:
    """A node that is fit, but for what it is said to have printed; it hears its peer."""
    node = seed.node(name)
    peer = LB2 if name == "lb1" else LB1
    network = node.interfaces["management"]
    fine = network_listener.Heard(frozenset({network_listener.Advert(101, peer, network)}), frozenset({peer}), done=ALL)
    seen = observe(seed, node, marks={each: Answer(text) for each, text in {"os": BOOKWORM, **marks}.items()})
    return Checkup(seen, hears or fine, ahead)


def of_node(seed: Cluster, each: Checkup) -> list[tuple[str, bool]]:
    return [(finding.check, finding.is_warning) for finding in node_checks.problems(seed, each)]


def heard(name: str = "lb1", **changes: Any) -> network_listener.Heard:
    peer = LB2 if name == "lb1" else LB1
    fine = network_listener.Heard(frozenset({network_listener.Advert(0, peer, "ens32")}), frozenset({peer}), done=ALL)
    return replace(fine, **changes)
