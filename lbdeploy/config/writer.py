"""From the tables of a new hosts.toml to its text, with comments that say what else can be set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lbdeploy.config.json_schema import FILE_NAME
from lbdeploy.config.schema import SINGLE
from lbdeploy.errors import key_text

HEAD = f"""\
#:schema {FILE_NAME}
# The load balancers of one Kubernetes API. Every key: lbdeploy schema, and docs/hosts-toml.md.
# Check it offline: lbdeploy check. Rehearse it on this machine: lbdeploy lab up.
"""
COMMENTS = {
    ("ssh",): "also: port, identity_file, known_hosts_file, jump; what is not set is as ssh has it",
    ("networks", "interface"): "a node may override it: interfaces = { NETWORK = INTERFACE }",
    ("networks", "vip"): "a string or a list; IPv4 and IPv6",
    ("nodes", "priority"): "the highest is the preferred MASTER",
    ("nodes", "host"): "what SSH connects to",
    ("vrrp", "network"): "VRRP adverts travel here, and SSH connects here",
    ("vrrp", "router_id"): "no other VRRP on this network may have it",
    ("vrrp", "advert_interval"): "seconds; a dead holder is noticed after three",
    ("vrrp", "preempt_delay"): "seconds until a node that returns takes the VIPs back",
    ("frontends", "check"): 'or "https": GET /readyz answers 200',
    ("frontends", "servers"): '"address" or "address:port"',
}
SECTIONS = ("cluster", "ssh", "networks", "nodes", "vrrp", "frontends", "metrics", "haproxy")  # as in the sample file
WIDTH = 28  # the column in which comments begin, if there is room


def text(data: dict[str, Any]) -> str:
    """The file. `data` is as tomllib would read it, of strings, numbers, booleans, lists and tables."""
    return HEAD + "".join(_Tables().of(data))


class _Tables:
    """Writes tables, with each comment at the first occurrence of its key."""

    def __init__(self) -> None:
        self._unsaid = dict(COMMENTS)

    def of(self, data: dict[str, Any]) -> Iterator[str]:
        for section in (each for each in SECTIONS if each in data):
            if section in SINGLE:
                yield self._table((section,), data[section])
            else:
                yield from (self._table((section, name), table) for name, table in data[section].items())

    def _table(self, path: tuple[str, ...], table: dict[str, Any]) -> str:
        """A table after an empty line, and below it the servers, which have a table of their own."""
        lines = [self._line(f"[{key_text(*path)}]", path)]
        lines += [self._pair(path[0], key, value) for key, value in table.items() if key != "servers"]
        if "servers" in table:
            lines.append(self._line(f"[{key_text(*path)}.servers]", (path[0], "servers")))
            lines += [self._pair("servers", *pair) for pair in table["servers"].items()]
        return "\n" + "".join(f"{line}\n" for line in lines)

    def _pair(self, section: str, key: str, value: Any) -> str:
        return self._line(f"{key_text(key)} = {_value(value)}", (section, key))

    def _line(self, line: str, path: tuple[str, ...]) -> str:
        comment = self._unsaid.pop(path, None)
        return f"{line:<{WIDTH - 1}} # {comment}" if comment else line


def _value(value: Any) -> str:
    """A value in TOML. Its basic strings are those of JSON except for DEL, which no key of hosts.toml admits."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key_text(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
