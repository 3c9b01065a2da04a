"""What becomes of each line of a keepalived.conf. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lbdeploy.config.model import instance_name
from lbdeploy.operations.adopt.keepalived.groups import HandMadeGroup
from lbdeploy.operations.adopt.keepalived.instances import VIP_BLOCKS, HandMade, address, is_link_local, vip_of
from lbdeploy.operations.adopt.keepalived.meanings import BLOCKS, GLOBALS, INSTANCE, OUTSIDE, VIP_WORDS
from lbdeploy.operations.adopt.keepalived.script_explanations import (
    NOTIFICATIONS,
    notification,
    script_head,
    script_line,
    untracked,
    weight_of_check,
)
from lbdeploy.operations.adopt.keepalived.side import KeepalivedSide, compared, looked_up
from lbdeploy.operations.adopt.keepalived.table import trackable
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry, every
from lbdeploy.operations.adopt.rows import UNREAD, LineRow, Meaning, row


def rows(side: KeepalivedSide) -> Iterator[LineRow]:
    """A row for each line that says something; the line of a block counts with what is in it."""
    for around, entry in every(side.entries):
        if entry.block is None or not around:
            yield row(side.node, entry.place, entry.text, UNREAD if entry.unread else _meaning(side, around, entry))


def _meaning(side: KeepalivedSide, around: tuple[ConfEntry, ...], entry: ConfEntry) -> Meaning:
    if not around:
        return _head(side, entry)
    outer = around[0]
    match outer.key:
        case "global_defs":
            return _global(entry)
        case "vrrp_script":
            return script_line(side, outer, entry)
        case "vrrp_instance" | "vrrp_sync_group":
            of_block = _instance if outer.key == "vrrp_instance" else _sync_group
            return of_block(side, outer, around[1:], entry)
        case "vrrp_track_file" | "track_file":
            return _track_file(side, outer, entry)
    return looked_up(OUTSIDE, outer)


def _global(entry: ConfEntry) -> Meaning:
    if entry.key == "script_user" and entry.words[1:2] != ("root",):
        return "changes", "root runs the scripts"
    return looked_up(GLOBALS, entry)


def _head(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    """The line that begins a block of its own."""
    match entry.key:
        case "vrrp_instance":
            return _instance_head(side, entry)
        case "vrrp_script":
            return script_head(side, entry)
        case "global_defs":
            return "kept", "lbdeploy's file has this block, too"
    return looked_up(OUTSIDE, entry)


def _instance_head(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    if group := side.group_of(entry):
        return _group(side, group)
    if entry is side.main.entry:
        return "equal", f"the instance gets the name of the cluster, {side.draft['cluster']['name']}"
    vips = ", ".join(str(vip.address.ip) for vip in HandMade(entry).vips)
    if not vips:
        return _without_vips(entry)
    return "changes", f"one instance moves all VIPs: {vips} moves together with those of {side.main.name}"


def _without_vips(instance: ConfEntry) -> Meaning:
    return "ends", f"vrrp_instance {instance.value} has no VIP that hosts.toml can have"


def _group(side: KeepalivedSide, group: HandMadeGroup) -> Meaning:
    """An instance that goes on as one. What is tracked is common to all."""
    what = f"vrrp.groups.{group.name}: an instance of its own, {instance_name(group.name)}"
    if group.parts[side.node].tracked.keys() == side.main.tracked.keys():
        return "equal", what
    return "changes", f"{what}, which tracks what {side.main.name} does: haproxy, and the same scripts"


def _instance(side: KeepalivedSide, outer: ConfEntry, inner: tuple[ConfEntry, ...], entry: ConfEntry) -> Meaning:
    block = inner[0].key if inner else ""
    if block in VIP_BLOCKS:
        return _vip(side, outer, entry)
    if not HandMade(outer).vips:
        return _without_vips(outer)
    if outer is not side.main.entry and not side.group_of(outer):
        return "changes", f"goes with its instance; its VIPs have the settings of {side.main.name}"
    if of_block := _OF_BLOCK.get(block):
        return of_block(side, entry)
    return looked_up(BLOCKS, inner[0]) if block else _setting(side, outer, entry)


def _sync_group(side: KeepalivedSide, outer: ConfEntry, inner: tuple[ConfEntry, ...], entry: ConfEntry) -> Meaning:
    """A line of a sync group, what it tracks and tells being that of the one instance which is left of it."""
    block = inner[0].key if inner else ""
    if block == "group":
        return OUTSIDE["vrrp_sync_group"]
    if outer is not side.main.together:
        return "ends", f"{side.main.name}, whose settings are those of all VIPs, is not in this group"
    if of_block := _OF_BLOCK.get(block):
        return of_block(side, entry)
    if entry.key in NOTIFICATIONS:
        return notification(side, entry, of_group=True)
    return looked_up(BLOCKS, inner[0]) if block else looked_up(INSTANCE, entry)


def _setting(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    network = side.vrrp["network"]
    if entry.key in ("unicast_src_ip", "mcast_src_ip"):
        return compared(side, side.own, f"nodes.{side.node}.{network}", entry)
    if of_key := _OF_KEY.get(entry.key):
        return of_key(side, outer, entry)
    if entry.key in NOTIFICATIONS:
        return notification(side, entry)
    return looked_up(INSTANCE, entry)


def _router_id(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    where, settings = side.instance(outer)
    return compared(side, settings, f"{where}.router_id", entry)


def _advert_interval(side: KeepalivedSide, _: ConfEntry, entry: ConfEntry) -> Meaning:
    return compared(side, side.vrrp, "vrrp.advert_interval", entry)


def _priority(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    where, settings = side.instance(outer)
    if "priorities" not in settings:
        return compared(side, side.own, f"nodes.{side.node}.priority", entry)
    rank = settings["priorities"][side.node]
    what = f"{where}.priorities.{side.node} = {rank}"
    return ("kept", what) if str(rank) == entry.value else ("changes", f"{what}: each node needs a priority of its own")


def _interface_of_vrrp(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    network = side.vrrp["network"]
    if outer is not side.main.entry and entry.value != (own := _own_interface(side, network)):
        return "changes", f"its adverts travel on network {network}, {own}, as those of all groups do"
    return compared(side, {"interface": _own_interface(side, network)}, f"networks.{network}.interface", entry)


def _state(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    if entry.value != "MASTER":
        return "kept", "every node starts as BACKUP, and the priority elects"
    delay = side.instance(outer)[1].get("preempt_delay")
    late = (
        f"; preempt_delay = {delay} holds from now on (keepalived ignores it with state MASTER): "
        f"{side.node} takes the VIPs back {delay} s after a reboot, not at once"
        if delay
        else ""
    )
    return "changes", f"the node starts as BACKUP, and the priority elects it{late}"


def _preempt(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    where, settings = side.instance(outer)
    if entry.key == "preempt_delay":
        return compared(side, settings, f"{where}.preempt_delay", entry)
    preempt = settings.get("preempt", True)
    if (entry.key == "preempt") == preempt:
        return "kept", f"{where}.preempt = {str(preempt).lower()}"
    if outer.get("state") == "MASTER":
        return "equal", f"keepalived ignores it with state MASTER: {where}.preempt = true"
    return "changes", f"{where}.preempt = {str(preempt).lower()}, as {side.preferred} has it"


def _vip(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    found = vip_of(entry, outer.get("interface") or "")
    if is_link_local(address(entry.key)):
        return "ends", "link-local: haproxy can't bind to it. keepalived may want such a VIP first, and works without"
    if not found:
        return "ends", "this is no address that hosts.toml can have"
    network = next(name for name, each in side.draft["networks"].items() if str(found.address.ip) in _vips(each))
    lost = [VIP_WORDS[word] for word in entry.words if word in VIP_WORDS]
    what = f"networks.{network}.vip"
    if lost:
        return "changes", f"{what}; {'; '.join(lost)}"
    if group := side.group_of(outer):
        return "kept", f"{what}, in vrrp.groups.{group.name}.vips"
    if outer is not side.main.entry:
        return "changes", f"{what}: it moves together with the other VIPs, by vrrp.router_id = {side.vrrp['router_id']}"
    return "kept", what


def _vips(network: dict[str, Any]) -> list[str]:
    vips = network.get("vip", [])
    return [each.partition("/")[0] for each in ([vips] if isinstance(vips, str) else vips)]


def _peer(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    network = side.vrrp["network"]
    nodes = {table[network]: name for name, table in side.draft["nodes"].items()}
    peer = address(entry.key)
    if str(peer) in nodes:
        return "kept", f"nodes.{nodes[str(peer)]}.{network}"
    if peer and (holder := next((name for name, there in side.addresses.items() if peer in there), None)):
        return "changes", f"nodes.{holder}.{network} = {side.draft['nodes'][holder][network]}"
    return "ends", f"{entry.key} is no node that adopt was given: name it, too, or it goes on holding VIPs by itself"


def _tracked(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    tracked = side.scripts.tracked.get(entry.key)
    if tracked is None:
        return untracked(side, entry.key)
    if tracked.key:
        return "kept", f"vrrp.track_scripts.{tracked.key}"
    return ("equal", "lbdeploy's own check_haproxy") if len(entry.words) == 1 else weight_of_check(side, tracked.weight)


def _tracked_file(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    there = entry.key in side.vrrp.get("track_files", {})
    return ("kept", f"vrrp.track_files.{entry.key}") if there else ("ends", "hosts.toml can't track it")


def _interface(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    interfaces = {_own_interface(side, name) for name in side.draft["networks"]}
    if entry.key not in interfaces:
        return "ends", f"{entry.key} is in no network of hosts.toml: the VIPs stay where they are if it fails"
    if "weight" in entry.words:
        return "changes", f"a node without {entry.key} gives up its VIPs, whatever its priority"
    return "kept", "the interface of every network is tracked"


def _own_interface(side: KeepalivedSide, network: str) -> str:
    own = side.own.get("interfaces", {})
    return str(own.get(network, side.draft["networks"][network]["interface"]))


def _track_file(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    if outer.value not in side.vrrp.get("track_files", {}):
        where = "" if trackable(outer.get("file") or "") else ": hosts.toml tracks files directly in /run or /var/lib"
        return "ends", f"not tracked any more{where}"
    return "kept", f"vrrp.track_files.{outer.value}"


_OF_KEY = {
    "virtual_router_id": _router_id,
    "advert_int": _advert_interval,
    "priority": _priority,
    "interface": _interface_of_vrrp,
    "state": _state,
    "preempt": _preempt,
    "nopreempt": _preempt,
    "preempt_delay": _preempt,
}
_OF_BLOCK = {
    "unicast_peer": _peer,
    "track_script": _tracked,
    "track_interface": _interface,
    "track_file": _tracked_file,
}
