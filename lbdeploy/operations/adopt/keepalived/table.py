"""[vrrp] and the nodes' priorities, from the instance that hosts.toml's own is made from. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lbdeploy.operations.adopt.keepalived.instances import HandMade
from lbdeploy.operations.adopt.keepalived.scripts import Scripts
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry

_TRACKABLE = re.compile(r"/(run|var/lib)/(?!lbdeploy)[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


def priorities(mains: Mapping[str, HandMade]) -> dict[str, int]:
    """Each node's own, as they are: from 1 to 254, and a lower one where two have the same."""
    found: dict[str, int] = {}
    for left, name in zip(range(len(mains), 0, -1), sorted(mains, key=lambda each: -mains[each].priority), strict=True):
        lowest = min(found.values(), default=255)
        found[name] = max(left, min(mains[name].priority, lowest - 1))  # room for those that are left
    return {name: found[name] for name in mains}


def preferred(mains: Mapping[str, HandMade]) -> str:
    """The node whose settings count where nodes differ: that of the highest priority."""
    return max(mains, key=lambda each: mains[each].priority)


def table(instance: HandMade, network: str, scripts: Scripts, files: Mapping[str, ConfEntry]) -> dict[str, Any]:
    """[vrrp]. What is as lbdeploy's default is written, too, where people look for it."""
    made: dict[str, Any] = {"network": network, "router_id": instance.router_id or 51}
    made["advert_interval"] = advert_interval(instance)
    if preempts(instance):
        made["preempt_delay"] = tidy(decimal(instance.entry.get("preempt_delay"), 0.0, 0.0, 1000.0))
    else:
        made["preempt"] = False
    if not instance.peers:
        made["mode"] = "multicast"
    made |= _check(scripts)
    if scripts.notify:
        made["notify"] = scripts.notify
    if tracked := track_files(instance, files):
        made["track_files"] = tracked
    if tables := scripts.tables():
        made["track_scripts"] = tables
    return made


def _check(scripts: Scripts) -> dict[str, Any]:
    """How often haproxy is checked: as the script was that did so."""
    check = scripts.check
    if not check:
        return {}
    found = {"check_interval": check.whole("interval", 1), "check_fall": check.whole("fall", 1, 100)}
    found["check_rise"] = check.whole("rise", 1, 100)
    return found


def advert_interval(instance: HandMade) -> float:
    """Seconds, as far as hosts.toml admits."""
    return tidy(decimal(instance.entry.get("advert_int"), 1.0, 0.1, 40.0))


def preempts(instance: HandMade) -> bool:
    """Whether it takes the VIPs back; keepalived drops nopreempt for one that begins as MASTER."""
    return not instance.entry.has("nopreempt") or instance.entry.get("state") == "MASTER"


def track_files(instance: HandMade, files: Mapping[str, ConfEntry]) -> dict[str, Any]:
    """[vrrp.track_files]: those in a folder that hosts.toml allows."""
    found: dict[str, Any] = {}
    for line in instance.with_group.inside("track_file"):
        entry = files.get(line.key)
        path = (entry.get("file") if entry else None) or ""
        if entry and trackable(path):
            weight = line.words[line.words.index("weight") + 1 :] if "weight" in line.words else ()
            text = weight[0] if weight else entry.get("weight") or "1"
            found[re.sub(r"[^A-Za-z0-9_-]", "-", line.key)[:32]] = {"file": path, "weight": _weight(text)}
    return found


def trackable(path: str) -> bool:
    """Whether hosts.toml may name this file in [vrrp.track_files]."""
    return bool(_TRACKABLE.fullmatch(path))


def _weight(text: str) -> int:
    return max(-253, min(253, int(text))) if re.fullmatch(r"-?[0-9]{1,3}", text) else 0


def decimal(text: str | None, default: float, least: float, most: float) -> float:
    """A decimal number, moved into these bounds."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return default
    return max(least, min(most, float(text)))


def tidy(value: float) -> float:
    """A number without decimals that say nothing."""
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
