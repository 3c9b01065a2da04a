"""From what the nodes have to a hosts.toml that does the same, and the table of what becomes of each line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.common.shell import cmd
from lbdeploy.common.typed import typed
from lbdeploy.config.draft import Draft, finished
from lbdeploy.config.model import Interface
from lbdeploy.errors import RemoteError, UsageError
from lbdeploy.node.paths import HOSTS
from lbdeploy.operations.adopt.haproxy import explanations as haproxy_rows
from lbdeploy.operations.adopt.haproxy import http_checks
from lbdeploy.operations.adopt.haproxy.frontends import Frontends, leave_to_each
from lbdeploy.operations.adopt.haproxy.kept_sections import FILE, PATTERN, KeptSections, file_of, kept_sections
from lbdeploy.operations.adopt.haproxy.places import Places, placed
from lbdeploy.operations.adopt.haproxy.proxies import Proxy, bound, local_ports, proxies
from lbdeploy.operations.adopt.keepalived import explanations as vrrp_rows
from lbdeploy.operations.adopt.keepalived import scripts
from lbdeploy.operations.adopt.keepalived import table as vrrp
from lbdeploy.operations.adopt.keepalived.groups import HandMadeGroup, groups
from lbdeploy.operations.adopt.keepalived.instances import HandMade, instances, main, same
from lbdeploy.operations.adopt.keepalived.side import KeepalivedSide
from lbdeploy.operations.adopt.networks import FoundNetwork, NodeSide, UnplacedError, found_networks
from lbdeploy.operations.adopt.notes import notes
from lbdeploy.operations.adopt.reading import haproxy_cfg, keepalived_conf
from lbdeploy.operations.adopt.reading.haproxy_cfg import Section
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry
from lbdeploy.operations.adopt.reading.machine import Machine
from lbdeploy.operations.adopt.result import Adopted
from lbdeploy.operations.adopt.rows import LineRow, merged
from lbdeploy.planning.endings import OURS

UNTOUCHED = "nothing was written, and nothing was changed on the nodes"


@dataclass(frozen=True, slots=True)
class HandMadeNode:
    """A node's files as its daemons read them."""

    machine: Machine
    entries: Sequence[ConfEntry]
    sections: Sequence[Section]
    proxies: Sequence[Proxy]
    instances: Sequence[HandMade]

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def own_sections(self) -> list[Section]:
        """Those of the file that lbdeploy replaces."""
        stay = self.machine.files_that_stay()
        return [each for each in self.sections if each.head.place.file not in stay]


def understood(machine: Machine) -> HandMadeNode:
    """A node's files. What they name and was not read yet is added to what is missing of its sources, or names."""
    entries = keepalived_conf.parse(machine.sources["keepalived"], machine.keepalived_file, machine.config_id)
    scripts.missing(entries, machine.sources["keepalived"])
    sections = haproxy_cfg.parse(machine.haproxy_files(), machine.environment_of("haproxy"))
    stay = machine.files_that_stay()
    found = [each for each in proxies(sections, machine.names) if each.front.head.place.file not in stay]
    for server in (each for proxy in found for each in proxy.servers):
        http_checks.certificates(server, machine.sources["haproxy"])
    return HandMadeNode(machine, entries, sections, found, instances(entries, machine.links))


