"""Checks of the groups of VIPs."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.config.checks.tables import Tables
from lbdeploy.config.keys import near
from lbdeploy.config.model import NOTIFIED, Address, instance_name
from lbdeploy.config.schema import FrontendTable, GroupTable, NetworkTable, NodeTable, VrrpTable
from lbdeploy.errors import Problem, key_text

Key = tuple[str, ...]
Groups = dict[str, GroupTable]


def check_groups(tables: Tables) -> Iterator[Problem]:
    """Every disagreement."""
    yield from _no_router_id(tables.data.get("vrrp"))
    vrrp: VrrpTable | None = tables.single("vrrp")
    if not vrrp:
        return
    yield from _router_ids(vrrp)
    yield from _names(vrrp.groups)
    if tables.complete("networks", "vip"):
        yield from _vips(vrrp.groups, tables.named("networks"), whole=bool(tables.single("vrrp", "groups")))
    yield from _told(vrrp)
    for name, group in vrrp.groups.items():
        yield from _priorities(("vrrp", "groups", name, "priorities"), group, tables)
        if tables.single("vrrp", "network"):
            yield from _family(("vrrp", "groups", name, "vips"), group, vrrp, tables.named("nodes"))
        if vrrp.initial_state == "MASTER" and group.preempt is False:
            message, fix = 'is false, which keepalived drops with initial_state = "MASTER"', "leave initial_state out"
            yield Problem("master-without-preempt", ("vrrp", "groups", name, "preempt"), message, fix)


def check_frontend_groups(tables: Tables) -> Iterator[Problem]:
    """The groups that frontends name, and whether there is any VIP on their networks."""
    vrrp: VrrpTable | None = tables.single("vrrp", "groups")
    with_vip = {name for name, network in tables.named("networks", "vip").items() if network.vip}
    sure = tables.named("frontends", "networks") if tables.complete("networks", "vip") else {}
    for name, frontend in tables.named("frontends").items() if vrrp else ():
        key = ("frontends", name, "groups")
        unknown = [each for each in frontend.groups if each not in vrrp.groups] if vrrp else []
        for group in unknown:
            fix = near(group, vrrp.groups) if vrrp and vrrp.groups else f"add [vrrp.groups.{key_text(group)}]"
            yield Problem("no-group", key, f"{group!r} is not a group of this file", fix)
        judged = frontend.groups and not unknown and name in sure and with_vip.issuperset(frontend.networks)
        if judged and not [*places(frontend, vrrp, tables.named("networks"))]:
            yield Problem("group-without-vip", key, "have no VIP on its networks", "correct groups, or networks")


def places(
    frontend: FrontendTable, vrrp: VrrpTable | None, networks: dict[str, NetworkTable]
) -> Iterator[tuple[str, str]]:
    """The networks, each with the group of a VIP there, on which a frontend listens."""
    groups = vrrp.groups if vrrp else {}
    for network in frontend.networks or networks:
        there = [vip.ip for vip in networks[network].vip] if network in networks else []
        for name in frontend.groups or groups:
            if name in groups and any(address in there for address in groups[name].vips):
                yield network, name


def _no_router_id(vrrp: object) -> Iterator[Problem]:
    if isinstance(vrrp, dict) and "router_id" not in vrrp and "groups" not in vrrp:
        fix = "add router_id: Virtual router ID; unique on its network"
        yield Problem("missing", ("vrrp", "router_id"), "is missing", fix)


def _router_ids(vrrp: VrrpTable) -> Iterator[Problem]:
    if vrrp.router_id is not None and vrrp.groups:
        message = "is of no use: each group has its own"
        yield Problem("router-id-of-groups", ("vrrp", "router_id"), message, "leave it out")
    seen: dict[int, str] = {}
    for name, group in vrrp.groups.items():
        twin = seen.setdefault(group.router_id, name)
        if twin != name:
            message = f"{group.router_id} is already the router_id of {twin}, on the same network"
            yield Problem("router-id-twice", ("vrrp", "groups", name, "router_id"), message, "give each group its own")


def _told(vrrp: VrrpTable) -> Iterator[Problem]:
    """Scripts that are told of one state: a node may be MASTER of one group, and not of another."""
    for key in NOTIFIED.values() if vrrp.groups else ():
        if getattr(vrrp, key):
            message = "is told of a node's one state, and a node has one in each group"
            yield Problem("told-of-groups", ("vrrp", key), message, "use notify, which is given the instance's name")


def _names(groups: Groups) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in groups:
        twin = seen.setdefault(instance_name(name), name)
        if twin != name:
            message = f"would have the VRRP instance of {twin}: {instance_name(name)}"
            yield Problem("taken-name", ("vrrp", "groups", name), message, "choose another name")


def _vips(groups: Groups, networks: dict[str, NetworkTable], *, whole: bool) -> Iterator[Problem]:
    """Every VIP is of one group, so that something moves it, and only one thing does. `whole`: these are all groups."""
    there = {vip.ip: network for network, table in networks.items() for vip in table.vip}
    seen: dict[Address, str] = {}
    for name, group in groups.items():
        key = ("vrrp", "groups", name, "vips")
        for address in group.vips:
            if address not in there:
                fix = "add it, with its prefix length, to the vip of a network"
                yield Problem("no-vip-of-group", key, f"{address} is not a VIP of any network", fix)
            elif address in seen:
                message = f"{address} is already a VIP of {seen[address]}"
                yield Problem("vip-twice", key, message, "put each VIP in one group")
            seen.setdefault(address, name)
    for address, network in there.items() if groups and whole else ():
        if address not in seen:
            fix = f"add it to the vips of one: {', '.join(map(key_text, groups))}"
            yield Problem("vip-without-group", ("networks", network, "vip"), f"{address} is in no group", fix)


def _priorities(key: Key, group: GroupTable, tables: Tables) -> Iterator[Problem]:
    written = tables.names("nodes")
    for name in group.priorities:
        if written and name not in written:
            yield Problem("no-node", (*key, name), f"{name!r} is not a node of this file", near(name, written))
    seen: dict[int, str] = {}
    for name, node in tables.named("nodes", "priority").items():
        priority = group.priorities.get(name, node.priority)
        twin = seen.setdefault(priority, name)
        if twin != name and group.priorities:
            message = f"{name} has priority {priority} in this group, as {twin} has"
            fix = "give each node its own: the highest is the preferred MASTER"
            yield Problem("priority-twice", key, message, fix)


def _family(key: Key, group: GroupTable, vrrp: VrrpTable, nodes: dict[str, NodeTable]) -> Iterator[Problem]:
    """keepalived refuses an instance whose adverts carry no VIP, and they carry those of their own family alone."""
    addresses = [node.__pydantic_extra__.get(vrrp.network) for node in nodes.values()]
    spoken = {address.version for address in addresses if address}
    if len(spoken) == 1 and not spoken & {address.version for address in group.vips}:
        (own,) = spoken
        message = f"has no IPv{own} VIP, and VRRP speaks IPv{own} between the nodes"
        yield Problem("other-family", key, message, f"add an IPv{own} VIP, or put them into a group that has one")
