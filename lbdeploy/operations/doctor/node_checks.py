"""Everything that is checked of one node, as far as can be seen before anything is put on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster, Node
from lbdeploy.health.addresses import secondary
from lbdeploy.health.finding import Finding
from lbdeploy.operations.doctor import software_checks, system_checks
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.planning.preflight import preflight

JUDGES = (*software_checks.JUDGES, *system_checks.JUDGES)


def problems(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Everything that is wrong with a node."""
    yield from preflight(cluster, checkup.observation)
    yield from secondary(cluster, checkup.observation)
    for judge in JUDGES:
        yield from judge(cluster, checkup)


def probes(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """The probes that only doctor runs, by name."""
    return software_checks.probes(cluster, node) | system_checks.probes(cluster, node)