def adopted(nodes: Sequence[HandMadeNode], cluster: str, user: str | None = None) -> Adopted:
    """What hosts.toml does the same. Raises RemoteError where it can't be said at all."""
    for each in nodes:
        _refuse_ours(each)
    mains = _mains(nodes)
    best = vrrp.preferred(mains)
    found = _networks(nodes, mains)
    side = next(each for each in nodes if each.name == best)
    own = scripts.scripts(side.entries, mains[best], side.machine.sources["keepalived"], local_ports(side.proxies))
    grouped, merged_for = _groups(nodes, mains, found[0])
    in_groups = {each.name: {str(vip) for vip in each.vips} for each in grouped}
    networks, places = placed(found, in_groups, [each.proxies for each in nodes])
    frontends = _frontends(nodes, best, places)
    draft: Draft = {"cluster": {"name": cluster}} | ({"ssh": {"user": user}} if user else {})
    draft["networks"] = {name: _network(each) for name, each in networks.items()}
    draft["nodes"] = _nodes(nodes, mains, networks)
    draft["vrrp"] = vrrp.table(mains[best], list(networks)[-1], own, _track_files(side.entries))
    if grouped:
        del draft["vrrp"]["router_id"]
        draft["vrrp"]["groups"] = {each.name: each.table(draft["vrrp"], draft["nodes"]) for each in grouped}
    draft["frontends"] = frontends.tables
    kept = {each.name: kept_sections(each.name, each.own_sections, each.proxies, frontends) for each in nodes}
    if any(each.sections for each in kept.values()):
        draft["haproxy"] = {"extra": [PATTERN]}
        frontends.files[FILE] = file_of({name: each.text() for name, each in kept.items()}, draft["nodes"])
    draft = finished(draft)
    files = own.files | frontends.files
    made = (own, draft, best, tuple(grouped), {each.name: each.machine.addresses for each in nodes})
    sides = [KeepalivedSide(each.name, each.entries, mains[each.name], *made) for each in nodes]
    rows = [row for each in sides for row in vrrp_rows.rows(each)]
    rows += [row for each in nodes for row in _haproxy_rows(each, nodes, frontends, kept[each.name], best)]
    said = notes([each.machine for each in nodes], _server_names(nodes), draft, merged_for)
    return Adopted(draft, files, merged(rows), tuple(said))


def alone(node: HandMadeNode) -> UsageError:
    """The error for a node whose peers were not named: they are asked by names, which only the operator knows."""
    _refuse_ours(node)
    name, host = node.name, node.machine.host
    itself = name if name == host else f"{name}={host}"
    peers = list(dict.fromkeys(str(peer) for each in node.instances for peer in each.peers))
    if not peers:
        message = f"{name} alone is no pair, and {node.machine.keepalived_file} there names no peer in unicast_peer"
        return UsageError(
            message, state=UNTOUCHED, fix=f"name the other node, too: {cmd('lbdeploy', 'adopt', itself)} NODE"
        )
    message = f"{name} alone is no pair; its keepalived sends adverts to {' and '.join(peers)}"
    return UsageError(message, state=UNTOUCHED, fix=typed("adopt", itself, *peers, after="; NAME=ADDRESS gives a name"))


def _refuse_ours(node: HandMadeNode) -> None:
    """Raises RemoteError where lbdeploy wrote a file itself."""
    machine = node.machine
    texts = {machine.keepalived_file: machine.sources["keepalived"].file(machine.keepalived_file) or ""}
    for path, text in (texts | machine.haproxy_files()).items():
        if text.startswith(OURS):
            raise RemoteError(
                f"{path} is lbdeploy's own: nobody built this pair by hand",
                node=node.name,
                state=UNTOUCHED,
                fix=f"the node has the hosts.toml that it was made from: ssh {machine.host} sudo cat {HOSTS}",
            )


def _mains(nodes: Sequence[HandMadeNode]) -> dict[str, HandMade]:
    """Each node's part of the instance that hosts.toml's own is made from."""
    addresses = bound([proxy for each in nodes for proxy in each.proxies])
    first = next((found for each in nodes if (found := main(each.instances, addresses))), None)
    mains: dict[str, HandMade] = {}
    for each in nodes:
        found = same(each.instances, first) if first else None
        if found is None:
            raise _nothing(each)
        mains[each.name] = found
    return mains


def _nothing(node: HandMadeNode) -> RemoteError:
    path = node.machine.keepalived_file
    read = "has no vrrp_instance with VIPs that another node has, too" if node.entries else "is not there, or is empty"
    return RemoteError(
        f"{path} {read}",
        node=node.name,
        state=UNTOUCHED,
        fix="name the nodes of one pair; where nothing is set up yet: lbdeploy init",
    )


