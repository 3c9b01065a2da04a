"""Who else lives on a node, as its answers say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import SEED, observe
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.node import surroundings
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.surroundings import FileLine, VipManager, gives, later_sysctl, other_files, processes, vrrp_states
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, SYSCTL_CONF
from lbdeploy.planning.occupants import occupants

COMMAND = "/usr/sbin/haproxy -Ws -f $CONFIG $EXTRAOPTS"
EXEC = f"unit haproxy ExecStart={{ path=/usr/sbin/haproxy ; argv[]={COMMAND} ; ignore_errors=no }}"
UNIT = f'{EXEC}\nunit haproxy Environment=CONFIG=/etc/haproxy/haproxy.cfg "EXTRAOPTS=-S /run/haproxy-master.sock"\n'
BIND = "net.ipv4.ip_nonlocal_bind"
NETPLAN, NETWORKD = "/etc/netplan/a.yaml", "/etc/systemd/network/a.network"
MANAGER, IFUPDOWN = "/etc/NetworkManager/system-connections/a.nmconnection", "/etc/network/interfaces.d/a"


def told(seed: Cluster, output: str) -> Observation:
    return replace(observe(seed, seed.node("lb1")), marks={surroundings.NAME: Answer(output)})


@pytest.mark.parametrize(
    ("lines", "files", "running"),
    [
        (UNIT, [], False),
        (f'{UNIT}unit haproxy Variable=CONFIG="/etc/haproxy/site.cfg"\n', ["/etc/haproxy/site.cfg"], False),
        (f"{UNIT}unit haproxy Running=/usr/sbin/haproxy -Ws -f /etc/x.cfg -p /run/x\n", ["/etc/x.cfg"], True),
        (f"{UNIT}unit haproxy Running=haproxy -Ws -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d\n", [], False),
        (EXEC.replace("$CONFIG", "/etc/haproxy"), [], False),
        ("", [], False),
    ],
)
def test_what_haproxy_reads_is_seen_from_unit_and_process(
    seed: Cluster, lines: str, files: list[str], running: bool
) -> None:
    """Variables of files take precedence over those of the unit; a folder with our file in it will do."""
    assert other_files(told(seed, lines), "haproxy", HAPROXY_CFG) == (files, running)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ("--dont-fork", []),
        ("--dont-fork -f /etc/k.conf", ["/etc/k.conf"]),
        ("-n -f/etc/k.conf", ["/etc/k.conf"]),
        ("--use-file=/etc/k.conf", ["/etc/k.conf"]),
        ("--use-file /etc/keepalived/keepalived.conf", []),
    ],
)
def test_what_keepalived_reads_is_its_own_file_unless_told(seed: Cluster, arguments: str, files: list[str]) -> None:
    """Its long and its short option."""
    found = other_files(told(seed, f"unit keepalived Running=keepalived {arguments}"), "keepalived", KEEPALIVED_CONF)
    assert found == (files, bool(files))


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ("/etc/sysctl.d/zzz.conf:3:net.ipv4.ip_nonlocal_bind = 0", "/etc/sysctl.d/zzz.conf 3"),
        ("/etc/sysctl.conf:1:net/ipv4/ip_nonlocal_bind=0", "/etc/sysctl.conf 1"),
        ("/etc/sysctl.d/zzz.conf:3:# net.ipv4.ip_nonlocal_bind = 0", ""),
        ("/etc/sysctl.d/10-a.conf:3:net.ipv4.ip_nonlocal_bind = 0", ""),
        (
            f"/etc/sysctl.d/zzz.conf:3:{BIND} = 0\nsysctl /etc/sysctl.conf:1:{BIND}=1",
            "",
        ),
        ("/etc/sysctl.d/zzz.conf:3:net.ipv6.ip_nonlocal_bind = 0", ""),
    ],
)
def test_a_later_file_that_undoes_a_setting_is_found(seed: Cluster, files: str, place: str) -> None:
    """What comes before our own file, says the same, or is undone in turn, does no harm."""
    found = later_sysctl(told(seed, f"sysctl {files}"), BIND, "1", SYSCTL_CONF)
    assert (f"{found.file} {found.number}" if found else "") == place


def test_a_keepalived_of_ones_own_is_named_once(seed: Cluster) -> None:
    """It has two processes, of which the first is the parent."""
    two = "process 7 keepalived vips keepalived -f /x\nprocess 8 keepalived vips keepalived -f /x\n"
    assert processes(told(seed, two)) == [VipManager("7", "keepalived", "vips", "keepalived -f /x")]
    details = [each.detail for each in occupants(seed, told(seed, two))]
    assert details == [
        "process 7 (keepalived -f /x) is not of keepalived.service, and has VIPs of hosts.toml in its file"
    ]
    assert not [*occupants(seed, told(seed, two.replace("vips", "none")))]


@given(st.text())
def test_no_answer_makes_the_readers_raise(text: str) -> None:
    """A node may say anything."""
    seed = reader.load(SEED)
    kinds = ("unit", "unit haproxy ExecStart=", "state", "address", "process", "network", "sysctl", "table")
    seen = told(seed, "\n".join(f"{kind} {text}" for kind in kinds))
    list(occupants(seed, seen))
    vrrp_states(seen)


@pytest.mark.parametrize(("later", "found"), [("MASTER", 0), ("BACKUP", 1)])
def test_a_node_that_is_just_taking_the_vips_is_no_stranger(seed: Cluster, later: str, found: int) -> None:
    """Its keepalived said BACKUP right before, and is asked again."""
    seen = told(seed, f"state BACKUP\nstate {later}\naddress 2: ens33    inet 192.168.0.10/24 scope global ens33")
    assert vrrp_states(seen) == ["BACKUP", later]
    assert len([each for each in occupants(seed, seen) if each.check == "vip-held"]) == found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (NETPLAN, "- 192.168.0.10/24"),
        (NETPLAN, '- "192.168.0.10/24":'),
        (NETPLAN, "addresses: [192.168.0.11/24,192.168.0.10/24]"),
        (NETPLAN, "addresses: ['192.168.0.10/24']"),
        (NETPLAN, "192.168.0.10/24]"),
        (NETWORKD, "Address=192.168.0.10/24"),
        (NETWORKD, "Address = 192.168.0.10"),
        (f"{NETWORKD}.d/b.conf", "Address=192.168.0.10/24"),
        (MANAGER, "address1=192.168.0.10/24,192.168.0.1"),
        (MANAGER, "addresses=192.168.0.11/24;192.168.0.10/24;"),
        (IFUPDOWN, "address 192.168.0.10"),
        (IFUPDOWN, "address\t192.168.0.10/24"),
        (IFUPDOWN, "up ip addr add 192.168.0.10/24 dev eth0"),
        (IFUPDOWN, "post-up /sbin/ip -4 a add 192.168.0.10/24 dev eth0 || true"),
        (IFUPDOWN, "up ifconfig eth0:0 192.168.0.10 netmask 255.255.255.0"),
        ("interfaces.d/a", "address 192.168.0.10"),
    ],
)
def test_an_address_is_found(file: str, line: str) -> None:
    """As each of them writes it."""
    assert gives(FileLine(file, "7", line), "192.168.0.10")
    assert not gives(FileLine(file, "7", line), "192.168.0.1")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (NETPLAN, "- 192.168.0.10"),
        (NETPLAN, "- to: 192.168.0.10/32"),
        (NETPLAN, "via: 192.168.0.10"),
        (NETPLAN, "gateway4: 192.168.0.10"),
        (NETPLAN, "nameservers: {addresses: [192.168.0.10]}"),
        (NETPLAN, "routes: [{to: 192.168.0.10/32, via: 192.168.0.1}]"),
        (NETWORKD, "Gateway=192.168.0.10"),
        (NETWORKD, "DNS=192.168.0.10"),
        (NETWORKD, "Destination=192.168.0.10/32"),
        (MANAGER, "address1=192.168.0.11/24,192.168.0.10"),
        (MANAGER, "dns=192.168.0.10;"),
        (MANAGER, "route1=192.168.0.10/32,192.168.0.1"),
        (IFUPDOWN, "up ip route add 10.0.0.0/8 via 192.168.0.10"),
        (IFUPDOWN, "up ip route add 192.168.0.10/32 dev eth1"),
        (IFUPDOWN, "gateway 192.168.0.10"),
        (IFUPDOWN, "dns-nameservers 192.168.0.10"),
        (IFUPDOWN, "down ip addr del 192.168.0.10/24 dev eth0"),
    ],
)
def test_what_only_names_one_does_not_give_it(file: str, line: str) -> None:
    """Gateways, name servers and the targets of routes."""
    assert not gives(FileLine(file, "7", line), "192.168.0.10")
