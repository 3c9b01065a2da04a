"""Former peers: hosts that were nodes at the last run and are no longer in hosts.toml.

With unicast, a backup that no longer receives adverts takes the VIPs, too, while another node holds them. With
multicast it remains a member, or the holder, with a configuration that nobody maintains. So an operator who takes a
node out of hosts.toml without removing lbdeploy from it is told before anything is changed, and by `verify`. See
docs/decisions/045-former-peers.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from lbdeploy.common.shell import cmd, here
from lbdeploy.config.model import Node
from lbdeploy.config.unvalidated import members
from lbdeploy.errors import LbdeployError, key_text
from lbdeploy.health.finding import Finding
from lbdeploy.node import keepalived_conf
from lbdeploy.node.observation import PRELUDE, Observation
from lbdeploy.node.parsers import parse_neighbours
from lbdeploy.node.remote import remote_text
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool
from lbdeploy.ssh.transport.session import Session

ASK_SECONDS = 1.0  # time in which a host is asked three times whether anything there accepts VRRP

CHECK = "former-peer"


@dataclass(frozen=True, slots=True)
class FormerPeer:
    """`name` is what the last run's hosts.toml called it, or "". `there`: it answers at all; `deaf`: nothing there
    accepts VRRP. `unicast`: nodes send it their adverts now, and would stop. `now`: the address that hosts.toml has for
    a node of that name, or "" if there is none; `lost`: that one was not reached, so it may be a mistake.
    """

    address: str
    name: str
    there: bool
    deaf: bool
    unicast: bool = True
    now: str = ""
    lost: bool = False


def former_peers(survey: Survey, pool: SessionPool) -> list[FormerPeer]:
    """The former peers as one node finds them: one round trip, and none where there are no candidates.

    Raises the last node's error where no node could be asked, since that does not mean that there are none.
    """
    names = _names(survey)
    conf = {name: _instance(each) for name, each in survey.observations.items()}
    ours = {str(address) for node in survey.cluster.nodes for address in node.addresses.values()}
    # A node whose address has changed is still a node: its old address belongs to no former peer.
    ours |= {each.settings.get(key, "") for each in conf.values() for key in ("unicast_src_ip", "mcast_src_ip")}
    sent_to = {peer for each in conf.values() for peer in each.peers}
    dropped = sorted((sent_to | _gone(survey, names)) - ours)
    found: str | LbdeployError = ""
    for name in _standbys_first(survey) if dropped else ():
        node = survey.cluster.node(name)
        found = pool.each([node], partial(_ask, survey.cluster.vrrp.network, dropped))[name]
        if not isinstance(found, LbdeployError):
            peers = (replace(each, unicast=each.address in sent_to) for each in _read(found, dropped, names))
            return [_compared(survey, each) for each in peers]
    if isinstance(found, LbdeployError):
        raise found
    return []


def _compared(survey: Survey, peer: FormerPeer) -> FormerPeer:
    """The same, with what hosts.toml has for a node of its name."""
    network = survey.cluster.vrrp.network
    now = next((str(node.addresses[network]) for node in survey.cluster.nodes if node.name == peer.name), "")
    return replace(peer, now=now, lost=bool(now) and peer.name not in survey.seen)


def _ask(network: str, addresses: list[str], node: Node, session: Session) -> str:
    return session.run(_script(str(node.addresses[network]), addresses)).output


def findings(peers: list[FormerPeer]) -> Iterator[Finding]:
    """An error for each that would take the VIPs, and a warning for each that may do so once it starts again."""
    for peer in peers:
        if peer.there and not peer.deaf:
            fix = f"{_changed_fix(peer) if peer.now else _removed_fix(peer)}; to continue anyway: --ignore {CHECK}"
            does = "hearing nobody, it also takes the VIPs" if peer.unicast else "it may have the VIPs, or take them"
            detail = f"{_subject(peer, 'but')} listens for VRRP: {does}"
            yield Finding.failed(None, CHECK, detail, fix, subject=peer.address)
        elif not peer.there:
            does = "takes the VIPs" if peer.unicast else "may take the VIPs"
            detail = f"{_subject(peer, 'and')} does not answer: coming back as it was, it {does}"
            fix = "reinstall it, or stop keepalived there first"
            yield Finding.warning(None, CHECK, detail, fix, subject=peer.address)
        elif peer.unicast:  # as after `down --limit`; but also where keepalived was only stopped
            runs = "runs no keepalived now" if peer.now else "no keepalived runs there now"
            detail = f"{_subject(peer, 'and')} {runs}"
            done = f"fine if lbdeploy down --limit {peer.name or 'NODE'} was run"
            fix = f"{done}; if not, it takes the VIPs when keepalived next starts"
            yield Finding.warning(None, CHECK, detail, fix, subject=peer.address)


def _subject(peer: FormerPeer, word: str) -> str:
    """The beginning of a sentence about the host at the old address; `word` joins what it does."""
    if peer.now:
        lost = ", which can't be reached" if peer.lost else ""
        return f"{peer.name}'s address has changed in hosts.toml to {peer.now}{lost}; the old one, {peer.address},"
    who = f"{peer.name} ({peer.address})" if peer.name else peer.address
    return f"{who} is no longer in hosts.toml, {word}"


def _changed_fix(peer: FormerPeer) -> str:
    """For a node whose address in hosts.toml has changed. If the new one can't be reached, it may be a mistake."""
    if peer.lost:
        key = key_text("nodes", peer.name)
        return f"did you mean {peer.address}? If so, correct {key} in hosts.toml; if not, bring {peer.now} up"
    return f"if another host is {peer.name} now, stop keepalived on the old one for good"


