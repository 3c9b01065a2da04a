"""Which series are those of a cluster, in PromQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lbdeploy.config.model import Cluster, Metrics, Node


@dataclass(frozen=True, slots=True)
class Selectors:
    """Label matchers for a cluster's series."""

    cluster: Cluster

    @property
    def verified(self) -> str:
        """Of what `verify --format prometheus` prints."""
        return f"cluster={json.dumps(self.cluster.name)}"

    @property
    def vrrp(self) -> str:
        """Of what each node's keepalived writes for the node exporter; "" where hosts.toml does not ask for it."""
        return self.verified if self.cluster.metrics and self.cluster.metrics.vrrp else ""

    @property
    def haproxy(self) -> str:
        """Of the scrapes of all nodes' haproxy; "" where hosts.toml has no [metrics]."""
        return f"instance=~{one_of(self.instances)}" if self.instances else ""

    @property
    def frontends(self) -> str:
        """Of haproxy's frontends and backends that hosts.toml names, without lbdeploy's own."""
        return f"{self.haproxy},proxy=~{one_of(each.name for each in self.cluster.frontends)}"

    @property
    def instances(self) -> list[str]:
        """What Prometheus scrapes, by the addresses of the targets: each node's haproxy."""
        metrics = self.cluster.metrics
        return [target(node, metrics) for node in self.cluster.nodes] if metrics else []


def target(node: Node, metrics: Metrics) -> str:
    """Where a node's haproxy is scraped; Prometheus writes IPv6 in brackets, too."""
    address = node.addresses[metrics.network]
    return f"[{address}]:{metrics.port}" if address.version == 6 else f"{address}:{metrics.port}"


def one_of(values: Iterable[str]) -> str:
    """A pattern for these values, quoted so that PromQL takes no backslash for its own (RE2, anchored at both ends)."""
    return "`" + "|".join(re.sub(r"([.\[\]])", r"\\\1", value) for value in values) + "`"
