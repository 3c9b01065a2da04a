"""On which VIPs of hosts.toml the sections of a haproxy.cfg are."""

from __future__ import annotations

import tomllib
from typing import Any

import handmade_files as made
from handmade_files import adopt_all, pair_of, told

from lbdeploy.config import reader, writer
from lbdeploy.operations.adopt.result import Adopted

TWO_CLUSTERS = """\
defaults
    mode tcp
frontend one
    bind 10.20.0.10:6443
    default_backend one
backend one
    server cp1 10.20.0.21:6443 check
frontend two
    bind 10.20.0.77:6443
    default_backend two
backend two
    server cp1 10.20.0.31:6443 check
frontend both
    bind *:443
    default_backend two
"""
SECOND_INSTANCE = """\
vrrp_instance TWO {
    interface eth0
    virtual_router_id 71
    priority PRIORITY
    virtual_ipaddress {
        10.20.0.77/24
    }
}
"""
SECOND_VIP = made.K3S_KEEPALIVED.replace("10.20.0.10/24\n", "10.20.0.10/24\n        10.20.0.77/24\n")


def valid(found: Adopted) -> dict[str, Any]:
    """hosts.toml as it is written, without a mistake."""
    text = writer.text(found.draft)
    assert reader.problems(tomllib.loads(text), dict(found.files)) == []
    return tomllib.loads(text)


def test_two_clusters_on_one_port_have_a_group_each() -> None:
    """Each frontend is open where it was, and no other cluster's servers answer at its VIP."""
    found = adopt_all(pair_of(made.K3S_KEEPALIVED + SECOND_INSTANCE, TWO_CLUSTERS))
    wrote = valid(found)["frontends"]
    assert {name: each.get("groups") for name, each in wrote.items()} == {
        "one": ["haproxy-vip"], "two": ["TWO"], "both": None
    }  # fmt: skip
    assert told(found, "bind 10.20.0.77:6443") == ("kept", "frontends.two.port and its groups")


def test_a_section_that_names_a_vip_has_it_before_one_that_listens_everywhere() -> None:
    haproxy = TWO_CLUSTERS.replace("bind 10.20.0.10:6443", "bind *:6443")
    wrote = valid(adopt_all(pair_of(made.K3S_KEEPALIVED + SECOND_INSTANCE, haproxy)))["frontends"]
    assert (wrote["one"]["groups"], wrote["two"]["groups"]) == (["haproxy-vip"], ["TWO"])


def test_two_clusters_whose_vips_move_together_have_a_network_each() -> None:
    """With the interface and the addresses of the one that they are on."""
    found = adopt_all(pair_of(SECOND_VIP, TWO_CLUSTERS))
    wrote = valid(found)
    assert wrote["networks"] == {
        "external": {"interface": "eth0", "vip": "10.20.0.77/24"},
        "management": {"interface": "eth0", "vip": "10.20.0.10/24"},
    }
    assert {wrote["nodes"]["lb1"][name] for name in wrote["networks"]} == {"10.20.0.11"}
    assert {name: each.get("networks") for name, each in wrote["frontends"].items()} == {
        "one": ["management"], "two": ["external"], "both": None
    }  # fmt: skip
    assert wrote["vrrp"]["network"] == "management"


def test_a_port_is_one_frontend_whatever_nodes_call_it_and_its_servers() -> None:
    """Of two servers with one name and different addresses, none is lost; of one with two names, none comes twice."""
    other = TWO_CLUSTERS.replace("frontend one", "frontend api").replace("cp1 10.20.0.21:", "cp1 10.20.0.22:")
    other = other.replace("cp1 10.20.0.31:", "master 10.20.0.31:")
    found = adopt_all(pair_of(SECOND_VIP, TWO_CLUSTERS, other=other))
    wrote = valid(found)["frontends"]
    assert {name: each["servers"] for name, each in wrote.items()} == {
        "one": {"cp1": "10.20.0.21", "cp1-2": "10.20.0.22"},
        "two": {"cp1": "10.20.0.31"},
        "both": {"cp1": "10.20.0.31:6443"},
    }
    assert told(found, "frontend api", "lb2") == ("kept", "frontends.one")
    assert told(found, "server cp1 10.20.0.22:6443 check", "lb2") == ("kept", "frontends.one.servers.cp1-2")
    assert told(found, "server master 10.20.0.31:6443 check", "lb2") == ("kept", "frontends.two.servers.cp1")


def test_a_vip_on_which_only_another_node_has_a_port_is_told_of() -> None:
    """The preferred node's sections count."""
    here = TWO_CLUSTERS.replace("    bind *:443", "    bind *:443\n    bind 10.20.0.77:80")
    there = here.replace("bind 10.20.0.77:80", "bind 10.20.0.77:80\n    bind 10.20.0.10:80")
    found = adopt_all(pair_of(SECOND_VIP, here, other=there))
    assert valid(found)["frontends"]["both-80"]["networks"] == ["external"]
    assert told(found, "bind 10.20.0.10:80", "lb2") == (
        "changes", "frontends.both, frontends.both-80: the VIPs are those on which lb1 has it"
    )  # fmt: skip
