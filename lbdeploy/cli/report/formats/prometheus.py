"""Metrics in Prometheus's text format, for a textfile collector: what `verify` found, and when.

Source: Prometheus documentation, Exposition formats (text-based format): label values escape backslash, quote, newline.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Sample = tuple[Mapping[str, object], float]


def text(document: Mapping[str, Any]) -> str:
    """All metrics; where nothing could be checked, only that the cluster is not known to be healthy, and when."""
    lines: list[str] = []
    for name, about, samples in _metrics(document):
        lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels({'cluster': document['cluster'], **labels})} {value:g}" for labels, value in samples]
    lines += [_checked_at(document)]
    return "\n".join(lines)


def _metrics(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    healthy = "findings" in document and document["exit_code"] == 0
    yield "lbdeploy_healthy", "1 where verify found everything as it should be.", [({}, float(healthy))]
    yield "lbdeploy_vip_holders", "How many nodes hold the VIP: 1 is right.", _holders(document)
    yield "lbdeploy_vip_holder", "1 for the node that holds the VIP.", _holder(document)
    yield "lbdeploy_server_up", "1 where the node's haproxy sees the server up.", _servers(document)
    yield "lbdeploy_package_version", "1 for the version of the package that the node has.", _packages(document)
    yield "lbdeploy_findings", "Findings that are not ok, by node, check and severity.", _findings(document)


def _holders(document: Mapping[str, Any]) -> Iterator[Sample]:
    """None for a VIP that only nodes may hold which could not be looked at: 0 would say that clients reach nothing."""
    for vip in document.get("vips", ()):
        if vip["holders"] or not vip["unknown"]:
            yield {"vip": vip["address"], "network": vip["network"]}, len(vip["holders"])


def _holder(document: Mapping[str, Any]) -> Iterator[Sample]:
    for vip in document.get("vips", ()):
        for node in vip["holders"]:
            yield {"vip": vip["address"], "network": vip["network"], "node": node}, 1


def _servers(document: Mapping[str, Any]) -> Iterator[Sample]:
    for each in document.get("servers", ()):
        labels = {key: each[key] for key in ("node", "frontend", "server")}
        yield labels, float(each["status"] == "UP")


def _packages(document: Mapping[str, Any]) -> Iterator[Sample]:
    for each in document.get("packages", ()):
        yield {"node": each["node"], "package": each["name"], "version": each["version"]}, 1


def _findings(document: Mapping[str, Any]) -> Iterator[Sample]:
    bad = [each for each in document.get("findings", ()) if each["severity"] != "ok"]
    counted = Counter((each["node"] or "", each["check"], each["severity"]) for each in bad)
    for (node, check, severity), count in counted.items():
        yield {"node": node, "check": check, "severity": severity}, count


def _checked_at(document: Mapping[str, Any]) -> str:
    """The one metric whose value is a time, in full: %g would round it to hours."""
    name = "lbdeploy_verify_timestamp_seconds"
    labels = _labels({"cluster": document["cluster"]})
    return f"# HELP {name} When verify ended (Unix time).\n# TYPE {name} gauge\n{name}{labels} {time.time():.0f}"


def _labels(labels: Mapping[str, object]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
