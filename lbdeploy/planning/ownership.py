"""Which cluster a node belongs to: what lbdeploy put on it may be of another one. Pure.

The nodes keep the hosts.toml of the last run. A cluster is the same while it keeps a VIP, whatever its name becomes; or
while it keeps its name and its virtual router ID, where all VIPs are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.config.model import Cluster
from lbdeploy.config.unvalidated import Deployed, deployed
from lbdeploy.errors import RemoteError
from lbdeploy.health.finding import Finding
from lbdeploy.node.observation import Observation
from lbdeploy.node.paths import HOSTS

CHECK = "other-cluster"


def ownership(cluster: Cluster, seen: Observation) -> Iterator[Finding]:
    """A problem where another cluster was deployed on the node, and a warning where this one was renamed since."""
    there = _deployed(seen)
    if there is None:
        return
    if _another(cluster, there):
        detail = f"{_is_here(there)}; {cluster.name} would take its place"
        fix = (
            f"use the hosts.toml of {there.name} (the node has a copy: {HOSTS}); to serve both from these nodes: one "
            f"hosts.toml, with a group of VIPs for each ([vrrp.groups.NAME]); to give up {there.name}: "
            f"lbdeploy -f ITS_HOSTS_TOML down; to continue anyway: --ignore {CHECK}"
        )
        yield Finding.failed(seen.node.name, CHECK, detail, fix, subject=there.name)
    elif there.name != cluster.name:
        detail = f"this cluster was deployed here as {there.name}, and is renamed to {cluster.name}"
        fix = "nothing to do, if that is meant: its VIPs stay"
        yield Finding.warning(seen.node.name, CHECK, detail, fix, subject=there.name)


def refuse_to_remove(cluster: Cluster, seen: Observation) -> None:
    """Raise RemoteError where another cluster was deployed on the node: nothing there is this one's."""
    there = _deployed(seen)
    if there is not None and _another(cluster, there):
        fix = f"use the hosts.toml of {there.name} (the node has a copy: {HOSTS}): lbdeploy -f ITS_HOSTS_TOML down"
        raise RemoteError(_is_here(there), node=seen.node.name, state="nothing was changed", fix=fix)


def _deployed(seen: Observation) -> Deployed | None:
    hosts = seen.marks.get("hosts")
    return deployed(hosts.output) if hosts else None


def _is_here(there: Deployed) -> str:
    vips = f", with {', '.join(sorted(there.vips))}" if there.vips else ""
    return f"another cluster is deployed here: {there.name}{vips}"


def _another(cluster: Cluster, there: Deployed) -> bool:
    vips = {str(vip.ip) for vip in cluster.vips}
    same = there.name == cluster.name and any(part.vrrp.router_id in there.router_ids for part in cluster.parts)
    return not same and vips.isdisjoint(there.vips)
