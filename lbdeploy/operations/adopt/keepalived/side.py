"""What a line of a keepalived.conf is compared with. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from lbdeploy.config.model import Address
from lbdeploy.operations.adopt.keepalived.groups import HandMadeGroup
from lbdeploy.operations.adopt.keepalived.instances import HandMade
from lbdeploy.operations.adopt.keepalived.meanings import SCRIPT
from lbdeploy.operations.adopt.keepalived.scripts import Scripts
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry, every
from lbdeploy.operations.adopt.rows import Meaning

Vrrp = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeepalivedSide:
    """A node's keepalived.conf, and what hosts.toml has in its place. `preferred`: whose settings count.

    `groups`: what the instances became, unless one instance moves all VIPs. `addresses`: those of each node at present.
    """

    node: str
    entries: Sequence[ConfEntry]
    main: HandMade
    scripts: Scripts
    draft: dict[str, Any]
    preferred: str
    groups: tuple[HandMadeGroup, ...] = ()
    addresses: Mapping[str, Set[Address]] = field(default_factory=dict)

    @property
    def vrrp(self) -> Vrrp:
        table: Vrrp = self.draft["vrrp"]
        return table

    @property
    def defined(self) -> set[str]:
        """The scripts that it defines."""
        return {each.value for each in self.entries if each.key == "vrrp_script"}

    @property
    def tracked(self) -> set[str]:
        """The scripts that any instance or sync group tracks."""
        return {line.key for around, line in every(self.entries) if around and around[-1].key == "track_script"}

    def group_of(self, instance: ConfEntry) -> HandMadeGroup | None:
        """What an instance became; None where there are no groups."""
        parts = ((each, each.parts.get(self.node)) for each in self.groups)
        return next((each for each, part in parts if part and part.entry is instance), None)

    def instance(self, entry: ConfEntry) -> tuple[str, Vrrp]:
        """The settings of an instance: where hosts.toml has its own, and these together with those of [vrrp]."""
        if not (group := self.group_of(entry)):
            return "vrrp", self.vrrp
        return f"vrrp.groups.{group.name}", self.vrrp | self.vrrp["groups"][group.name]

    @property
    def ignores_weights(self) -> bool:
        """Whether keepalived ignores scripts with a weight, as it does in a sync group unless told not to."""
        group = self.main.together
        return group is not None and not group.has("sync_group_tracking_weight") and not group.has("global_tracking")

    @property
    def own(self) -> dict[str, Any]:
        table: dict[str, Any] = self.draft["nodes"][self.node]
        return table


def looked_up(table: Mapping[str, Meaning], entry: ConfEntry) -> Meaning:
    """By its keyword, or by one that ends in * and begins as it does."""
    found = table.get(entry.key) or next(
        (table[key] for key in table if key.endswith("*") and _matches(key, entry)), None
    )
    return found or ("changes", "lbdeploy's file has nothing like it: keepalived's default holds")


def _matches(key: str, entry: ConfEntry) -> bool:
    return entry.key.startswith(key[:-1])


def compared(side: KeepalivedSide, table: dict[str, Any], path: str, entry: ConfEntry) -> Meaning:
    """Whether hosts.toml has the line's very value."""
    key = path.rpartition(".")[2]
    value = table.get(key)
    if value is None:
        return looked_up(SCRIPT, entry)
    shown = f"{value}".lower() if isinstance(value, bool) else value
    if _same(entry.value, value):
        return "kept", f"{path} = {shown}"
    why = "" if side.node == side.preferred else f", as {side.preferred} has it"
    return "changes", f"{path} = {shown}{why}"


def _same(text: str, value: object) -> bool:
    try:
        return float(text) == float(str(value))
    except ValueError:
        return text == str(value)
