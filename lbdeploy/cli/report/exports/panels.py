"""What the dashboard shows: first whether all is well, then who holds the VIPs, servers, and what clients do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lbdeploy.cli.report.exports.selectors import Selectors
from lbdeploy.config.model import Cluster

GOOD, WARN, BAD = "green", "orange", "red"
Colors = Sequence[tuple[float | None, str]]  # from this value on; None: from the lowest
RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries`: PromQL by legend. `words`: what a value is called; `colors`: from which value on it has which."""

    kind: Literal["stat", "state-timeline", "timeseries", "table"]
    title: str
    about: str
    width: int
    height: int
    queries: Mapping[str, str]
    unit: str = "short"
    colors: Colors = ()
    words: Mapping[int, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def panels(cluster: Cluster) -> list[Panel]:
    """All panels; those of haproxy's own metrics and of keepalived's where hosts.toml has [metrics] for them."""
    of = Selectors(cluster)
    elections = _vrrp(of) if of.vrrp else ()
    servers = [*_servers(of), *_clients(of)] if of.haproxy else [_servers_by_verify(of)]
    return [*_summary(of), *_holders(of), *elections, *_problems(of), *servers]


def _summary(of: Selectors) -> Iterator[Panel]:
    yield _stat(
        "Healthy", "1 where verify found everything as it should be", f"min(lbdeploy_healthy{{{of.verified}}})",
        colors=((None, BAD), (1, GOOD)), words={0: "no", 1: "yes"},
    )  # fmt: skip
    yield _stat(
        "Holders of the VIPs", "How many nodes hold the VIP that most, or fewest, hold: 1 is right",
        f"max(lbdeploy_vip_holders{{{of.verified}}})", f"min(lbdeploy_vip_holders{{{of.verified}}})",
        colors=((None, BAD), (1, GOOD), (2, BAD)),
    )  # fmt: skip
    yield _stat(
        "Problems", "What verify found wrong: errors", f"sum(lbdeploy_findings{{{_errors(of)}}}) or vector(0)",
        colors=((None, GOOD), (1, BAD)),
    )  # fmt: skip
    yield _stat(
        "Last verify", "The age of what the panels with lbdeploy's metrics show",
        f"time() - max(lbdeploy_verify_timestamp_seconds{{{of.verified}}})",
        unit="s", colors=((None, GOOD), (120, WARN), (300, BAD)),
    )  # fmt: skip


def _stat(title: str, about: str, *queries: str, unit: str = "short", colors: Colors, **more: Any) -> Panel:
    named = dict(zip(("most", "fewest") if len(queries) > 1 else (title,), queries, strict=True))
    return Panel("stat", title, about, 6, 4, named, unit, colors, **more)


def _errors(of: Selectors) -> str:
    return f'{of.verified},severity="error"'


def _holders(of: Selectors) -> Iterator[Panel]:
    yield Panel(
        "state-timeline", "Who holds which VIP", "From `ip a` of each node", 24, 6,
        {"{{vip}} on {{node}}": f"sum by (vip, node) (lbdeploy_vip_holder{{{of.verified}}})"},
        colors=((None, "text"), (1, GOOD)), words={1: "holds it"}, options={"mergeValues": True, "showValue": "never"},
    )  # fmt: skip


def _vrrp(of: Selectors) -> Iterator[Panel]:
    by = "by (vrrp_instance, node)"
    master, backup = (f'max {by} (lbdeploy_vrrp_state{{{of.vrrp},state="{each}"}})' for each in ("MASTER", "BACKUP"))
    yield Panel(
        "state-timeline", "VRRP", "The state of keepalived, as it says itself on each node", 14, 6,
        {"{{vrrp_instance}} on {{node}}": f"2 * {master} + {backup}"},
        colors=((None, BAD), (1, "blue"), (2, GOOD)), words={0: "FAULT", 1: "BACKUP", 2: "MASTER"},
        options={"mergeValues": True, "showValue": "auto"},
    )  # fmt: skip
    yield Panel(
        "timeseries", "Changes of state", "Of VRRP: one on each node where the VIPs move", 10, 6,
        {"{{vrrp_instance}} on {{node}}": f"max {by} (increase(lbdeploy_vrrp_transitions_total{{{of.vrrp}}}{RATE}))"},
    )  # fmt: skip


def _problems(of: Selectors) -> Iterator[Panel]:
    yield Panel(
        "table", "What verify finds now", "With what to do: lbdeploy verify", 14, 7,
        {"": f"sum by (node, check, severity) (lbdeploy_findings{{{of.verified}}})"},
    )  # fmt: skip
    yield Panel(
        "table", "Versions", "Of the packages on each node", 10, 7,
        {"": f"max by (package, version, node) (lbdeploy_package_version{{{of.verified}}})"},
    )  # fmt: skip


def _servers_by_verify(of: Selectors) -> Panel:
    return Panel(
        "state-timeline", "Servers", "As each node's haproxy sees them", 24, 8,
        {"{{frontend}}/{{server}} at {{node}}": f"lbdeploy_server_up{{{of.verified}}}"},
        colors=((None, BAD), (1, GOOD)), words={0: "down", 1: "up"}, options={"mergeValues": True, "showValue": "auto"},
    )  # fmt: skip


def _servers(of: Selectors) -> Iterator[Panel]:
    up = f'haproxy_server_status{{{of.frontends},state="UP"}} or haproxy_server_status{{{of.frontends},state=""}}'
    yield Panel(
        "state-timeline", "Servers", "As each node's haproxy sees them", 24, 8,
        {"{{proxy}}/{{server}} at {{instance}}": up},
        colors=((None, BAD), (1, GOOD), (2, WARN)), words={0: "not up", 1: "up", 2: "maintenance", 3: "draining"},
        options={"mergeValues": True, "showValue": "never"},
    )  # fmt: skip
    yield _series(
        "Checks that failed", "Each may be followed by a server that is down", "{{server}} at {{instance}}",
        f"rate(haproxy_server_check_failures_total{{{of.frontends}}}{RATE})", "cps",
    )  # fmt: skip
    yield _series(
        "Connections that servers refused", "haproxy went on to the next server, or gave up",
        "{{proxy}} at {{instance}}", f"rate(haproxy_backend_connection_errors_total{{{of.frontends}}}{RATE})", "cps",
    )  # fmt: skip


def _clients(of: Selectors) -> Iterator[Panel]:
    legend = "{{proxy}} at {{instance}}"
    yield _series(
        "Open connections", "Those of a node that holds no VIP are what it had before", legend,
        f"haproxy_frontend_current_sessions{{{of.frontends}}}", "short",
    )  # fmt: skip
    yield _series(
        "New connections", "From clients", legend, f"rate(haproxy_frontend_sessions_total{{{of.frontends}}}{RATE})",
        "cps",
    )  # fmt: skip
    yield _series(
        "From clients", "Bytes", legend, f"rate(haproxy_frontend_bytes_in_total{{{of.frontends}}}{RATE})", "Bps"
    )
    yield _series(
        "To clients", "Bytes", legend, f"rate(haproxy_frontend_bytes_out_total{{{of.frontends}}}{RATE})", "Bps"
    )


def _series(title: str, about: str, legend: str, query: str, unit: str) -> Panel:
    return Panel("timeseries", title, about, 12, 8, {legend: query}, unit)
