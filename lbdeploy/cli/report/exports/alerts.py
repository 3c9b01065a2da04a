"""The alerts of a cluster: what to look for, how long to wait, and what to tell whoever is woken up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lbdeploy.cli.report.exports.selectors import Selectors
from lbdeploy.common.debian import DAEMONS
from lbdeploy.config.model import Cluster

DRIFT = "packages|file|sysctl"  # checks of verify that say that a node is not as hosts.toml wants it
MOVED_WITHIN = "15m"
STALE_SECONDS = 300
SILENT = "3m"  # keepalived writes every 15 s; a scrape a minute sees that it still does. By no node's clock
FLAPPING = 5  # changes of state of one node in an hour: more than a handover and back, twice
WRITTEN = "lbdeploy_vrrp_timestamp_seconds"
MOVED = "A handover, a change or a failure; open connections were cut. Who, when and why: lbdeploy history"
TLS_FAILED = 11  # HCHK_STATUS_L6RSP, of haproxy 2.2, whose exporter has no names for states yet


@dataclass(frozen=True, slots=True)
class Alert:
    """`wait` is Prometheus's `for`; summary and description are templates of Prometheus."""

    name: str
    expression: str
    wait: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    description: str


def alerts(cluster: Cluster) -> list[Alert]:
    """All alerts; those on haproxy's own metrics and on keepalived's where hosts.toml has [metrics] for them."""
    of = Selectors(cluster)
    moves = _seen_by_keepalived(cluster, of) if of.vrrp else [_moved_by_verify(of)]
    servers = _seen_by_haproxy(cluster, of) if of.haproxy else [_no_server_by_verify(of)]
    return [*_seen_by_verify(of), *moves, *servers]


def _seen_by_verify(of: Selectors) -> Iterator[Alert]:
    yield Alert(
        "LbdeployVipHolders", f"lbdeploy_vip_holders{{{of.verified}}} != 1", "2m", "critical",
        "{{ $labels.vip }} is on {{ $value }} nodes instead of one",
        "On none, clients reach nothing; on two, some reach the wrong node. What is wrong and what to do: "
        "lbdeploy verify",
    )  # fmt: skip
    yield Alert(
        "LbdeployProblem",
        f'sum by (cluster, node, check) (lbdeploy_findings{{{of.verified},severity="error",check!~"{DRIFT}"}}) > 0',
        "5m", "warning",
        "verify finds {{ $labels.check }} wrong on {{ or $labels.node \"the cluster\" }}",
        "What it is, what follows from it and what to do: lbdeploy verify",
    )  # fmt: skip
    yield Alert(
        "LbdeployDrift",
        f'sum by (cluster, node, check) (lbdeploy_findings{{{of.verified},check=~"{DRIFT}"}}) > 0',
        "15m", "warning",
        "{{ $labels.node }} is not as hosts.toml says: {{ $labels.check }}",
        "Somebody changed it there, or hosts.toml was changed and not applied. The difference: lbdeploy plan",
    )  # fmt: skip
    yield from _about_versions(of)
    yield from _about_verify(of)


def _moved_by_verify(of: Selectors) -> Alert:
    return Alert(
        "LbdeployVipMoved",
        f"count by (cluster, vip) (count by (cluster, vip, node) "
        f"(count_over_time(lbdeploy_vip_holder{{{of.verified}}}[{MOVED_WITHIN}]))) > 1",
        "0m", "info",
        f"{{{{ $labels.vip }}}} has moved within the last {MOVED_WITHIN}",
        MOVED,
    )  # fmt: skip


def _seen_by_keepalived(cluster: Cluster, of: Selectors) -> Iterator[Alert]:
    yield _masters(cluster, of)
    yield Alert(
        "LbdeployVipMoved",
        f"{_state(of, 'MASTER')} == 1 and on (cluster, node, vrrp_instance) {_changes(of, MOVED_WITHIN)} > 0",
        "0m", "info",
        f"the VIPs of {{{{ $labels.vrrp_instance }}}} have moved to {{{{ $labels.node }}}} "
        f"within the last {MOVED_WITHIN}",
        MOVED,
    )  # fmt: skip
    yield Alert(
        "LbdeployVrrpFlapping", f"{_changes(of, '1h')} > {FLAPPING}", "0m", "warning",
        "the VIPs of {{ $labels.vrrp_instance }} come and go on {{ $labels.node }}",
        "Each move cuts open connections. Why: lbdeploy history. To keep them on the other node meanwhile: "
        "lbdeploy handover --to NODE",
    )  # fmt: skip
    yield Alert(
        "LbdeployVrrpFault", f"{_state(of, 'FAULT')} == 1", "2m", "warning",
        "keepalived on {{ $labels.node }} is in FAULT: it can't take the VIPs of {{ $labels.vrrp_instance }}",
        "An interface is down, or haproxy does not serve there. Which: lbdeploy verify",
    )  # fmt: skip
    yield _silent(cluster, of)


def _masters(cluster: Cluster, of: Selectors) -> Alert:
    """None is told only where all nodes have spoken: the one that has not may be the MASTER."""
    each = _state(of, "MASTER")
    masters, nodes = (f"{count} by (cluster, vrrp_instance) {each}" for count in ("sum", "count"))
    return Alert(
        "LbdeployVrrpMasters", f"{masters} > 1 or ({masters} == 0 and {nodes} == {len(cluster.nodes)})", "1m",
        "critical",
        "{{ $value }} nodes are MASTER of {{ $labels.vrrp_instance }} instead of one",
        "As keepalived on each says. With none, clients reach nothing; with two, some reach the wrong node. "
        "What is wrong and what to do: lbdeploy verify",
    )  # fmt: skip


