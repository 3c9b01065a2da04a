"""A file of alert rules for Prometheus.

Source: Prometheus documentation, Alerting rules. Texts are written as JSON, which YAML includes, so that nothing in
them can be markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from lbdeploy.cli.report.exports.alerts import Alert, alerts
from lbdeploy.cli.report.exports.selectors import target
from lbdeploy.config.model import Cluster


def text(cluster: Cluster) -> str:
    """The file."""
    rules = [line for alert in alerts(cluster) for line in _rule(cluster, alert)]
    head = ["groups:", f"  - name: {json.dumps(_group(cluster))}", "    rules:"]
    return "\n".join([*_about(cluster), *head, *rules, ""])


def to_json(cluster: Cluster) -> dict[str, object]:
    """The same as data, as Prometheus reads it."""
    return {"groups": [{"name": _group(cluster), "rules": [_data(cluster, alert) for alert in alerts(cluster)]}]}


def _group(cluster: Cluster) -> str:
    return f"lbdeploy-{cluster.name}"


def _data(cluster: Cluster, alert: Alert) -> dict[str, object]:
    labels = {"severity": alert.severity, "cluster": cluster.name}
    annotations = {"summary": alert.summary, "description": alert.description}
    rule = {"alert": alert.name, "expr": alert.expression, "for": alert.wait}
    return {**rule, "labels": labels, "annotations": annotations}


def _rule(cluster: Cluster, alert: Alert) -> Iterator[str]:
    """One rule. Its expression is a block, in which YAML takes no character for its own."""
    yield f"      - alert: {alert.name}"
    yield "        expr: |-"
    yield f"          {alert.expression}"
    yield f"        for: {alert.wait}"
    yield "        labels:"
    yield f"          severity: {alert.severity}"
    yield f"          cluster: {json.dumps(cluster.name)}"
    yield "        annotations:"
    yield f"          summary: {json.dumps(alert.summary)}"
    yield f"          description: {json.dumps(alert.description)}"


def _about(cluster: Cluster) -> Iterator[str]:
    yield f"# Alerts for {cluster.name}, made from hosts.toml by: lbdeploy export prometheus"
    yield "# What is named lbdeploy_* comes from a timer that runs: lbdeploy verify --format prometheus"
    if not cluster.metrics:
        yield "# hosts.toml has no [metrics]: there are no rules on haproxy's own."
        return
    targets = ", ".join(json.dumps(target(node, cluster.metrics)) for node in cluster.nodes)
    yield "# What is named haproxy_* comes from the nodes, by this in prometheus.yml:"
    yield "#   scrape_configs:"
    yield "#     - job_name: haproxy"
    yield "#       static_configs:"
    yield f"#         - targets: [{targets}]"
    if cluster.metrics.vrrp:
        yield "# What is named lbdeploy_vrrp_* comes from the nodes' node exporters, scraped once a minute at least."
