"""What `up` would do to the sample's pair."""

from __future__ import annotations

from pathlib import Path

from builders import SEED, as_by, cluster, observe, survey
from verdicts import BARE

from lbdeploy.config.model import Cluster
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning.desired import files
from lbdeploy.planning.plan import Plan


def bare_and_changed(seed: Cluster, folder: Path) -> tuple[Plan, Plan]:
    """On nodes that have nothing, and on a live pair of which one line differs."""
    nothing = {name: FileState("missing") for name in (f"file {each.path}" for each in files(seed, seed.node("lb1")))}
    new = survey(seed, *(observe(seed, node, states=nothing | BARE) for node in seed.nodes)).plan
    later = cluster(folder, SEED.read_text(encoding="utf-8").replace("roundrobin", "leastconn"))
    seen = [observe(later, each, holds=each.name == "lb1", states=as_by(seed, each.name)) for each in later.nodes]
    return new, survey(later, *seen).plan
