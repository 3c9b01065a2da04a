"""What stands in the way on a node: VIPs that others hold, daemons that read other files, settings that others undo.

Pure. From the first look of a command: see node/surroundings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lbdeploy.common.debian import DAEMONS
from lbdeploy.config.model import Cluster
from lbdeploy.health.finding import Finding
from lbdeploy.node import keepalived_conf
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.sysctl import NONLOCAL_BIND
from lbdeploy.node.surroundings import (
    UNDOES,
    VipManager,
    gives,
    held,
    later_sysctl,
    lines,
    other_files,
    places,
    processes,
    vrrp_states,
)
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, SYSCTL_CONF, sysctls

VIP_HELD, CONFIG_FILE, VRRP_STRICT = "vip-held", "config-file", "vrrp-strict"
WITHOUT_VIPS = ("BACKUP", "FAULT", "INIT")


def occupants(cluster: Cluster, seen: Observation) -> Iterator[Finding]:
    """Everything that is in the way on a node."""
    yield from _other_files(seen)
    yield from _held(cluster, seen)
    yield from _processes(seen)
    yield from _network_files(cluster, seen)
    yield from _sysctls(cluster, seen)
    yield from _strict(seen)


def _other_files(seen: Observation) -> Iterator[Finding]:
    for daemon, path in zip(DAEMONS, (HAPROXY_CFG, KEEPALIVED_CONF), strict=True):
        files, running = other_files(seen, daemon, path)
        if files:
            when = ", until it is restarted" if running else ""
            restart = f"systemctl restart {daemon}, once what it serves is in hosts.toml"
            fix = restart if running else f"see systemctl cat {daemon}, and /etc/default/{daemon}; then {restart}"
            detail = f"{daemon} reads {' and '.join(files)}, not {path}{when}"
            yield Finding.failed(seen.node.name, CONFIG_FILE, detail, fix, subject=daemon)


def _held(cluster: Cluster, seen: Observation) -> Iterator[Finding]:
    """VIPs that the node has though its keepalived did not put them there."""
    there = held(seen)
    for vip in cluster.vips:
        if (interface := there.get(str(vip.ip))) and (why := _not_ours(seen, str(vip.ip))):
            detail = f"has the VIP {vip.ip} on {interface}, and keepalived did not put it there: {why}"
            delete = f"ip addr del {vip.address} dev {interface}"
            # One that may be MASTER may have had the VIP in its file when it read it: clients use it, then.
            then = (
                f"then: {delete}" if _has_none(seen) else f"a {KEEPALIVED_CONF} that was changed since must get it back"
            )
            fix = f"find what did; {then}; or choose another VIP"
            yield Finding.failed(seen.node.name, VIP_HELD, detail, fix, subject=str(vip.ip))


def _not_ours(seen: Observation, vip: str) -> str:
    """Why an address can't be keepalived's; "" where it may be. A keepalived that was killed leaves its VIPs behind."""
    service = seen.service("keepalived")
    if not service.running:
        return "it does not run" if service.active == "inactive" else ""
    state = seen.states.get(f"file {KEEPALIVED_CONF}")
    content = state.content if isinstance(state, FileState) and state.kind in ("file", "link") else None
    if content is not None and not keepalived_conf.unread(content) and vip not in keepalived_conf.all_vips(content):
        return f"its {KEEPALIVED_CONF} has no such VIP"
    return f"it is {vrrp_states(seen)[0]}" if _has_none(seen) else ""


def _has_none(seen: Observation) -> bool:
    """Whether the node's keepalived has no VIP, as it says itself, or does not run."""
    states = vrrp_states(seen)
    return all(each in WITHOUT_VIPS for each in states) if states else not seen.service("keepalived").running


def _processes(seen: Observation) -> Iterator[Finding]:
    for each in processes(seen):
        if each.name == "keepalived" and each.knows != "none":
            does = (
                "has VIPs of hosts.toml in its file"
                if each.knows == "vips"
                else "has a file that can't be read, or not by itself"
            )
            detail = f"process {each.pid} ({_command(each)}) is not of keepalived.service, and {does}"
            fix = f"stop what starts it (systemctl status {each.pid} shows that), or choose other VIPs"
            yield Finding.failed(seen.node.name, VIP_HELD, detail, fix, subject=each.pid)


def _command(process: VipManager) -> str:
    return process.command.strip()[:120]


def _network_files(cluster: Cluster, seen: Observation) -> Iterator[Finding]:
    """Files that give the node a VIP at its next boot, if not now."""
    for vip in cluster.vips:
        for each in places(seen, "network"):
            if gives(each, str(vip.ip)):
                detail = f"{each.file} line {each.number} gives the node the VIP {vip.ip}: {each.text[:80]}"
                fix = "remove it there, and take the address off the interface; or choose another VIP"
                yield Finding.failed(seen.node.name, VIP_HELD, detail, fix, subject=f"{each.file}:{each.number}")


def _sysctls(cluster: Cluster, seen: Observation) -> Iterator[Finding]:
    for setting, value in sysctls(cluster).items():
        place = later_sysctl(seen, setting, value, SYSCTL_CONF) if setting in NONLOCAL_BIND.values() else None
        if place:
            detail = f"{place.file} line {place.number} {UNDOES}: {place.text}"
            fix = f"remove that line: it is read after {SYSCTL_CONF}, at each boot or by sysctl --system"
            yield Finding.failed(seen.node.name, "nonlocal-bind", detail, fix, subject=setting)


def _strict(seen: Observation) -> Iterator[Finding]:
    """vrrp_strict has keepalived drop what comes to its VIPs, by a table that stays when a reload takes it back."""
    state = seen.states.get(f"file {KEEPALIVED_CONF}")
    content = state.content if isinstance(state, FileState) else ""
    strict = seen.service("keepalived").running and re.search(r"(?m)^\s*vrrp_strict\b", content)
    tables = lines(seen, "table")
    if strict or tables:
        what = f"nftables table {tables[0]}" if tables else "own firewall rules"
        why = f"{KEEPALIVED_CONF} has vrrp_strict" if strict else "vrrp_strict was set when it started"
        detail = f"keepalived's {what} may drop what comes to the VIPs, and stays when that is turned off: {why}"
        first = f"remove vrrp_strict from {KEEPALIVED_CONF}; " if strict else ""
        fix = (
            f"on each node, the holder last: {first}systemctl restart keepalived; then, as the table outlasts that: "
            f"nft delete table {tables[0] if tables else 'ip keepalived'} (nft is in the package nftables)"
        )
        yield Finding.failed(seen.node.name, VRRP_STRICT, detail, fix, subject=tables[0] if tables else "")
