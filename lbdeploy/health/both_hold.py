"""Why several nodes hold a VIP, as far as that can be seen from the nodes; otherwise, who finds out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lbdeploy.health.state import ClusterState
from lbdeploy.node import keepalived_conf
from lbdeploy.node.keepalived_conf import Instance
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.surroundings import DEFAULT

ASK = "lbdeploy doctor tries whether the nodes' adverts arrive, and names what drops them"


def remedy(state: ClusterState, names: Sequence[str]) -> str:
    """What to do where these nodes hold a VIP at once."""
    holding = [each for each in state.observations if each.node.name in names]
    for each in holding:
        name = each.node.name
        if not each.service("keepalived").running:
            return f"keepalived does not run on {name}, and has left the VIPs there: lbdeploy up"
        if each.lost_address:
            return f"{name} lacks its own address {each.lost_address}, and hears no peer: see that finding"
    instances = {each.node.name: _instance(each) for each in holding}
    if len({_must_agree(each) for each in instances.values() if each}) > 1:
        return f"the keepalived.conf of {' and of '.join(instances)} differ in what peers must agree on: lbdeploy up"
    return ASK


def _instance(seen: Observation) -> Instance | None:
    conf = seen.states.get(f"file {DEFAULT['keepalived']}")
    return keepalived_conf.read(conf.content) if isinstance(conf, FileState) else None


def _must_agree(instance: Instance) -> tuple[str, bool, frozenset[str]]:
    """What a peer's adverts must have for them to count, but for the address that they come from."""
    return instance.identity[0], bool(instance.peers), instance.agreed
