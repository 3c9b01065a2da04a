"""A check plugin of Nagios, Icinga and others: a line with performance data, details below it, own exit codes.

0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

Source: Nagios Plugins, Development Guidelines (plugin output and return codes). Text must hold no "|", which begins the
performance data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


def exit_code(document: Mapping[str, Any]) -> int:
    """UNKNOWN only where nothing could be checked: a node that does not answer is critical for a load balancer."""
    if "findings" not in document:
        return 3
    severities = {each["severity"] for each in document["findings"]}
    if "error" in severities or document["exit_code"] != 0:
        return 2
    return 1 if "warning" in severities else 0


def text(document: Mapping[str, Any]) -> str:
    """The line with its performance data, and below it the findings that failed."""
    state = STATES[exit_code(document)]
    first = f"LBDEPLOY {state} - {document['cluster']}: {_summary(document)}"
    return "\n".join([f"{_plain(first)} | {' '.join(_performance(document))}", *map(_plain, _details(document))])


def _summary(document: Mapping[str, Any]) -> str:
    if "findings" not in document:
        error = document.get("error", {})
        return f"{error['node']}: {error['message']}" if error.get("node") else f"{error.get('message', 'not checked')}"
    if absent := _undeployed(document):
        return f"not deployed on {', '.join(absent)}"
    bad = _not_ok(document)
    if bad:
        return f"{bad[0]['detail']}" + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else "")
    holders = sorted({name for vip in document["vips"] for name in vip["holders"]})
    return f"VIPs on {' and '.join(holders)}, {_up(document)} of {len(_servers(document))} servers up"


def _undeployed(document: Mapping[str, Any]) -> list[str]:
    """The nodes, where the cluster is on none of them yet."""
    summary = document.get("summary", {})
    return list(summary["not_deployed"]) if summary.get("state") == "not deployed" else []


def _not_ok(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What follows from no other finding: errors before warnings."""
    found = [each for each in document.get("findings", ()) if each["severity"] != "ok" and "because" not in each]
    return sorted(found, key=lambda each: each["severity"] != "error")


def _details(document: Mapping[str, Any]) -> Iterator[str]:
    for each in () if _undeployed(document) else _not_ok(document):
        where = f"{each['node']}: " if each["node"] else ""
        yield f"{each['severity']}: {where}{each['detail']}" + (f" -- {each['fix']}" if each.get("fix") else "")


def _performance(document: Mapping[str, Any]) -> Iterator[str]:
    servers = _servers(document)
    yield f"servers_up={_up(document)};;;0;{len(servers)}"
    yield f"problems={sum(each['severity'] == 'error' for each in document.get('findings', ()))};;0;0"
    yield f"time={document['duration_s']}s"


def _servers(document: Mapping[str, Any]) -> dict[tuple[str, str], bool]:
    """Each server, and whether some node's haproxy sees it up."""
    found: dict[tuple[str, str], bool] = {}
    for each in document.get("servers", ()):
        key = (each["frontend"], each["server"])
        found[key] = found.get(key, False) or each["status"] == "UP"
    return found


def _up(document: Mapping[str, Any]) -> int:
    return sum(_servers(document).values())


def _plain(line: str) -> str:
    return " ".join(line.replace("|", "/").split())
