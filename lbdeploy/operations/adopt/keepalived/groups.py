"""[vrrp.groups] of hosts.toml, from instances that move their VIPs each for itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.config.model import Address, instance_name
from lbdeploy.operations.adopt.keepalived.instances import HandMade, same
from lbdeploy.operations.adopt.keepalived.table import decimal, preempts, preferred, priorities, tidy

Parts = Mapping[str, HandMade]  # an instance, by node


@dataclass(frozen=True, slots=True)
class HandMadeGroup:
    """An instance as a group: its `parts` by node."""

    name: str
    parts: Parts

    @property
    def leading(self) -> HandMade:
        """The part whose settings count: that of the node which is preferred for these VIPs."""
        return self.parts[preferred(self.parts)]

    @property
    def vips(self) -> list[Address]:
        found = (vip.address.ip for each in (self.leading, *self.parts.values()) for vip in each.vips)
        return list(dict.fromkeys(found))

    def table(self, vrrp: Mapping[str, Any], nodes: Mapping[str, Any]) -> dict[str, Any]:
        """[vrrp.groups.NAME]: what differs from [vrrp], and from the nodes' own priorities."""
        vips = [str(each) for each in self.vips]
        made: dict[str, Any] = {"router_id": self.leading.router_id, "vips": vips[0] if len(vips) == 1 else vips}
        ranks = priorities(self.parts)
        if ranks != {name: nodes[name]["priority"] for name in ranks}:
            made["priorities"] = ranks
        own = preempting(self.leading)
        return made | {key: value for key, value in own.items() if vrrp.get(key, _DEFAULTS.get(key)) != value}


_DEFAULTS = {"preempt": True}


def preempting(instance: HandMade) -> dict[str, Any]:
    """Whether it takes its VIPs back, and after how long."""
    if not preempts(instance):
        return {"preempt": False}
    delay = tidy(decimal(instance.entry.get("preempt_delay"), 0.0, 0.0, 1000.0))
    return {"preempt": True, "preempt_delay": delay}


def groups(
    found: Mapping[str, Sequence[HandMade]],
    mains: Parts,
    own: Mapping[str, Address],
    held: Mapping[str, set[Address]],
    *,
    together: bool,
) -> tuple[list[HandMadeGroup], str]:
    """The groups, that of `mains` first; none where one instance is to move all VIPs, and then why, if there are more.

    `own`: the nodes' addresses on VRRP's network; `held`: the addresses that each node has at present. `together`: they
    are in a vrrp_sync_group.
    """
    every = [mains, *_others(found, mains)]
    if len(every) == 1:
        return [], ""
    names = [re.sub(r"[^A-Za-z0-9_-]", "-", each[preferred(each)].name).strip("_-")[:32] for each in every]
    made = [HandMadeGroup(name, parts) for name, parts in zip(names, every, strict=True)]
    why = "a vrrp_sync_group keeps them together" if together else _hindrance(made, found, own, held)
    return ([], why) if why else (made, "")


def _others(found: Mapping[str, Sequence[HandMade]], mains: Parts) -> Iterator[Parts]:
    """Every other instance, as far as nodes have it; a node's own is in one of them."""
    left = {name: [each for each in of_node if each is not mains[name]] for name, of_node in found.items()}
    for of_node in left.values():
        while of_node:
            first = of_node[0]
            parts = {name: part for name, each in left.items() if (part := same(each, first))}
            for name, part in parts.items():
                left[name].remove(part)
            yield parts


def _hindrance(
    made: Sequence[HandMadeGroup],
    found: Mapping[str, Sequence[HandMade]],
    own: Mapping[str, Address],
    held: Mapping[str, set[Address]],
) -> str:
    """Why these can't be groups; "" where they can."""
    for each in made:
        if missing := sorted(found.keys() - each.parts.keys()):
            return f"{' and '.join(missing)} has no instance {each.leading.name}"
    ids = [each.leading.router_id for each in made]
    if len(set(ids)) < len(ids) or 0 in ids:
        return "they do not all have a virtual_router_id of their own, and adverts will be on one network"
    if len({instance_name(each.name) for each in made}) < len(made) or not all(each.name for each in made):
        return "their names are too much alike"
    vips = [vip for each in made for vip in each.vips]
    if len(set(vips)) < len(vips):
        return "a VIP is in two of them"
    if not all(any(vip.version == each.version for vip in one.vips) for one in made for each in own.values()):
        return "one has no VIP of the IP version that VRRP speaks between the nodes"
    return _reelection(made, own, held)


def _reelection(made: Sequence[HandMadeGroup], own: Mapping[str, Address], held: Mapping[str, set[Address]]) -> str:
    """Instances whose peers will not know them again elect anew: with different holders, nobody would be a standby."""
    anew = [each for each in made if not all(_goes_on(part, own[name], made[0]) for name, part in each.parts.items())]
    holders = {name for each in anew for name, there in held.items() if there & {*each.vips}}
    if len(anew) > 1 and len(holders) > 1:
        names = " and ".join(each.leading.name for each in anew)
        return f"the adverts of {names} change, and different nodes hold them: as groups, `up` would cost some seconds"
    return ""


def _goes_on(part: HandMade, address: Address, first: HandMadeGroup) -> bool:
    """Whether peers know an instance by the same as before: its adverts come from that address, the same way."""
    return part.source == address and bool(part.peers) == bool(first.leading.peers)
