"""The lab's network: one namespace is the switch, with a bridge for each segment; each host has one, with its cables.

A host's wiring is a shell script, so that a node's power supply can run it again at every boot: what its namespace held
(addresses that keepalived placed, sysctl values) is gone then, as on a real machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from lbdeploy.lab.host.netns import network
from lbdeploy.lab.host.paths import SWITCH, Place
from lbdeploy.lab.host.processes import run
from lbdeploy.lab.machine.topology import Cable, Host, LabTopology

# A cable is in, pulled (the host loses its carrier), or deaf: the host sees a link, but no packet comes or goes.
Plug = Literal["in", "pulled", "deaf"]


def wire_script(place: Place, host: Host) -> str:
    """Gives `host` a new namespace, with cables plugged in but for those that its file `cut` names.

    Its IPv6 addresses are usable at once: without duplicate address detection, which takes a second.
    """
    own, switch = place.namespace(host.name), place.namespace(SWITCH)
    return f"""#!/bin/sh
# Wires {host.name} anew.
cd '{place.host(host.name)}' || exit
rm -f wired
ip netns del '{own}' 2>/dev/null
ip -n '{switch}' -force -batch - 2>/dev/null <<'END'
{_lines(f"link del {cable.port}" for cable in host.cables)}
END
set -e
ip netns add '{own}'
ip netns exec '{own}' sh -c 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad' 2>/dev/null || true
ip -n '{switch}' -batch - <<'END'
{_lines(line for cable in host.cables for line in _plug(host, cable, own))}
END
ip -n '{own}' -batch - <<'END'
link set lo up
{_lines(line for cable in host.cables for line in _inside(cable))}
END
for port in {" ".join(cable.port for cable in host.cables)}; do
    case $(grep -s "^$port " cut) in
        *pulled) ;;
        *deaf) ip -n '{switch}' link set "$port" nomaster up ;;
        *) ip -n '{switch}' link set "$port" up ;;
    esac
done
touch wired
"""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _plug(host: Host, cable: Cable, namespace: str) -> Iterator[str]:
    yield f"link add {cable.port} type veth peer name {cable.interface} address {mac(host, cable)} netns {namespace}"
    yield f"link set {cable.port} master {bridge(cable.segment)} addrgenmode none"


def mac(host: Host, cable: Cable) -> str:
    """The MAC address of an interface. It stays the same, as a machine's does when it reboots: neighbours cache it."""
    digest = hashlib.sha256(f"{host.name} {cable.interface}".encode()).digest()
    return "02:" + digest[:5].hex(":")


def _inside(cable: Cable) -> Iterator[str]:
    yield f"link set {cable.interface} up"
    for each in cable.addresses:
        yield f"address add {each} dev {cable.interface}" + (" broadcast +" if each.version == 4 else "")
    for route in cable.routes:
        yield f"route add {route}/{route.max_prefixlen} dev {cable.interface}"


def bridge(segment: int) -> str:
    """The switch's interface for a segment."""
    return f"br{segment}"


def switch_on(place: Place, topology: LabTopology) -> None:
    """Makes the switch, with a bridge for each segment; what is there already stays."""
    switch = place.namespace(SWITCH)
    if not network(place.namespace_file(SWITCH)):
        run(["ip", "netns", "del", switch], check=False)
        run(["ip", "netns", "add", switch])
    there = run(["ip", "-n", switch, "-br", "link", "show", "type", "bridge"]).split()
    missing = [at for at in range(len(topology.segments)) if bridge(at) not in there]
    lines = [line for at in missing for line in _new_bridge(at)]
    lines += [f"link set {bridge(at)} up" for at in range(len(topology.segments))]
    run(["ip", "-n", switch, "-batch", "-"], stdin=_lines(lines))


def _new_bridge(segment: int) -> Iterator[str]:
    # Multicast snooping would keep VRRP's IPv6 adverts from whoever has not joined their group in time.
    yield f"link add {bridge(segment)} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    yield f"link set {bridge(segment)} addrgenmode none"


def is_wired(place: Place, host: Host) -> bool:
    """Whether the host's wiring was completed as it should be now, and is still there."""
    directory = place.host(host.name)
    wired = (directory / "wired").exists() and network(place.namespace_file(host.name)) is not None
    return wired and _text(directory / "wire") == wire_script(place, host)


def write_wiring(place: Place, host: Host) -> None:
    """Writes the script that wires the host."""
    directory = place.host(host.name)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / "wire").write_text(wire_script(place, host))


def wire(place: Place, host: Host) -> None:
    """Wires the host anew. Raises LabError."""
    write_wiring(place, host)
    run(["sh", str(place.host(host.name) / "wire")])


def plug(place: Place, host: Host, cables: Iterable[Cable], plug: Plug) -> None:
    """Plugs cables in or out. They stay so when the host reboots."""
    cables = tuple(cables)
    cut = {
        port: its for port, its in cut_ports(place, host.name).items() if port not in {cable.port for cable in cables}
    }
    cut |= {cable.port: plug for cable in cables if plug != "in"}
    (place.host(host.name) / "cut").write_text("".join(f"{port} {its}\n" for port, its in sorted(cut.items())))
    # A host without power has no cables to set: its wiring reads the file when it is switched on.
    lines = _lines(f"link set {cable.port} {_setting(cable, plug)}" for cable in cables)
    run(["ip", "-n", place.namespace(SWITCH), "-force", "-batch", "-"], stdin=lines, check=False)


def _setting(cable: Cable, plug: Plug) -> str:
    settings = {"in": f"master {bridge(cable.segment)} up", "pulled": "down", "deaf": "nomaster up"}
    return settings[plug]


def cut_ports(place: Place, name: str) -> dict[str, str]:
    """The ports of a host whose cables are not plugged in, with their state: "pulled" or "deaf"."""
    return dict(line.split() for line in _text(place.host(name) / "cut").splitlines())


def pull_out(place: Place, host: Host) -> None:
    """Takes a host's cables out of the switch, for good: whatever its kernel still sends is lost.

    TCP connections outlive their processes for minutes, while the unacknowledged FIN is sent again, and the namespace
    lives as long, with its addresses. Removing a port takes the kernel a while, in which the host would see one cable
    gone, and send a priority 0 advert on another: so all ports leave their bridges before the first is removed.
    """
    deaf = (f"link set {cable.port} nomaster" for cable in host.cables)
    gone = (f"link del {cable.port}" for cable in host.cables)
    run(["ip", "-n", place.namespace(SWITCH), "-force", "-batch", "-"], stdin=_lines((*deaf, *gone)), check=False)


def unwire(namespaces: Iterable[str]) -> None:
    """Removes namespaces, with all that is in them."""
    run(["ip", "-force", "-batch", "-"], stdin=_lines(f"netns del {name}" for name in namespaces), check=False)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