def _silent(cluster: Cluster, of: Selectors) -> Alert:
    names = (json.dumps(node.name) for node in cluster.nodes)
    absent = " or ".join(f"absent({WRITTEN}{{{of.vrrp},node={name}}})" for name in names)
    return Alert(
        "LbdeployVrrpSilent", f"{_written(of)} == 0 or {absent}", "2m", "warning",
        "keepalived on {{ $labels.node }} does not say how it is",
        "It is stopped, the node is down, or its node exporter does not give Prometheus what is in lbdeploy-vrrp.prom. "
        "The first two: lbdeploy verify",
    )  # fmt: skip


def _state(of: Selectors, state: str) -> str:
    """1 for each node and instance in this state, 0 for others; of nodes whose keepalived still writes."""
    each = f'max by (cluster, node, vrrp_instance) (lbdeploy_vrrp_state{{{of.vrrp},state="{state}"}})'
    return f"({each} and on (cluster, node) {_written(of)} > 0)"


def _written(of: Selectors) -> str:
    return f"max by (cluster, node) (changes({WRITTEN}{{{of.vrrp}}}[{SILENT}]))"


def _changes(of: Selectors, within: str) -> str:
    found = f"increase(lbdeploy_vrrp_transitions_total{{{of.vrrp}}}[{within}])"
    return f"max by (cluster, node, vrrp_instance) ({found})"


def _about_versions(of: Selectors) -> Iterator[Alert]:
    daemons = "|".join(DAEMONS)
    yield Alert(
        "LbdeployVersionsDiffer",
        f"count by (cluster, package) (count by (cluster, package, version) "
        f'(lbdeploy_package_version{{{of.verified},package=~"{daemons}"}})) > 1',
        "1h", "warning",
        "the nodes have different versions of {{ $labels.package }}",
        "The standby may behave otherwise when it takes over. Bring all to one version: lbdeploy up --upgrade",
    )  # fmt: skip


def _about_verify(of: Selectors) -> Iterator[Alert]:
    """A node that was looked at has versions, also where the VIPs may be on others, and nobody knows their holders."""
    yield Alert(
        "LbdeployNothingChecked",
        f"lbdeploy_healthy{{{of.verified}}} == 0 unless on (cluster) "
        f"(lbdeploy_vip_holders{{{of.verified}}} or lbdeploy_package_version{{{of.verified}}})",
        "3m", "critical",
        "no node of {{ $labels.cluster }} could be looked at",
        "Whether clients are served is not known. Which node says what: lbdeploy verify",
    )  # fmt: skip
    age = f"time() - lbdeploy_verify_timestamp_seconds{{{of.verified}}} > {STALE_SECONDS}"
    yield Alert(
        "LbdeployVerifyStale",
        f"{age} or absent(lbdeploy_verify_timestamp_seconds{{{of.verified}}})",
        "2m", "warning",
        f"verify has not been run for {STALE_SECONDS // 60} minutes, so that other alerts may be missing",
        "On the machine with the timer: systemctl status lbdeploy-verify.timer lbdeploy-verify.service",
    )  # fmt: skip


def _no_server_by_verify(of: Selectors) -> Alert:
    return Alert(
        "LbdeployNoServer",
        f"sum by (cluster, node, frontend) (lbdeploy_server_up{{{of.verified}}}) == 0",
        "1m", "critical",
        "{{ $labels.node }} has no server for {{ $labels.frontend }}",
        "Clients of this node's VIPs are refused. What each check says: lbdeploy status",
    )  # fmt: skip


def _seen_by_haproxy(cluster: Cluster, of: Selectors) -> Iterator[Alert]:
    usable = " + ".join(f"haproxy_backend_{kind}_servers{{{of.frontends}}}" for kind in ("active", "backup"))
    yield Alert(
        "LbdeployNoServer", f"{usable} == 0", "30s", "critical",
        "haproxy at {{ $labels.instance }} has no server for {{ $labels.proxy }}",
        "Clients of this node's VIPs are refused. What each check says: lbdeploy status",
    )  # fmt: skip
    down, old = f'haproxy_server_status{{{of.frontends},state="DOWN"}} == 1', f'{{{of.frontends},state=""}}'
    yield Alert(
        "LbdeployServerDown", f"{down} or haproxy_server_status{old} == 0", "5m", "warning",
        "{{ $labels.server }} of {{ $labels.proxy }} is down, as haproxy at {{ $labels.instance }} sees it",
        "New connections go to the others. What its check says: lbdeploy status",
    )  # fmt: skip
    if any(frontend.check == "https" for frontend in cluster.frontends):
        yield _certificate(of, old)
    missing = " or ".join(f'absent(up{{instance="{each}"}})' for each in of.instances)
    yield Alert(
        "LbdeployHaproxyNotScraped", f"up{{{of.haproxy}}} == 0 or {missing}", "2m", "warning",
        "haproxy at {{ $labels.instance }} does not give Prometheus its metrics",
        "It may not serve clients either: lbdeploy verify. Or Prometheus does not scrape it: see the head of this file",
    )  # fmt: skip


def _certificate(of: Selectors, old: str) -> Alert:
    refused = f'haproxy_server_check_status{{{of.frontends},state="L6RSP"}} == 1'
    return Alert(
        "LbdeployCertificate", f"{refused} or haproxy_server_check_status{old} == {TLS_FAILED}", "2m", "warning",
        "{{ $labels.server }} of {{ $labels.proxy }} fails its check's TLS handshake at {{ $labels.instance }}",
        "Its certificate has expired, lacks the name or is not of the authority in check_ca_file, or it speaks no TLS. "
        "What is wrong with it: openssl s_client -connect to the server's address, from a node",
    )  # fmt: skip
