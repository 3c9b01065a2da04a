"""Checks of frontends, their servers and the metrics."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.config.checks.groups import check_frontend_groups, places
from lbdeploy.config.checks.tables import Tables
from lbdeploy.config.keys import near
from lbdeploy.config.model import ADMIN, METRICS, STATUS, Address
from lbdeploy.config.schema import FrontendTable, MetricsTable, VrrpTable
from lbdeploy.errors import Problem, key_text

_OF_HTTPS = ("check_path", "check_status", "check_ca_file", "check_host", "check_token_file", "check_certificate")


def check_frontends(tables: Tables) -> Iterator[Problem]:
    """Every disagreement."""
    networks = tables.names("networks")
    yield from _frontend_networks(tables, networks)
    yield from check_frontend_groups(tables)
    yield from _ports(tables, networks)
    yield from _servers(tables)
    yield from _shares(tables.named("frontends", "servers"))
    yield from _https_only(tables.named("frontends", "check"))
    yield from _names(tables)
    yield from _metrics_network(tables.single("metrics", "network"), networks)


def _frontend_networks(tables: Tables, networks: list[str]) -> Iterator[Problem]:
    bare = [name for name, network in tables.named("networks", "vip").items() if not network.vip]
    for name, frontend in tables.named("frontends").items() if networks else ():
        key = ("frontends", name, "networks")
        for network in frontend.networks:
            if network not in networks:
                message = f"{network!r} is not a network of this file"
                yield Problem("no-network", key, message, near(network, networks))
            elif network in bare:
                fix = f"give networks.{key_text(network)} a vip, or leave it out"
                yield Problem("network-without-vip", key, f"network {key_text(network)} has no VIP to listen on", fix)


def _ports(tables: Tables, written: list[str]) -> Iterator[Problem]:
    frontends: dict[str, FrontendTable] = tables.named("frontends", "port", "networks", "groups")
    vrrp: VrrpTable | None = tables.single("vrrp", "groups")
    grouped = vrrp is not None and bool(vrrp.groups)
    seen: dict[tuple[str, str, int], str] = {}
    for name, frontend in frontends.items():
        if frontend.groups and not grouped:
            continue  # it is not known on which VIPs it listens
        of_groups = (
            places(frontend, vrrp, tables.named("networks"))
            if grouped
            else ((each, "") for each in frontend.networks or written)
        )
        own = [(*place, frontend.port) for place in of_groups]
        others = [seen[place] for place in own if place in seen]
        if others:
            message = f"{frontend.port} is already the port of frontend {others[0]}"
            fix = "give each frontend its own port, or, by the key networks, its own networks"
            fix += ", or, by the key groups, its own groups" if grouped else ""
            yield Problem("port-twice", ("frontends", name, "port"), message, fix)
        for place in own:
            seen.setdefault(place, name)


def _servers(tables: Tables) -> Iterator[Problem]:
    vips = {vip.ip for network in tables.named("networks").values() for vip in network.vip}
    ports = {name: frontend.port for name, frontend in tables.named("frontends", "port").items()}
    for name, frontend in tables.named("frontends").items():
        seen: dict[tuple[Address, int | None], str] = {}
        for server, entry in frontend.servers.items():
            address, port = entry.address
            key = ("frontends", name, "servers", server)
            if server in ("FRONTEND", "BACKEND"):
                yield Problem("taken-name", key, "is a name that haproxy uses itself", "choose another name")
            if not _can_serve(address):
                fix = "give the address that the server itself has"
                yield Problem("unusable-server", key, f"{address} can't be a server's address", fix)
            if (place := getattr(address, "ipv4_mapped", None) or address) in vips:
                message = f"{place} is a VIP: connections would go in circles"
                yield Problem("server-is-vip", key, message, "give the server's own address")
            twin = seen.setdefault((address, port or ports.get(name)), server)
            if twin != server:
                message = f"is the same address and port as {twin}"
                yield Problem("server-twice", key, message, "give each server its own")


def _can_serve(address: Address) -> bool:
    """Whether a server can have it. To haproxy, 0.0.0.0 is whatever address the client has asked for: the VIP."""
    own = not (address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255")
    return own and not (address.version == 6 and address.is_link_local)


def _shares(frontends: dict[str, FrontendTable]) -> Iterator[Problem]:
    for name, frontend in frontends.items():
        key, servers = ("frontends", name, "servers"), frontend.servers.values()
        if all(each.backup for each in servers):
            fix = "leave out backup for those that are to be used first"
            yield Problem("only-backups", key, "are all backups", fix)
        elif all(each.weight == 0 for each in servers if not each.backup):
            message, fix = "have a weight of 0, and get no connections", "give at least one a weight, or leave it out"
            yield Problem("no-weight", key, message, fix)


def _https_only(frontends: dict[str, FrontendTable]) -> Iterator[Problem]:
    for name, frontend in frontends.items():
        for key in _OF_HTTPS:
            if key in frontend.model_fields_set and frontend.check != "https":
                message, fix = "is of no use to a tcp check", 'write check = "https", or leave it out'
                yield Problem("https-only", ("frontends", name, key), message, fix)


def _names(tables: Tables) -> Iterator[Problem]:
    own = {STATUS: "the place where the nodes ask each other for servers", ADMIN: "haproxy's own socket"}
    own |= {METRICS: "the place of the metrics"} if tables.single("metrics") else {}
    for name, what in own.items():
        if name in tables.names("frontends"):
            yield Problem("taken-name", ("frontends", name), f"is what lbdeploy calls {what}", "choose another name")


def _metrics_network(metrics: MetricsTable | None, networks: list[str]) -> Iterator[Problem]:
    if metrics and networks and metrics.network not in networks:
        message = f"{metrics.network!r} is not a network of this file"
        yield Problem("no-network", ("metrics", "network"), message, near(metrics.network, networks))
