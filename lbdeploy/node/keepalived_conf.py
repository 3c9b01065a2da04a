"""Reading any keepalived.conf, lbdeploy's or not, as far as VRRP goes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_interface

from lbdeploy.node.vrrp_priority import HANDOVER, OF_GROUP, effective

_PART = re.compile(r'"[^"]*"?|[{}]|[^\s{}"][^\s{}]*')  # between quotes, keepalived sees no braces
_MEANT = re.compile(r'(?:[^"#!]|"[^"]*(?:"|$))*')
_DEFINITION = re.compile(r"\s*\$\{?(\w+)\}?\s*=\s*(.*)")
_USE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LONGEST = 200  # characters of a definition that is put where it is used: a file may use one any number of times
_UNREAD = re.compile(r"^\s*(?:include\w*\s|@)|\$[\w{]|~(?:SEQ|LST)\(")
_ADDRESS = re.compile(r"^[0-9a-fA-F.:]+(/\d+)?$")
DEEPEST = 20  # the deepest nesting of blocks that is read; keepalived itself has no more than five
# RFC 5798, 7.1: an advert that differs in these is dropped; and one whose TTL is not what min_ttl asks for.
_AGREED = ("advert_int", "version", "authentication", "unicast_ttl")
_HEARD = ("virtual_router_id", "unicast_src_ip", "mcast_src_ip", "VIPs", *_AGREED)


@dataclass(frozen=True, slots=True)
class Instance:
    """A vrrp_instance: its `settings` by keyword, `vips` with the interface that each is on, and the `peers`.

    All addresses are as `ipaddress` writes them, however the file does; VIPs have their prefix length.
    `priority_offset` is what the files for handovers add to its priority; `hands_over`: it tracks that of the node, and
    `own_handover`: it also tracks that of a group.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    vips: Mapping[str, str] = field(default_factory=dict)
    peers: frozenset[str] = frozenset()
    hands_over: bool = False
    priority_offset: int = 0
    own_handover: bool = False

    @property
    def priority(self) -> int:
        """The effective one, from 1 to 254; keepalived's default is 100."""
        text = self.settings.get("priority", "100")
        return effective(int(text) if re.fullmatch(r"[0-9]{1,3}", text) else 100, self.priority_offset)

    @property
    def identity(self) -> tuple[str, ...]:
        """What peers know an instance by: virtual router ID and address. With others, they would not recognise it.

        Unicast or multicast is part of it, since nodes that differ in that don't hear each other.
        """
        group = f"multicast from {self.settings['mcast_src_ip']}" if "mcast_src_ip" in self.settings else ""
        return self.settings.get("virtual_router_id", ""), self.settings.get("unicast_src_ip", group)

    @property
    def agreed(self) -> frozenset[str]:
        """What peers compare in each advert; they drop one that differs."""
        settings = {f"{key} {self.settings[key]}" for key in _AGREED if key in self.settings}
        return frozenset(settings | {address.partition("/")[0] for address in self.vips})

    def unlike(self, other: Instance) -> list[str]:
        """The settings that differ, leaving aside who the peers are; "vips" for any difference in the VIPs."""
        keys = {*self.settings, *other.settings}
        differing = sorted(key for key in keys if self.settings.get(key) != other.settings.get(key))
        return differing + (["vips"] if self.vips != other.vips else [])

    def apart(self, other: Instance) -> list[str]:
        """In which of the settings that peers must agree on it differs from the other one, in words; no password."""
        mine, others = ({**each.settings, "VIPs": _plain_vips(each)} for each in (self, other))
        return [
            f"another {key}"
            if key == "authentication"
            else f"{key} {mine.get(key, 'none')} instead of {others.get(key, 'none')}"
            for key in _HEARD
            if mine.get(key) != others.get(key)
        ]

    @property
    def places(self) -> tuple[str, frozenset[tuple[str, str]]]:
        """The interface of VRRP, and of each VIP."""
        return self.settings.get("interface", ""), frozenset(self.vips.items())


def _plain_vips(instance: Instance) -> str:
    return " and ".join(sorted({address.partition("/")[0] for address in instance.vips}))


UNKNOWN = Instance({"virtual_router_id": "unknown"})  # one of which nothing is known: like no other that there may be


def read(conf: str, priority_offset: int = 0) -> Instance | None:
    """The first instance of a keepalived.conf, or None. No text makes it raise."""
    return next((_instance(conf, name, priority_offset) for name in names(conf)), None)


def find(conf: str, router_id: int, name: str, priority_offset: int = 0) -> Instance | None:
    """The instance with that virtual router ID, or else of that name, or None. No text makes it raise.

    A keepalived that is reloaded goes on with the one that has the ID, whatever its name becomes.
    """
    known = {each: _instance(conf, each, priority_offset) for each in names(conf)}
    by_id = (each for each in known.values() if each.settings.get("virtual_router_id") == str(router_id))
    return next(by_id, known.get(name))


def read_all(conf: str) -> list[Instance]:
    """Every instance, in their order. No text makes it raise."""
    return [_instance(conf, name, 0) for name in names(conf)]


def routers(conf: str) -> dict[str, str]:
    """The virtual router ID of the instance that moves each VIP, by the VIP without prefix length."""
    return {
        address.partition("/")[0]: each.settings.get("virtual_router_id", "")
        for each in read_all(conf)
        for address in each.vips
    }


