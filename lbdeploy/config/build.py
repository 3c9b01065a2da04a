"""The tables of a valid hosts.toml, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lbdeploy.common.debian import PACKAGES
from lbdeploy.common.paths import home_expanded
from lbdeploy.config.attachments import own_sections
from lbdeploy.config.model import (
    NOTIFIED,
    Cluster,
    Frontend,
    Group,
    Metrics,
    Network,
    Node,
    OwnSections,
    PackageSources,
    Repository,
    Script,
    Secret,
    Server,
    Ssh,
    TrackFile,
    TrackScript,
    Vrrp,
)
from lbdeploy.config.schema import (
    FrontendTable,
    HaproxyTable,
    NodeTable,
    PackagesTable,
    ServerTable,
    SshTable,
    VrrpTable,
)


def cluster(
    path: Path,
    parsed: dict[str, Any],
    texts: Mapping[str, str],
    authorities: dict[str, str],
    keys: dict[str, str],
) -> Cluster:
    """The whole file, with the texts of files that it names: by path, by frontend (CAs), by repository (keys)."""
    vrrp = _vrrp(parsed["vrrp"], parsed["nodes"], texts)
    networks = {name: Network(name, table.interface, table.vip) for name, table in parsed["networks"].items()}
    nodes = [_node(name, table, networks, vrrp) for name, table in parsed["nodes"].items()]
    return Cluster(
        name=parsed["cluster"].name,
        path=path,
        ssh=ssh(path, parsed.get("ssh") or SshTable()),  # type: ignore[call-arg]
        networks=networks,
        nodes=tuple(sorted(nodes, key=lambda node: -node.priority)),
        vrrp=vrrp,
        frontends=tuple(
            _frontend(name, table, authorities.get(name), texts) for name, table in parsed["frontends"].items()
        ),
        metrics=Metrics(**dict(parsed["metrics"])) if parsed.get("metrics") else None,
        packages=_packages(parsed.get("packages"), keys),
        firewall=parsed["cluster"].firewall,
        firewall_allow=tuple(parsed["cluster"].firewall_allow),
        **_haproxy(path, parsed.get("haproxy") or HaproxyTable(), texts),  # type: ignore[call-arg]
    )


def _haproxy(path: Path, table: HaproxyTable, texts: Mapping[str, str]) -> dict[str, Any]:
    own = tuple(OwnSections(each, texts[each]) for each in own_sections(path.parent, table, texts))
    return {**dict(table), "extra": own}


def beside(path: Path, name: str) -> Path:
    """The path of a file that hosts.toml (`path`) names, relative to it; "~" of nobody stays as it is."""
    return path.parent / home_expanded(name)


def ssh(path: Path, table: SshTable) -> Ssh:
    """How to log in; paths are relative to the file."""

    def named(name: str | None) -> Path | None:
        return beside(path, name) if name else None

    return Ssh(
        user=table.user,
        port=table.port,
        identity_file=named(table.identity_file),
        known_hosts_file=named(table.known_hosts_file),
        jump=table.jump,
        connect_timeout=table.connect_timeout,
    )


def _vrrp(table: VrrpTable, nodes: Mapping[str, NodeTable], texts: Mapping[str, str]) -> Vrrp:
    def script(path: str) -> Script:
        return Script(path, texts[path])

    tracked = (
        TrackScript(name, **{**dict(each), "script": script(each.script)}) for name, each in table.track_scripts.items()
    )
    own = {
        **{key: script(path) for key in ("notify", *NOTIFIED.values()) if (path := getattr(table, key))},
        "track_files": tuple(TrackFile(name, **dict(each)) for name, each in table.track_files.items()),
        "track_scripts": tuple(tracked),
        "router_id": table.router_id or 0,
        "groups": tuple(_group(name, table, nodes) for name in table.groups),
    }
    return Vrrp(**{**dict(table), **own})


def _group(name: str, vrrp: VrrpTable, nodes: Mapping[str, NodeTable]) -> Group:
    table = vrrp.groups[name]
    return Group(
        name,
        table.router_id,
        table.vips,
        {node: table.priorities.get(node, each.priority) for node, each in nodes.items()},
        vrrp.preempt if table.preempt is None else table.preempt,
        vrrp.preempt_delay if table.preempt_delay is None else table.preempt_delay,
    )


def _node(name: str, table: NodeTable, networks: dict[str, Network], vrrp: Vrrp) -> Node:
    addresses = {network: table.__pydantic_extra__[network] for network in networks}
    return Node(
        name=name,
        priority=table.priority,
        host=table.host or str(addresses[vrrp.network]),
        addresses=addresses,
        interfaces={each.name: table.interfaces.get(each.name, each.interface) for each in networks.values()},
    )


def _packages(table: PackagesTable | None, keys: dict[str, str]) -> PackageSources:
    if table is None:
        return PackageSources()
    repositories = (
        Repository(name, each.uri, each.suite, tuple(each.components), keys[name])
        for name, each in table.repositories.items()
    )
    pins = {name: pin for name in PACKAGES if (pin := getattr(table, name))}
    return PackageSources(pins, table.apt_proxy, tuple(repositories))


def _frontend(name: str, table: FrontendTable, authority: str | None, texts: Mapping[str, str]) -> Frontend:
    servers = tuple(_server(key, entry, table.port) for key, entry in table.servers.items())
    files = ("check_ca_file", "check_token_file", "check_certificate")
    settings = {key: value for key, value in dict(table).items() if key not in ("servers", *files)}
    settings["check_status"] = tuple(table.check_status)
    settings["check_token"] = _secret(table.check_token_file, texts)
    settings["check_certificate"] = _secret(table.check_certificate, texts)
    return Frontend(name=name, servers=servers, check_ca=authority, **settings)


def _secret(path: str | None, texts: Mapping[str, str]) -> Secret | None:
    return Secret(path, texts[path]) if path else None


def _server(name: str, entry: ServerTable, port: int) -> Server:
    address, own = entry.address
    return Server(name, address, own or port, entry.backup, entry.max_connections, entry.weight)