def _removed_fix(peer: FormerPeer) -> str:
    limit = peer.name or "NODE"
    return f"lbdeploy down --limit {limit}, with {limit} in hosts.toml; or stop keepalived there for good"


def _names(survey: Survey) -> dict[str, str]:
    """By address: the nodes in the hosts.toml of the last run on each node."""
    return {
        address: name
        for each in survey.observations.values()
        if (hosts := each.marks.get("hosts"))
        for address, name in members(hosts.output).items()
    }


def _gone(survey: Survey, names: Mapping[str, str]) -> set[str]:
    """The addresses of those whose name is gone from hosts.toml: a node that is still there may have a new address."""
    now = {node.name for node in survey.cluster.nodes}
    return {address for address, name in names.items() if name not in now}


def _standbys_first(survey: Survey) -> list[str]:
    return sorted(survey.observations, key=lambda name: survey.seen[name].holds_any(survey.cluster))


def _instance(seen: Observation) -> keepalived_conf.Instance:
    return keepalived_conf.read(str(seen.states[f"file {KEEPALIVED_CONF}"].content)) or keepalived_conf.Instance()


def _script(own: str, addresses: list[str]) -> str:
    """POSIX sh, for root: prints what probe-vrrp-listener.pl finds, and the kernel's neighbour entries."""
    program = here(remote_text("probe-vrrp-listener.pl"))
    ask = f"timeout {ASK_SECONDS + 5} perl -e {program} {cmd(ASK_SECONDS, own, *addresses)}"
    forget = "\n".join(f"ip neigh flush to {cmd(each)}" for each in addresses)
    show = "\n".join(f"ip neigh show to {cmd(each)}" for each in addresses)
    return f"{PRELUDE}exec 2>/dev/null\n{forget}\n{ask}\n{show}\n"


def _read(output: str, addresses: list[str], names: Mapping[str, str]) -> Iterator[FormerPeer]:
    there_now = {str(neighbour.ip) for neighbour in parse_neighbours(output)}
    for each in addresses:
        answers = each in there_now
        deaf = re.search(rf"^deaf {re.escape(each)}$", output, re.MULTILINE)
        there = answers or deaf or "done deaf" not in output  # a host that could not be asked does not count as gone
        yield FormerPeer(each, names.get(each, ""), there=bool(there), deaf=bool(deaf))