def names(conf: str) -> list[str]:
    """The names of the instances, in their order."""
    heads = (path[0].partition(" ") for path, _ in _lines(conf) if path)
    return list(dict.fromkeys(name for kind, _, name in heads if kind == "vrrp_instance"))


def _instance(conf: str, name: str, priority_offset: int) -> Instance:
    lines = _lines(conf)
    version = next((words[-1] for _, words in lines if words[0] == "vrrp_version"), "2")
    own = [(path[1:], words) for path, words in lines if path[:1] == (f"vrrp_instance {name}",)]
    settings = {words[0]: _setting(words) for path, words in own if not path}
    files = {
        path[0].partition(" ")[2]: words[1] for path, words in lines if path and words[:1] == ["file"] and words[1:]
    }
    tracked_files = [files.get(words[0], "") for path, words in own if path == ("track_file",)]
    secret = ", ".join(" ".join(words) for path, words in own if path == ("authentication",))
    return Instance(
        {"version": version, "authentication": secret} | settings,
        {_vip(words[0]): _device(words, settings) for path, words in own if _is_vip(path, words)},
        frozenset(_canonical(words[0]) for path, words in own if path == ("unicast_peer",)),
        HANDOVER in tracked_files,
        priority_offset,
        any(file.startswith(OF_GROUP) for file in tracked_files),
    )


def all_vips(conf: str) -> frozenset[str]:
    """The VIPs of all instances, without prefix length."""
    inside = ((path[1:], words) for path, words in _lines(conf) if path and path[0].startswith("vrrp_instance "))
    return frozenset(_vip(words[0]).partition("/")[0] for path, words in inside if _is_vip(path, words))


@lru_cache(maxsize=1024)
def _vip(text: str) -> str:
    """A VIP with its prefix length: without one, keepalived takes it for a single address."""
    with suppress(ValueError):
        return str(ip_interface(text))
    return text


def _canonical(address: str) -> str:
    """An address of IPv6 may be written in several ways, and all that is told here is compared as text."""
    with suppress(ValueError):
        return str(ip_address(address))
    return address


def _setting(words: Sequence[str]) -> str:
    value = " ".join(words[1:])
    return _canonical(value) if words[0] in ("unicast_src_ip", "mcast_src_ip") else value


@lru_cache(maxsize=16)
def unread(conf: str) -> tuple[str, ...]:
    """The lines that mean more than is told here: they include files, or count on some nodes, or are generated."""
    return tuple(line.strip() for line in _plain(conf).splitlines() if _UNREAD.search(re.sub(r'"[^"]*"?', "", line)))


def defined(conf: str, *kinds: str) -> frozenset[str]:
    """The names of the blocks of these kinds, such as vrrp_script, outside of others."""
    heads = {path[0].partition(" ") for path, _ in _lines(conf) if path}
    return frozenset(name for kind, _, name in heads if kind in kinds)


def tracked(conf: str, kind: str) -> frozenset[str]:
    """What the instances and sync groups track by track_script or track_file."""
    return frozenset(words[0] for path, words in _lines(conf) if path[1:] == (kind,))


def _is_vip(path: tuple[str, ...], words: list[str]) -> bool:
    return path in (("virtual_ipaddress",), ("virtual_ipaddress_excluded",)) and bool(_ADDRESS.match(words[0]))


def _device(words: list[str], settings: Mapping[str, str]) -> str:
    """The word after "dev"; without one, a VIP is on VRRP's own interface."""
    after = words[words.index("dev") + 1 :] if "dev" in words else []
    return after[0] if after else settings.get("interface", "")


@lru_cache(maxsize=16)  # most that is asked of a file is asked right after each other
def _lines(conf: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """The lines that don't begin or end a block, each with the blocks around it."""
    return list(_read_lines(conf))


def _read_lines(conf: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    path: list[str] = []
    for line in _plain(conf).splitlines():
        words: list[str] = []
        for part in _PART.findall(line):
            if part == "{":
                if len(path) == DEEPEST:  # keepalived has no blocks as deep as this
                    return
                path.append(" ".join(words))
                words = []
            elif part == "}":
                yield from _told(path, words)
                words = []
                del path[-1:]
            else:
                words.append(part.strip('"'))
        yield from _told(path, words)


def _told(path: list[str], words: list[str]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    if words:
        yield tuple(path), words


def _plain(conf: str) -> str:
    """The text without comments and definitions, and with each opening brace on the line of its block's name."""
    return re.sub(r"(?<!\s)\s+\{", " {", "\n".join(_defined(conf)))


def _defined(conf: str) -> Iterator[str]:
    """The lines with what was defined before in the place of its name; a definition of several lines is left."""
    known: dict[str, str] = {}
    for line in map(_meant, conf.splitlines()):
        definition = _DEFINITION.fullmatch(line)
        text = _USE.sub(lambda use: known.get(use[1] or use[2], use[0]), definition[2] if definition else line)
        if not definition:
            yield text
        elif len(text) > _LONGEST or text.endswith("\\"):
            known.pop(definition[1], None)
            yield line
        else:
            known[definition[1]] = text.strip()


def _meant(line: str) -> str:
    """The line without a comment, which begins with # or !, except between double quotes."""
    found = _MEANT.match(line)
    return found[0] if found else ""
