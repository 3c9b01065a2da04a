"""What nodes that must agree on a change are given, so that they come to agree without the laptop, too. Pure.

See docs/decisions/053-peers-agree-by-themselves.md, and remote/agree.sh, which does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lbdeploy.common.shell import cmd, here, nonce
from lbdeploy.node.adverts import advert_seconds, distinguishing, source
from lbdeploy.node.remote import remote_text
from lbdeploy.planning.plan import Stage, Strategy
from lbdeploy.planning.vrrp.members import instances, single

if TYPE_CHECKING:
    from lbdeploy.config.model import Cluster, Node
    from lbdeploy.node.drift import NodePlan
    from lbdeploy.node.keepalived_conf import Instance

AGREED_ON = (Strategy.TOGETHER, Strategy.REELECT)
WATCH_SECONDS = 3600  # how long a node that has kept a change watches peers of which it hears nothing

Pair = tuple["Instance", "Instance"]  # before and after


def agreement(cluster: Cluster, stage: Stage) -> dict[str, tuple[str, ...]]:
    """By node, the tools with which it agrees with the stage's other nodes on its change; {} where nobody has to.

    Peers without an address of their own in the file are spoken to on the network that VRRP uses.
    """
    if stage.way not in AGREED_ON or len(stage.names) == 1:
        return {}
    nodes = {name: plan.node for name, plan in stage.plans.items()}
    changes = {name: pairs for name, plan in stage.plans.items() if (pairs := _pairs(cluster, plan))}
    network = cluster.vrrp.network
    key = nonce()
    alone = all(map(single, stage.plans.values()))
    return {name: _tools(key, name, nodes, changes, network, alone=alone) for name in stage.names}


def _pairs(cluster: Cluster, plan: NodePlan) -> list[Pair]:
    """The instances of a node that there are before and after."""
    found = (instances(part, plan) for part in cluster.parts)
    return [(before, after) for before, after in found if before and after]


def _tools(
    key: str, name: str, nodes: Mapping[str, Node], changes: Mapping[str, Sequence[Pair]], network: str, *, alone: bool
) -> tuple[str, ...]:
    peers = [each for each in nodes if each != name]
    known = [distinguishing(*pair, alone=alone) for each in peers for pair in changes.get(each, ())]
    addresses = dict.fromkeys(address for each in peers for address in _addresses(nodes[each], changes, network))
    old, new = (_any_of(pair[which] for pair in known) for which in (0, 1))
    given = {
        "program": here(remote_text("agree.pl")),
        "heeds": here("\n".join((key, name, old, new, *addresses))),
        "peers": cmd(" ".join(peers)),
        "agree_seconds": str(WATCH_SECONDS),
        "boot_seconds": str(_audible(pair for pairs in changes.values() for pair in pairs)),
    }
    variables = "\n".join(f"{variable}={value}" for variable, value in given.items())
    return (variables, remote_text("agree.sh"))


def _addresses(node: Node, changes: Mapping[str, Sequence[Pair]], network: str) -> list[str]:
    """Where a peer is spoken to: at the addresses that its VRRP uses, before and after."""
    used = [source(each) for pair in changes.get(node.name, ()) for each in pair]
    return [each for each in (*used, str(node.addresses[network])) if each]


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(filter(None, patterns))


def _audible(changes: Iterable[Pair]) -> int:
    """After how many seconds a peer that works has been heard: as the holder, or since it has become one."""
    longest = max((advert_seconds(each) or 1.0 for pair in changes for each in pair), default=1.0)
    return int(4 * longest) + 6
