"""What the adverts of a VRRP instance look like on the wire: RFC 5798 and RFC 3768, section 5. Pure.

A peer that runs with an old configuration is told from one that runs with the new one by its adverts. agree.pl writes
each as a line: its source, "group" where it goes to VRRP's group or else "host", and its bytes in hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from lbdeploy.node.keepalived_conf import Instance

_ANY_SOURCE = r"\S+"
_ANY = (_ANY_SOURCE, r"\S+", "..", "..", "..", "....", ".*", ".*")
_NUMBER = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,6})?")
_AUTH_TYPES = {"PASS": 1, "AH": 2}


def distinguishing(before: Instance, after: Instance, *, alone: bool = True) -> tuple[str, str]:
    """Regular expressions for the adverts of a node before and after a change; "" where they do not differ.

    Unless it is `alone`, the node sends adverts of other instances, too, which the router ID tells from these.

    Only what differs is compared, so that what keepalived fills in by itself does no harm. An address that only one of
    them names tells nothing: the other's adverts may come from it just as well. Nor does a file that can't be read so
    far, as one with definitions of its own ($NAME).
    """
    old, new = _fields(before), _fields(after)
    if old is None or new is None:
        return "", ""
    if old[1:] == new[1:] and (old[0] == new[0] or _ANY_SOURCE in {old[0], new[0]}):
        return "", ""
    if old[4] != new[4]:  # the number of addresses tells enough; their order is keepalived's own affair
        old, new = _without_addresses(old), _without_addresses(new)
    return _line(old, new, alone=alone), _line(new, old, alone=alone)


def source(instance: Instance) -> str | None:
    """The address that adverts come from, where the configuration names one."""
    return instance.settings.get("unicast_src_ip") or instance.settings.get("mcast_src_ip")


def advert_seconds(instance: Instance) -> float | None:
    """How often it sends an advert (s), as a master; 1 where it does not say so, None where that is no number."""
    return _number(instance, "advert_int", "1")


def _number(instance: Instance, setting: str, default: str) -> float | None:
    text = instance.settings.get(setting, default)
    return float(text) if _NUMBER.fullmatch(text) else None


def _fields(instance: Instance) -> tuple[str, ...] | None:
    """Source, kind of target, version and type, router ID, number of addresses, timing, addresses, password.

    None where one of them can't be read.
    """
    origin, seconds = source(instance), advert_seconds(instance)
    told, router = _number(instance, "version", "2"), _number(instance, "virtual_router_id", "0")
    addresses = [each.split("/")[0] for each in instance.vips]
    if seconds is None or told is None or router is None or not all(map(_is_address, addresses)):
        return None
    family = ip_address(origin).version if origin and _is_address(origin) else 4
    version = 3 if family == 6 else int(told)
    vips = [address for each in addresses if (address := ip_address(each)).version == family]
    return (
        re.escape(origin) if origin else _ANY_SOURCE,
        "host" if instance.peers else "group",
        f"{version}1",
        f"{int(router):02x}",
        f"{len(vips):02x}",
        _timing(instance, version, seconds),
        "".join(sorted(each.packed.hex() for each in vips)),
        _password(instance) if version == 2 else "",
    )


def _timing(instance: Instance, version: int, seconds: float) -> str:
    """Version 2: the kind of authentication, and whole seconds; version 3: hundredths of a second."""
    if version == 3:
        return f"{round(seconds * 100) & 0xFFF:04x}"
    kind = next((number for name, number in _AUTH_TYPES.items() if name in _authentication(instance)), 0)
    return f"{kind:02x}{int(seconds):02x}"


def _password(instance: Instance) -> str:
    found = re.search(r"auth_pass (\S+)", _authentication(instance))
    return found[1].encode()[:8].ljust(8, b"\0").hex() if found else "00" * 8


def _authentication(instance: Instance) -> str:
    return instance.settings.get("authentication", "")


def _without_addresses(fields: Sequence[str]) -> tuple[str, ...]:
    return (*fields[:6], "", fields[7])


def _line(fields: Sequence[str], others: Sequence[str], *, alone: bool) -> str:
    """The line of an advert. What the others have, too, is left open, but for the source: strangers do not count."""
    shown = [each if each != other else any_ for each, other, any_ in zip(fields, others, _ANY, strict=True)]
    origin, target, kind, router, count, timing, addresses, password = (fields[0], *shown[1:])
    router = router if alone else fields[3]
    if addresses != ".*":
        addresses = _in_any_order(addresses)
    return f"{origin} {target} {kind}{router}..{count}{timing}....{addresses}{password}"


def _in_any_order(addresses: str) -> str:
    """Addresses in the order in which the configuration has them, which is not known here any more."""
    width = 8 if len(addresses) % 32 else 32
    parts = [addresses[start : start + width] for start in range(0, len(addresses), width)]
    return "".join(f"(?=(?:.{{{width}}})*{part})" for part in parts) + ".*"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
