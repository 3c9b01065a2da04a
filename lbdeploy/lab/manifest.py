"""What a lab was started for: written when it is created, read by every later command."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from lbdeploy.config.model import Cluster
from lbdeploy.lab.host.paths import Place, replace


@dataclass(frozen=True, slots=True)
class Manifest:
    """The hosts.toml that the lab is for, and the image under its nodes' disks."""

    path: str
    suite: str
    image: str


def read(place: Place) -> Manifest | None:
    """What the lab was started for; None where it was never made, or not far enough."""
    import json  # imported here, since `--lab` commands do not need it

    try:
        return Manifest(**json.loads((place.dir / "origin.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(place: Place, manifest: Manifest) -> None:
    """Writes the manifest."""
    import json

    replace(place.dir / "origin.json", json.dumps(asdict(manifest)))


def is_complete(place: Place, cluster: Cluster) -> bool | None:
    """Whether the lab was brought up completely for a cluster with the same hosts; None where it is not up at all.

    An identical cluster is recognized at once. A different one may still need the same hosts: VIPs do not matter here.
    """
    try:
        same, alike = (place.dir / "complete").read_text().split()
    except (OSError, ValueError):
        return None
    return same == _digest(cluster) or alike == _digest_of_hosts(cluster)


def set_complete(place: Place, cluster: Cluster) -> None:
    """Records that the lab is up for this cluster."""
    replace(place.dir / "complete", f"{_digest(cluster)} {_digest_of_hosts(cluster)}\n")


def unset_complete(place: Place) -> None:
    """Records that the lab is under construction."""
    (place.dir / "complete").unlink(missing_ok=True)


def _digest_of_hosts(cluster: Cluster) -> str:
    from lbdeploy.lab.machine.topology import topology

    return _digest((topology(cluster), cluster.ssh.user, cluster.ssh.port))


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
