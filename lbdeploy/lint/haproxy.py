"""What goes wrong with a haproxy.cfg."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lbdeploy.desired import HAPROXY_SOCKET
from lbdeploy.lint.text import Complaint, plain
from lbdeploy.model import Cluster, Node
from lbdeploy.probe import frontend_socket


def _no_socket(cluster: Cluster, node: Node, content: str) -> Iterator[Complaint]:
    text = plain(content)
    socket = rf"^\s*stats\s+socket\s+{re.escape(HAPROXY_SOCKET)}\s.*\blevel\s+admin\b"
    if not text.strip():
        return
    if not re.search(socket, text, re.MULTILINE):
        message = f"has no stats socket {HAPROXY_SOCKET} of level admin: nobody could say whether servers are up"
        yield "error", None, message, "take the line stats socket over from the built-in template"
    for frontend in cluster.frontends:
        path = frontend_socket(frontend.name)
        if not re.search(rf"^\s*bind\s+unix@{re.escape(path)}\s", text, re.MULTILINE):
            message = f"frontend {frontend.name} is not bound to {path}: nobody could ask a standby whether it serves"
            yield "warning", None, message, "take the line bind unix@ over from the built-in template"


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


RULES = (_tcplog_in_backend, _no_socket)
