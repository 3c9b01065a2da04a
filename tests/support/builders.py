"""Clusters and observations for tests: what a healthy node shows, from which a test takes away."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import goldens

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import LbdeployError
from lbdeploy.node.drift import NodePlan, diff
from lbdeploy.node.keepalived_state import ToldState
from lbdeploy.node.observation import Observation
from lbdeploy.node.parsers import Answered, Link, Room, ServerStat
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources import File, Gone, Journal, Packages, ServerState, Service, Sysctl, drains
from lbdeploy.node.resources.base import Answer, Change, Resource
from lbdeploy.node.resources.file import FileState
from lbdeploy.node.resources.last_run import JournalState
from lbdeploy.node.resources.package import PackageState
from lbdeploy.node.resources.service import ServiceState
from lbdeploy.planning.desired import desired, files
from lbdeploy.rollout.survey import Survey

TOP = Path(__file__).parents[2]
BIG, SEED = goldens.BIG, goldens.SEED
CAPTURED = Path(__file__).parent / "captured"
LONG_AGO = 1_000_000.0
NOW = 2_000_000.0


def cluster(folder: Path, text: str) -> Cluster:
    """The cluster of a hosts.toml with this text."""
    path = folder / "hosts.toml"
    path.write_text(text, encoding="utf-8")
    return reader.load(path)


def captured(name: str) -> str:
    """A command's output, as it was captured on a node."""
    return (CAPTURED / f"{name}.txt").read_text(encoding="utf-8")


def alone(resource: Resource[Any]) -> str:
    """The probe of a resource as a script of its own, in which nothing was asked for others, too."""
    return f"units='' files='' settings=''\n{remote_text('observe.sh')}(\n{resource.probe()}\n) 2>/dev/null </dev/null"


def running(**changes: Any) -> ServiceState:
    """A service that has been running for long, with the files that lie there now."""
    state = ServiceState("loaded", "active", "running", "enabled", False, 100, 0, LONG_AGO, LONG_AGO, LONG_AGO - 1)
    return replace(state, **changes)


def stopped(**changes: Any) -> ServiceState:
    """A service that was stopped."""
    return running(active="inactive", sub="dead", pid=0, **changes)


def steps_of(resource: Resource[Any], state: Any, changes: Sequence[Change] | None = None) -> str:
    """What a script does about one resource, if it is all that has to change: about every change, or some."""
    wanted = resource.compare(state, ()) if changes is None else changes
    return "\n".join(step for _, step in resource.steps(state, wanted, ()))


def wanted_state(resource: Resource[Any]) -> Any:
    """The state in which a resource needs no change."""
    match resource:
        case Journal():
            return JournalState("20260101T000000.000Z", "ann@laptop", "start keepalived")
        case File():
            return has(resource)
        case ServerState():
            return FileState(
                "file", "600", "root:root", LONG_AGO - 1, drains.render(resource.inherited, resource.ports)
            )
        case Gone():
            return {}
        case Packages():
            return PackageState(dict.fromkeys(resource.names, "1.0"))
        case Service():
            return running()
        case Sysctl():
            return resource.value
    raise AssertionError(resource)


def observe(
    cluster: Cluster, node: Node, *, holds: bool = False, states: dict[str, Any] | None = None, **changes: Any
) -> Observation:
    """A healthy node, with the VIPs or without; `states` and `changes` take the place of what is healthy."""
    found = {each.id: wanted_state(each) for each in desired(cluster, node)}
    observation = Observation(
        node=node,
        now=NOW,
        states=found | (states or {}),
        links=links(cluster, node, holds=holds),
        servers=tuple(server(frontend.name, each.name) for frontend, each in cluster.servers()),
        haproxy_answers=True,
        answered=tuple(Answered(vip.ip, f.port, "16") for vip in cluster.vips for f in cluster.frontends),
        own={frontend.name: True for frontend in cluster.frontends},
        room=(Room("/etc/haproxy", 10**6, 10**6),),
        told=ToldState("MASTER" if holds else "BACKUP", "delivered", LONG_AGO, 1) if cluster.vrrp.told else None,
    )
    return replace(observation, **changes)


def has(file: File) -> FileState:
    """A file as it lies on a node that has it."""
    return FileState("file", file.mode, "root:root", LONG_AGO - 1, file.content)


def as_by(earlier: Cluster, name: str) -> dict[str, Any]:
    """The states of a node's files that an earlier hosts.toml has made."""
    return {file.id: has(file) for file in files(earlier, earlier.node(name))}


def links(cluster: Cluster, node: Node, *, holds: bool) -> tuple[Link, ...]:
    """The node's interfaces, each with the addresses that hosts.toml gives, and with the VIPs or without."""
    return (
        Link("lo", True, (ip_interface("127.0.0.1/8"),)),
        *(
            Link(
                interface,
                True,
                (
                    ip_interface(f"{node.addresses[network]}/24"),
                    *(vip.address for vip in cluster.vips if holds and vip.network == network),
                ),
            )
            for network, interface in node.interfaces.items()
        ),
    )


def server(frontend: str, name: str, status: str = "UP", check_status: str = "L4OK", detail: str = "") -> ServerStat:
    return ServerStat(frontend, name, status, check_status, detail, 1000, 0)


def plans(cluster: Cluster, *observations: Observation) -> dict[str, NodePlan]:
    """What has to change on each observed node."""
    return {each.node.name: diff(desired(cluster, each.node), each) for each in observations}


def survey(cluster: Cluster, *observations: Observation, **errors: LbdeployError) -> Survey:
    """What was seen of the nodes, all of which are to be changed; `errors` of those that could not be looked at."""
    return Survey(cluster, {each.node.name: each for each in observations}, plans(cluster, *observations), errors)


def answer(resource: Resource[object]) -> Answer:
    """What the probe says here, as the observing script would run it."""
    run = subprocess.run(["sh", "-c", alone(resource)], check=False, capture_output=True)
    return Answer(run.stdout.decode(errors="surrogateescape"), run.returncode)
