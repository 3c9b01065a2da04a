"""Former peers: hosts that the nodes still send their adverts to, and that hosts.toml has no more.

With unicast, a backup that is sent no adverts any more takes the VIPs, too, while another node has them. So whoever
takes a node out of hosts.toml without having taken lbdeploy off it is told before anything is changed. See
docs/decisions/061-former-peers.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from lbdeploy import vrrp
from lbdeploy.desired import KEEPALIVED_CONF
from lbdeploy.errors import LbdeployError
from lbdeploy.finding import Finding
from lbdeploy.fleet import Fleet
from lbdeploy.model import Cluster, Node
from lbdeploy.probe import PRELUDE, Observation
from lbdeploy.shell import cmd, here, remote_text
from lbdeploy.survey import Survey
from lbdeploy.transaction import STATE
from lbdeploy.transport import Session

ASK_SECONDS = 1.0  # in which a host says three times over that nobody there wants VRRP

CHECK = "former-peer"


@dataclass(frozen=True, slots=True)
class FormerPeer:
    """`name` is what the last run's hosts.toml called it, or "". `there`: it answers at all; `deaf`: not to VRRP."""

    address: str
    name: str
    there: bool
    deaf: bool


def former_peers(survey: Survey, fleet: Fleet) -> list[FormerPeer]:
    """Who they are, asked of one node: one round trip, and none where there are no former peers.

    Raises the last node's error where none could be asked: that is no answer.
    """
    found: str | LbdeployError = ""
    for name, addresses in _dropped(survey).items():
        node = survey.cluster.node(name)
        found = fleet.each([node], partial(_ask, survey.cluster.vrrp.network, addresses))[name]
        if not isinstance(found, LbdeployError):
            return list(_read(found, addresses))
    if isinstance(found, LbdeployError):
        raise found
    return []


def _ask(network: str, addresses: list[str], node: Node, session: Session) -> str:
    return session.run(_script(str(node.addresses[network]), addresses)).output


def findings(peers: list[FormerPeer]) -> Iterator[Finding]:
    """A problem for each that would take the VIPs, and a warning for each that may do so once it starts again."""
    for peer in peers:
        who = f"{peer.name} ({peer.address})" if peer.name else peer.address
        limit = peer.name or "NODE"
        if peer.there and not peer.deaf:
            detail = f"{who} is no more in hosts.toml, but listens for VRRP: hearing nobody, it takes the VIPs, too"
            fix = f"lbdeploy down --limit {limit}, with {limit} in hosts.toml; or stop keepalived there for good"
            yield Finding(None, CHECK, False, detail, f"{fix}; to go on all the same: --ignore {CHECK}")
        elif not peer.there:
            detail = f"{who} is no more in hosts.toml, and does not answer: coming back as it was, it takes the VIPs"
            yield Finding(None, CHECK, False, detail, "reinstall it, or stop keepalived there first", warning=True)
        else:  # as after `down --limit`; but also where keepalived was only stopped
            detail = f"{who} is no more in hosts.toml, and no keepalived runs there now"
            fix = f"fine, if lbdeploy down --limit {limit} has been there; if not, it takes the VIPs at its next start"
            yield Finding(None, CHECK, False, detail, fix, warning=True)


def _dropped(survey: Survey) -> dict[str, list[str]]:
    """By node, the addresses that it sends adverts to, and would not any more. Standby nodes come first."""
    cluster = survey.cluster
    ours = {str(address) for node in cluster.nodes for address in node.addresses.values()}
    conf = {name: vrrp.read(_conf(each)) for name, each in survey.observations.items()}
    # A node whose address is another one now is still among the nodes.
    ours |= {each.settings.get("unicast_src_ip", "") for each in conf.values() if each}
    dropped = {name: sorted(each.peers - ours) for name, each in conf.items() if each and each.peers - ours}
    return {name: dropped[name] for name in sorted(dropped, key=lambda name: _holds(cluster, survey.seen[name]))}


def _holds(cluster: Cluster, seen: Observation) -> bool:
    return any(seen.holds(vip.ip) for vip in cluster.vips)


def _conf(seen: Observation) -> str:
    return str(seen.states[f"file {KEEPALIVED_CONF}"].content)


def _script(own: str, addresses: list[str]) -> str:
    """POSIX sh, for root: what deaf.pl says, whom the kernel has heard of, and the last run's hosts.toml."""
    ask = f"timeout {ASK_SECONDS + 5} perl -e {here(remote_text('deaf.pl'))} {cmd(ASK_SECONDS, own, *addresses)}"
    forget = "\n".join(f"ip neigh flush to {cmd(each)}" for each in addresses)
    show = "\n".join(f"ip neigh show to {cmd(each)}" for each in addresses)
    return f"{PRELUDE}exec 2>/dev/null\n{forget}\n{ask}\n{show}\nprintf '\\nhosts\\n'\ncat {cmd(STATE)}/hosts.toml\n"


def _read(output: str, addresses: list[str]) -> Iterator[FormerPeer]:
    said, _, hosts = output.partition("\nhosts\n")
    names = dict(_names(hosts))
    for each in addresses:
        answers = re.search(rf"^{re.escape(each)} .*\blladdr\b(?!.*FAILED)", said, re.MULTILINE)
        deaf = re.search(rf"^deaf {re.escape(each)}$", said, re.MULTILINE)
        there = answers or deaf or "done deaf" not in said  # nobody is called gone whom nobody could ask
        yield FormerPeer(each, names.get(each, ""), there=bool(there), deaf=bool(deaf))


def _names(hosts: str) -> Iterator[tuple[str, str]]:
    """(address, node) of a hosts.toml that this lbdeploy may not be able to read as a whole."""
    for name, body in re.findall(r"^\[nodes\.\"?([\w.-]+)\"?\]([^\[]*)", hosts, re.MULTILINE):
        yield from ((address, name) for address in re.findall(r"=\s*\"([0-9a-fA-F.:]+)\"", body))
