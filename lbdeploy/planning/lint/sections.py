"""Rules for the operator's own sections of haproxy.cfg, beside lbdeploy's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from lbdeploy.common.config_words import haproxy_arguments
from lbdeploy.config.model import Cluster, Node
from lbdeploy.node import haproxy_conf
from lbdeploy.node.haproxy_conf import EVERYWHERE, HEADS, Bind
from lbdeploy.planning import own_sections
from lbdeploy.planning.lint.text import Complaint

_MAY_REPEAT = ("log", "setenv", "presetenv", "lua-load", "stats", "description", "node")
_SHOWN = 8  # ports of a range


def _shared_ports(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    """haproxy gives a connection to the section with the very address, before one that listens on all."""
    conf, own = own_sections.parts(cluster, content)
    ours = own_sections.binds(cluster, node, conf)
    for path, text in own.items():
        for each in haproxy_conf.listeners(text):
            there = [one for one in ours if _is_hidden(one, each)]
            if there:
                line = own_sections.line_of(text, each)
                others = ", ".join(f"{one.section} at {one.address}" for one in there)
                message = f"{path}:{line}: {each.section} listens on {each.address}:{each.port}, as does {others}"
                yield "warning", None, message, "bind it to addresses of its own, or to another port"


def _is_hidden(ours: Bind, own: Bind) -> bool:
    """Whether one of these takes connections from the other; at one address, both are refused already."""
    return ours.address != own.address and EVERYWHERE in (ours.address, own.address) and ours.meets(own.port)


def _closed_ports(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    if cluster.firewall == "none":
        return
    opened = {each.port for each in cluster.frontends} | set(cluster.firewall_allow)
    for path, text in own_sections.parts(cluster, content)[1].items():
        for each in haproxy_conf.listeners(text):
            closed = [port for port in each.ports if port not in opened]
            if closed and not _is_loopback(each.address):
                where = "there" if len(closed) == len(each.ports) else f"at {_listed(closed)}"
                message = f"{path}: {each.section} listens on port {each.port}, and the firewall lets nobody in {where}"
                yield "warning", None, message, f"add {_listed(closed)} to firewall_allow in [cluster]"


def _listed(ports: Sequence[int]) -> str:
    """Ports as text; of many, the first ones."""
    return ", ".join(map(str, ports[:_SHOWN])) + (" and so on" if len(ports) > _SHOWN else "")


def _is_loopback(address: str) -> bool:
    try:
        return address != EVERYWHERE and ip_address(address).is_loopback
    except ValueError:
        return False


def _repeated_globals(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    conf, own = own_sections.parts(cluster, content)
    ours = set(_globals(conf)) if own else set()
    for path, text in own.items():
        for keyword in sorted(ours.intersection(_globals(text)) - set(_MAY_REPEAT)):
            message = f"{path}: its section global sets {keyword}, which lbdeploy's does, too: the last one counts"
            yield "warning", None, message, f"leave {keyword} out"


def _globals(text: str) -> Iterator[str]:
    section = ""
    for words in filter(None, (haproxy_arguments(line, {}) for line in text.splitlines())):
        if words[0] in HEADS:
            section = words[0]
        elif section == "global":
            yield words[0]


RULES = (_shared_ports, _closed_ports, _repeated_globals)
