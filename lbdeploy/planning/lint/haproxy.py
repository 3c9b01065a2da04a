"""Rules for haproxy.cfg."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lbdeploy.config.model import STATUS, Cluster, Node, frontend_socket
from lbdeploy.node.paths import HAPROXY_SOCKET
from lbdeploy.planning.lint import sections
from lbdeploy.planning.lint.text import Complaint, plain


def _no_socket(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    text = plain(content)
    socket = rf"^\s*stats\s+socket\s+{re.escape(HAPROXY_SOCKET)}\s.*\blevel\s+admin\b"
    if not text.strip():
        return
    if not re.search(socket, text, re.MULTILINE):
        message = f"has no stats socket {HAPROXY_SOCKET} of level admin: nobody could say whether servers are up"
        yield "error", None, message, "take the line stats socket over from the built-in template"
    bound = set(re.findall(r"^\s*bind\s+unix@(\S+)\s", text, re.MULTILINE))
    for frontend in cluster.frontends:
        path = frontend_socket(frontend.name)
        if path not in bound:
            message = f"frontend {frontend.name} is not bound to {path}: nobody could ask a standby whether it serves"
            yield "warning", None, message, "take the line bind unix@ over from the built-in template"


def _sections(content: str) -> Iterator[tuple[str, str, int]]:
    """Each section that has a name: (keyword, name, line)."""
    for number, line in enumerate(plain(content).splitlines(), 1):
        if found := re.match(r"(frontend|backend|listen)\s+(\S+)", line.strip()):
            yield found[1], found[2], number


def _one_name(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    sections = list(_sections(content))
    frontends = {name for kind, name, _ in sections if kind == "frontend"}
    for kind, name, line in sections:
        if kind == "backend" and name in frontends:
            message = f"frontend and backend {name} have one name: haproxy 3.2 warns of it, and is refused then"
            yield "warning", line, message, f"make them one section: listen {name}"


def _no_servers(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    found = {name for kind, name, _ in _sections(content) if kind != "frontend"}
    for name in [frontend.name for frontend in cluster.frontends] if content.strip() else ():
        if name not in found:
            message = f"no section listen {name} or backend {name}: nobody could say whether its servers are up"
            yield "error", None, message, f"give the servers a section: listen {name}"


def _tcplog_in_backend(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    section = ""
    for number, line in enumerate(content.splitlines(), 1):
        if words := line.split():
            section = words[0] if not line[0].isspace() else section
            if section == "backend" and words[:2] == ["option", "tcplog"]:
                yield (
                    "warning",
                    number,
                    "option tcplog has no effect in a backend",
                    "put it into defaults or the frontend",
                )


def _no_status(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    if content.strip() and ("frontend", STATUS) not in {(kind, name) for kind, name, _ in _sections(content)}:
        message = f"has no frontend {STATUS}: no other node would give it the VIPs, whatever servers it reaches"
        yield "warning", None, message, f"take the frontend {STATUS} over from the built-in template"


RULES = (_tcplog_in_backend, _one_name, _no_servers, _no_socket, _no_status, *sections.RULES)
