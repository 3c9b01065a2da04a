"""What `status` sees of the sample's pair."""

from __future__ import annotations

from builders import observe

from lbdeploy.config.model import Cluster
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.parsers import Load
from lbdeploy.operations.status import Snapshot, Status

LOADS = (Load("k8s-api", 12, 3, 4711),)


def snapshot(seed: Cluster, name: str, state: str, *, holds: bool, **changes: object) -> Snapshot:
    seen = observe(seed, seed.node(name), holds=holds, **changes)
    return Snapshot(seen, KeepalivedState(state, seed.node(name).priority, seen.now - 90), LOADS)


def pair(seed: Cluster) -> Status:
    nodes = {
        "lb1": snapshot(seed, "lb1", "MASTER", holds=True),
        "lb2": snapshot(seed, "lb2", "BACKUP", holds=False),
    }
    return Status(seed, nodes)
