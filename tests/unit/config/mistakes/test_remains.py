"""What is left of a table with mistakes."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from lbdeploy.config.mistakes.remains import remains
from lbdeploy.config.schema import FrontendTable, NodeTable, Table, VrrpTable

SERVERS = {"m1": "10.0.0.1", "m2": "x", "m 3": "10.0.0.3", "m4": {"address": "10.0.0.4", "wait": 1}}


@pytest.mark.parametrize(
    ("kind", "written", "left"),
    [
        (FrontendTable, {"port": 0, "interval": 5.0, "rise": "3"}, {"port": None, "interval": 5.0, "rise": 3}),
        (FrontendTable, {"port": 1, "servers": ["10.0.0.1"]}, {"port": 1, "servers": {}}),
        (FrontendTable, {"port": 1, "servers": {"m1": "x"}}, {"port": 1, "servers": {}}),
        (FrontendTable, {"port": 1, "check_status": [200, 0], "servers": {}}, {"check_status": [200], "servers": {}}),
        (VrrpTable, {"network": "a", "colour": 1, "mode": "x"}, {"network": "a", "mode": "unicast"}),
        (VrrpTable, {"router_id": 5, "groups": {"g": {"router_id": 300, "vips": []}}}, {"router_id": 5, "groups": {}}),
        (NodeTable, {"priority": 300, "interfaces": {"a": "eth0", "b": "-"}}, {"interfaces": {"a": "eth0"}}),
    ],
)
def test_what_is_well_formed_is_left(kind: type[Table], written: dict[str, Any], left: dict[str, Any]) -> None:
    """The other keys have their defaults, or none; what is not a table of the kind's shape has no entries."""
    found = remains(kind, written)
    assert isinstance(found, kind)
    assert {key: getattr(found, key) for key in left} == left


def test_entries_are_left_out_one_by_one() -> None:
    """One server that is wrong costs no other one, and a node's address none of the others."""
    servers = remains(FrontendTable, {"port": 1, "servers": SERVERS})
    assert isinstance(servers, FrontendTable)
    assert list(servers.servers) == ["m1"]
    node = remains(NodeTable, {"priority": 1, "front": "10.0.0.1", "back": "10.0.0"})
    assert isinstance(node, NodeTable)
    assert node.__pydantic_extra__ == {"front": ip_address("10.0.0.1")}


@pytest.mark.parametrize("written", [5, "x", [], None])
def test_of_what_is_no_table_nothing_is_left(written: object) -> None:
    """There is nothing to judge."""
    assert remains(VrrpTable, written) is None
