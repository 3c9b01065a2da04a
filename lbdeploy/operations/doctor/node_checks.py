"""Everything that is checked of one node, as far as can be seen before anything is put on it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import RenderError
from lbdeploy.health.addresses import secondary
from lbdeploy.health.finding import Finding
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.file import FileState
from lbdeploy.operations.doctor import software_checks, system_checks
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.planning import endings, writable
from lbdeploy.planning.desired import files
from lbdeploy.planning.occupants import occupants
from lbdeploy.planning.ownership import ownership
from lbdeploy.planning.preflight import preflight

JUDGES = (*software_checks.JUDGES, *system_checks.JUDGES)


def problems(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Everything that is wrong with a node."""
    yield from ownership(cluster, checkup.observation)
    yield from occupants(cluster, checkup.observation)
    yield from preflight(cluster, checkup.observation)
    wanted = _wanted(cluster, checkup.node)
    yield from endings.findings(checkup.observation, wanted)
    yield from writable.findings(checkup.observation, _differing(checkup.observation, wanted))
    yield from secondary(cluster, checkup.observation)
    for judge in JUDGES:
        yield from judge(cluster, checkup)


def probes(cluster: Cluster, node: Node) -> dict[str, Raw]:
    """The probes that only doctor runs, by name."""
    return software_checks.probes(cluster, node) | system_checks.probes(cluster, node)


def _wanted(cluster: Cluster, node: Node) -> dict[str, str]:
    """The files that say what clients can use; none where they can't be rendered, which another check reports."""
    try:
        return {each.path: each.content for each in files(cluster, node) if each.path in endings.FILES}
    except RenderError:
        return {}


def _differing(seen: Observation, wanted: Mapping[str, str]) -> set[str]:
    """Those of these files whose contents are to change."""
    states = {path: seen.states.get(f"file {path}") for path in wanted}
    return {path for path, state in states.items() if not isinstance(state, FileState) or state.content != wanted[path]}
