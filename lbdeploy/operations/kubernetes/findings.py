"""What `verify --kubeconfig` finds: hosts.toml has other servers than the cluster names. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.errors import LbdeployError
from lbdeploy.health.finding import Finding
from lbdeploy.operations.kubernetes.comparison import ComparedServer, Comparison

CHECK = "members"
WORDS = {
    "missing": "{server} ({at}) is an API server of the cluster, and hosts.toml does not have it",
    "gone": "hosts.toml has {server} ({at}), of which the cluster's control plane has no node",
}


def findings(comparison: Comparison, fix: str) -> Iterator[Finding]:
    """A warning for each server of which hosts.toml and the cluster disagree, or that they agree."""
    for row in comparison.differences:
        detail = f"{row.frontend}: {WORDS[row.state].format(server=row.server, at=place(row))}"
        yield Finding.warning(None, CHECK, detail, fix, subject=f"{row.frontend}/{row.server}")
    if not comparison.differences:
        yield Finding.passed(None, CHECK, "hosts.toml has the API servers that the cluster names")


def unknown(error: LbdeployError) -> Finding:
    """The finding where the cluster could not be asked: what the load balancer does is not concerned."""
    return Finding.warning(None, CHECK, f"which API servers the cluster has is not known: {error.message}", error.fix)


def place(row: ComparedServer) -> str:
    """Address and port, as people write them."""
    return f"[{row.address}]:{row.port}" if row.address.version == 6 else f"{row.address}:{row.port}"
