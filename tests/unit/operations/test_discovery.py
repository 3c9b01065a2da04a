"""What nodes show of the networks that they are on."""

from __future__ import annotations

import re
import subprocess
from ipaddress import ip_address

import pytest
from builders import captured
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations import discovery

pytestmark = pytest.mark.terminal


def seen(text: str, configured: str = "", heard: str = "") -> discovery.DiscoveredHost:
    return discovery.read(f"{text}\n{discovery.CONFIGURED}\n{configured}\n{discovery.HEARD}\n{heard}\n")


def test_networks_are_proposed_that_all_nodes_are_on() -> None:
    """Subnets on which each node has an address of its own, VIPs and container bridges left aside."""
    master, backup = seen(captured("ip_a/seed_master")), seen(captured("ip_a/seed_backup"))
    found = discovery.shared({"lb1": master, "lb2": backup})
    assert [each.interface for each in found] == ["ens32", "ens33"]
    assert {name: str(address) for name, (_, address) in found[0].members.items()} == {
        "lb1": "192.168.1.11/24",
        "lb2": "192.168.1.12/24",
    }
    assert found[0].is_at({"lb1": "192.168.1.11", "lb2": "lb2.example.org"})
    bridge = "3: docker0: <UP,LOWER_UP> mtu 1500\n    inet 172.17.0.1/16 scope global docker0\n"
    assert discovery.shared({"a": seen(bridge), "b": seen(bridge)}) == []


def test_interfaces_may_have_other_names_on_other_nodes() -> None:
    """What most nodes call it is the network's interface."""
    text = (
        "2: {}: <UP,LOWER_UP> mtu 1500\n    inet 10.0.0.{}/24 scope global x\n    inet6 2001:db8::{}/64 scope global\n"
    )
    found = discovery.shared({str(n): seen(text.format(name, n, n)) for n, name in enumerate(("a", "b", "b"), 1)})
    assert [(each.interface, each.members["1"][0]) for each in found] == [("b", "a")]
    assert found[0].like.version == 4


def test_router_ids_are_known_with_where_they_were_met() -> None:
    """From keepalived.conf and from the wire."""
    one = seen(
        "",
        "    virtual_router_id 101\n# virtual_router_id 9",
        "51 192.168.1.5 eth0\n52 fe80::1 eth0\nthrough 51 192.168.1.5\n999 x y\nnonsense",
    )
    assert one.heard == {(51, ip_address("192.168.1.5")), (52, ip_address("fe80::1"))}
    used = discovery.router_ids({"lb1": one, "lb2": seen("")})
    assert set(used) == {51, 52, 101}
    assert (used[101], used[51]) == ("in the keepalived.conf of lb1", "heard from 192.168.1.5")


@given(st.text())
def test_a_host_may_say_anything(text: str) -> None:
    """What can't be read is passed over."""
    found = seen(text, text, text)
    discovery.shared({"a": found, "b": found})
    assert all(0 <= each < 1000 for each in discovery.router_ids({"a": found}))


def test_the_script_is_one_that_a_shell_can_read() -> None:
    """POSIX sh, with the listener for perl in it; nothing is run here."""
    assert subprocess.run(["sh", "-n"], input=discovery.script(), text=True, check=False).returncode == 0
    listener = re.escape("perl -e ")
    assert re.search(listener, discovery.script())
