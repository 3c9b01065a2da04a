"""Frontends and their servers: what hosts.toml may say of them, and what is refused."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from clusters import problems
from goldens import RICH

from lbdeploy.config.model import Cluster, Metrics, Server


def test_everything_that_a_frontend_may_have(rich: Cluster) -> None:
    """A server is an address or a table, a list of one may be written without brackets, and files are read."""
    api, ingress, inside, _ = rich.frontends
    assert api.servers[1] == Server("m2", ip_address("192.168.1.22"), 7443, max_connections=500, weight=10)
    assert api.servers[0] == Server("m1", ip_address("192.168.1.21"), 6443)
    assert [each.name for each in api.backups] == ["spare1", "spare2"]
    assert (api.allow, api.slow_start, api.check_host) == ((ip_network("10.0.0.0/8"),), 30, "kubernetes")
    assert api.check_ca == (rich.path.parent / "ca.pem").read_text()
    assert [str(vip.ip) for vip in rich.vips_of(ingress)] == ["192.168.0.10"]
    assert [str(vip.ip) for vip in rich.vips_of(inside)] == ["192.168.1.10"]
    assert rich.metrics == Metrics("management", 8404, (ip_network("192.168.1.0/24"), ip_network("2001:db8::/32")))
    assert rich.targets == ((ip_address("192.168.0.10"), 6443), (ip_address("192.168.1.10"), 6443))


# The old text, the new text, and what is said
BAD = {
    "unknown network": (
        'networks = "external"',
        'networks = "extern"',
        "frontends.ingress.networks: 'extern' is not a network of this file; did you mean external?",
    ),
    "network without a VIP": (
        'interface = "ens33"         # a node may override it: nodes.lb1.interfaces = { external = "enp1s0" }\n'
        'vip = "192.168.0.10/24"',
        'interface = "ens33"\n#',
        "frontends.ingress.networks: network external has no VIP to listen on; "
        "give networks.external a vip, or leave it out",
    ),
    "no networks": (
        'networks = "external"',
        "networks = []",
        "frontends.ingress.networks: is empty; name at least one, or leave the key out",
    ),
    "a port twice on one network": (
        'networks = ["management"]',
        'networks = ["management", "external"]',
        "frontends.inside.port: 443 is already the port of frontend ingress; "
        "give each frontend its own port, or, by the key networks, its own networks",
    ),
    "host bits": (
        'allow = "10.0.0.0/8"',
        'allow = "10.0.0.1/8"',
        "frontends.api.allow: '10.0.0.1/8' is a host within a network; "
        'write "10.0.0.0/8" for the network, or "10.0.0.1" for this host alone',
    ),
    "no network at all": (
        'allow = "10.0.0.0/8"',
        'allow = ["10.0.0.0/8", "office } accept"]',
        "frontends.api.allow: 'office } accept' is not a network; "
        'write the address of a network with its prefix length, like "10.0.0.0/8"',
    ),
    "nobody allowed": (
        'allow = "10.0.0.0/8"',
        "allow = []",
        "frontends.api.allow: is empty; name at least one, or leave the key out",
    ),
    "a path with a space": (
        '"/healthz?verbose"',
        '"/healthz http-check"',
        "frontends.api.check_path: '/healthz http-check' is not a path; write one like \"/readyz\"",
    ),
    "an address as a name": (
        'check_host = "kubernetes"\nslow',
        'check_host = "10.0.0.1"\nslow',
        "frontends.api.check_host: '10.0.0.1' is not a DNS name; write one like \"kubernetes\"",
    ),
    "a host for a tcp check": (
        'check = "https"\ncheck_path = "/healthz"\ncheck_token_file = "token"\ncheck_certificate = "client.pem"\n',
        'check_path = "/healthz"\n',
        "frontends.machine-config.check_path: is of no use to a tcp check; write check = \"https\", or leave it out",
    ),
    "an answer that HTTP does not have": (
        "check_status = [200, 401]",
        "check_status = [200, 4010]",
        "frontends.inside.check_status.1: 4010 is too large; write 599 or less",
    ),
    "weight": (
        "weight = 10",
        "weight = 257",
        "frontends.api.servers.m2.weight: 257 is too large; write 256 or less",
    ),
    "a key of a server": (
        "weight = 10",
        "wait = 10",
        "frontends.api.servers.m2.wait: unknown key; did you mean weight?",
    ),
    "a server without an address": (
        'address = "192.168.1.23", ',
        "",
        "frontends.api.servers.m3.address: is missing; "
        'add address: "address" or "address:port" (default: the frontend\'s)',
    ),
    "a server that is a number": (
        'm1 = "192.168.1.21"\nm2',
        "m1 = 21\nm2",
        'frontends.api.servers.m1: is not text; write a server in quotes, like "192.168.1.21:6443"',
    ),
    "backups alone": (
        'servers = { w1 = "192.168.1.31:30443" }',
        'servers = { w1 = { address = "192.168.1.31:30443", backup = true } }',
        "frontends.ingress.servers: are all backups; leave out backup for those that are to be used first",
    ),
    "no weight at all": (
        'servers = { w1 = "192.168.1.31:30443" }',
        'servers = { w1 = { address = "192.168.1.31:30443", weight = 0 } }',
        "frontends.ingress.servers: have a weight of 0, and get no connections; "
        "give at least one a weight, or leave it out",
    ),
    "metrics nowhere": (
        '[metrics]\nnetwork = "management"',
        '[metrics]\nnetwork = "manage"',
        "metrics.network: 'manage' is not a network of this file; did you mean management?",
    ),
    "a frontend that is called like the metrics": (
        "[frontends.machine-config]",
        "[frontends.lbdeploy-metrics]",
        "frontends.lbdeploy-metrics: is what lbdeploy calls the place of the metrics; choose another name",
    ),
    "a frontend whose socket would be haproxy's own": (
        "[frontends.machine-config]",
        "[frontends.admin]",
        "frontends.admin: is what lbdeploy calls haproxy's own socket; choose another name",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "complaint"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_told_with_its_remedy(ca_folder: Path, old: str, new: str, complaint: str) -> None:
    """One thing that is wrong gives one problem: its key, what is wrong, what would be right."""
    assert RICH.count(old) == 1
    assert problems(ca_folder, RICH.replace(old, new)) == [complaint]