def _networks(nodes: Sequence[HandMadeNode], mains: Mapping[str, HandMade]) -> list[FoundNetwork]:
    sides = {each.name: NodeSide(each.machine.links, each.instances, mains[each.name]) for each in nodes}
    try:
        return found_networks(sides)
    except UnplacedError as error:
        raise RemoteError(
            str(error),
            node=error.node,
            state=UNTOUCHED,
            fix=error.fix,
        ) from None


def _network(place: FoundNetwork) -> dict[str, Any]:
    vips = [str(each) for each in place.vips]
    return {"interface": place.interface} | ({"vip": vips[0] if len(vips) == 1 else vips} if vips else {})


def _nodes(
    nodes: Sequence[HandMadeNode], mains: Mapping[str, HandMade], networks: Mapping[str, FoundNetwork]
) -> dict[str, Any]:
    ranks = vrrp.priorities(mains)
    made: dict[str, Any] = {}
    for each in nodes:
        name = each.name
        table: dict[str, Any] = {key: str(place.addresses[name]) for key, place in networks.items()}
        other = {
            key: place.interfaces[name] for key, place in networks.items() if place.interfaces[name] != place.interface
        }
        table |= {"priority": ranks[name], "host": each.machine.host} | ({"interfaces": other} if other else {})
        made[name] = table
    return made


def _frontends(nodes: Sequence[HandMadeNode], best: str, places: Places) -> Frontends:
    """Those of the preferred node, then what only another node has."""
    made = Frontends(places)
    leave_to_each({each.name: each.proxies for each in nodes}, places)
    ordered = sorted(nodes, key=lambda each: each.name != best)
    for each in ordered:
        for proxy in (one for one in each.proxies if not one.why):
            made.add(each.name, proxy, each.proxies, each.machine.sources["haproxy"])
    if not made.tables:
        raise _no_frontend(ordered[0])
    return made


def _no_frontend(node: HandMadeNode) -> RemoteError:
    why = next((f"{each.front.kind} {each.front.name}: {each.why}" for each in node.proxies if each.why), "")
    there = why or f"{', '.join(node.machine.haproxy_files()) or 'haproxy.cfg'} has no section that listens"
    return RemoteError(
        f"haproxy serves nothing that a frontend of hosts.toml could: {there}",
        node=node.name,
        state=UNTOUCHED,
        fix=f"{'change that section on the nodes; or ' if why else ''}"
        f"{typed('init', after=' writes a hosts.toml for a pair that is built anew')}",
    )


def _track_files(entries: Sequence[ConfEntry]) -> dict[str, ConfEntry]:
    return {each.value: each for each in entries if each.key in ("vrrp_track_file", "track_file") and each.block}


def _groups(
    nodes: Sequence[HandMadeNode], mains: Mapping[str, HandMade], network: FoundNetwork
) -> tuple[list[HandMadeGroup], str]:
    found = {each.name: each.instances for each in nodes}
    held = {each.name: each.machine.addresses for each in nodes}
    together = any(entry.key == "vrrp_sync_group" for each in nodes for entry in each.entries)
    return groups(found, mains, network.addresses, held, together=together)


def _haproxy_rows(
    node: HandMadeNode, nodes: Sequence[HandMadeNode], made: Frontends, kept: KeptSections, best: str
) -> Iterator[LineRow]:
    vips = frozenset(str(vip) for vip in _vips(nodes))
    side = haproxy_rows.HaproxySide(node.machine, node.sections, node.proxies, made, kept, vips, best)
    return haproxy_rows.rows(side)


def _vips(nodes: Sequence[HandMadeNode]) -> set[Any]:
    found: set[Interface] = {vip.address for node in nodes for each in node.instances for vip in each.vips}
    return {each.ip for each in found}


def _server_names(nodes: Sequence[HandMadeNode]) -> set[frozenset[str]]:
    """The names of the servers, as the nodes have them."""
    return {frozenset(server.name for proxy in each.proxies for server in proxy.servers) for each in nodes}
