"""What `verify --kubeconfig` says."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ApiError
from lbdeploy.operations.kubernetes import ask
from lbdeploy.operations.kubernetes.api_servers import combined
from lbdeploy.operations.kubernetes.comparison import Comparison, compared
from lbdeploy.operations.kubernetes.findings import findings, unknown


def comparison(seed: Cluster, *announced: str) -> Comparison:
    nodes = {f"node{last}": [ip_address(f"192.168.1.{last}")] for last in announced}
    return compared(seed, combined([(own[0], 6443) for own in nodes.values()], nodes, ()))


def test_a_difference_is_a_warning(seed: Cluster) -> None:
    """One for each server, with the command that ends it: clients are served all the same."""
    found = list(findings(comparison(seed, "21", "22", "24"), "lbdeploy servers --write"))
    assert [(each.severity, each.subject, each.fix) for each in found] == [
        ("warning", "k8s-api/master3", "lbdeploy servers --write"),
        ("warning", "k8s-api/node24", "lbdeploy servers --write"),
    ]
    assert "node24 (192.168.1.24:6443) is an API server of the cluster" in found[1].detail


def test_the_command_can_be_copied(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the path of the kubeconfig."""
    monkeypatch.setattr(ask, "compare", lambda *_, **__: comparison(seed, "21", "22"))
    (found,) = ask.membership(seed, Path("my admin.conf"))
    assert found.fix == "lbdeploy servers --kubeconfig 'my admin.conf' --write"


def test_agreement_is_a_finding_too(seed: Cluster) -> None:
    """So that a program can tell that it was looked at."""
    (found,) = findings(comparison(seed, "21", "22", "23"), "")
    assert (found.check, found.severity) == ("members", "ok")


def test_a_cluster_that_does_not_answer() -> None:
    """It is said, with what to do; the load balancer may be well."""
    found = unknown(ApiError("no answer", fix="kubectl get --raw /readyz"))
    assert (found.severity, found.fix) == ("warning", "kubectl get --raw /readyz")
    assert found.detail.endswith("is not known: no answer")
