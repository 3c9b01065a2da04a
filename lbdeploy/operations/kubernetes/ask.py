"""hosts.toml beside what the cluster says now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lbdeploy.common.shell import cmd
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError
from lbdeploy.health.finding import Finding
from lbdeploy.operations.kubernetes.api_servers import control_plane
from lbdeploy.operations.kubernetes.comparison import Comparison, compared
from lbdeploy.operations.kubernetes.findings import findings, unknown
from lbdeploy.operations.kubernetes.kubectl import kubectl


def compare(
    cluster: Cluster,
    kubeconfig: Path | None,
    context: str | None = None,
    frontends: Sequence[str] = (),
    *,
    in_lab: bool = False,
) -> Comparison:
    """The servers of both. Raises ApiError and UsageError."""
    asked = kubectl(kubeconfig, context, direct=in_lab)
    return compared(cluster, control_plane(asked, [vip.ip for vip in cluster.vips]), frontends)


def membership(cluster: Cluster, kubeconfig: Path, *, in_lab: bool = False) -> list[Finding]:
    """What `verify` says of the same; a cluster that does not answer is a finding, too."""
    try:
        found = compare(cluster, kubeconfig, in_lab=in_lab)
    except LbdeployError as error:
        return [unknown(error)]
    return list(findings(found, cmd("lbdeploy", "servers", "--kubeconfig", kubeconfig, "--write")))
