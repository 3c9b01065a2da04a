"""Frontends and their servers: what hosts.toml may say of them, what comes of it on a node, and what is found wrong."""

from __future__ import annotations

import base64
import re
import socket
import struct
import subprocess
import threading
import time
import tomllib
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from builders import cluster, observe, plans, server
from goldens import HEAD, RICH, beside
from jsonschema import Draft4Validator
from syrupy.assertion import SnapshotAssertion

from lbdeploy.common.shell import Raw
from lbdeploy.config.json_schema import json_schema
from lbdeploy.config.model import Cluster, Metrics, Server
from lbdeploy.errors import HostsFileError
from lbdeploy.health.finding import Finding
from lbdeploy.health.servers import lost_servers
from lbdeploy.health.verdict import judge
from lbdeploy.lab.machine.apiserver import proxied
from lbdeploy.node.network_listener import Heard
from lbdeploy.node.observation import NodeProbeScript
from lbdeploy.node.resources import Gone, Service
from lbdeploy.node.resources.base import Answer
from lbdeploy.operations.doctor import node_checks
from lbdeploy.operations.doctor.examination import Checkup
from lbdeploy.operations.down_steps import original
from lbdeploy.operations.outage.client import Prober
from lbdeploy.planning.desired import HAPROXY_CFG, OWN_CAS, ca_files, desired, files
from lbdeploy.planning.lint.lint import lint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the certificate of a CA, and with its key beside a server's certificate."""
    beside(tmp_path)
    return tmp_path


@pytest.fixture
def rich(folder: Path) -> Cluster:
    """Every kind of frontend, and metrics."""
    return cluster(folder, RICH)


def test_metrics_may_have_a_frontends_port(folder: Path) -> None:
    """They are on the node's own address, where no frontend is."""
    text = haproxy_cfg(cluster(folder, RICH.replace("[metrics]", "[metrics]\nport = 443")))
    binds = re.findall(r"bind (\S+:443)$", text, re.MULTILINE)
    assert binds == ["192.168.0.10:443", "192.168.1.10:443", "192.168.1.11:443"]


def haproxy_cfg(cluster: Cluster, node: str = "lb1") -> str:
    return next(each.content for each in files(cluster, cluster.node(node)) if each.path == HAPROXY_CFG)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a hosts.toml, without its line."""
    with pytest.raises(HostsFileError) as caught:
        cluster(folder, text)
    return [f"{each.key}: {each.message}; {each.fix}" for each in caught.value.problems]


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


@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_haproxy_cfg_with_everything(rich: Cluster, node: str, snapshot: SnapshotAssertion) -> None:
    """All of it in one file; the nodes' files differ by their names and by where the metrics are to be had."""
    assert haproxy_cfg(rich, node) == snapshot


def test_the_ca_lies_on_the_node_before_haproxy_reads_it(rich: Cluster) -> None:
    """The certificates are a file of the plan, staged before haproxy.cfg is validated, and a new one is a reload."""
    path = "/etc/haproxy/lbdeploy-api-ca.crt"
    paths = [each.path for each in files(rich, rich.preferred)]
    assert paths.index(path) < paths.index(HAPROXY_CFG)
    assert ca_files(rich) == {path: (rich.path.parent / "ca.pem").read_text()}
    haproxy = next(e for e in desired(rich, rich.preferred) if isinstance(e, Service) and e.unit == "haproxy")
    assert haproxy.watches == (HAPROXY_CFG, path)


def test_a_ca_that_no_frontend_names_any_more_is_removed(rich: Cluster) -> None:
    """By the next `up`, once haproxy reads it no more; and all of them by `down`."""
    old = f"{OWN_CAS}old.eu-ca.crt"
    line = " ".join((old, base64.b64encode(b"x").decode()))
    kept = " ".join((f"{OWN_CAS}api-ca.crt", base64.b64encode(b"x").decode()))
    (now,) = (each for each in desired(rich, rich.preferred) if isinstance(each, Gone) and each.late)
    (leaving,) = (each for each in original(purge=False) if isinstance(each, Gone) and each.late)
    for gone, names in ((now, [old]), (leaving, [old, f"{OWN_CAS}api-ca.crt"])):
        assert f"{OWN_CAS}*" in gone.patterns
        assert [each.name for each in gone.compare(gone.read(Answer(f"{line}\n{kept}\n")), ())] == names


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
        'check = "https"\ncheck_path = "/healthz"\n',
        'check_path = "/healthz"\n',
        "frontends.machine-config.check_path: is of no use to a tcp check; write check = \"https\", or leave it out",
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
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "complaint"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_told_with_its_remedy(folder: Path, old: str, new: str, complaint: str) -> None:
    """One thing that is wrong gives one problem: its key, what is wrong, what would be right."""
    assert RICH.count(old) == 1
    assert problems(folder, RICH.replace(old, new)) == [complaint]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't be read: No such file or directory"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "holds no certificate in PEM that can be"),
        (b"\x30\x82\xff\xfe", "is not PEM, which is text"),
        (b"", "holds no certificate in PEM"),
        (b"x" * 200_001, "is larger than 200 kB"),
        ("server.pem", "holds a private key, which must not leave this machine"),
    ],
)
def test_a_ca_that_is_none_is_a_problem_of_hosts_toml(folder: Path, content: bytes | str | None, message: str) -> None:
    """It is found offline, with its line; and a key that lies in the same file is never sent anywhere."""
    path = folder / "ca.crt"
    path.unlink()
    if content is not None:
        path.write_bytes((folder / content).read_bytes() if isinstance(content, str) else content)
    (found,) = problems(folder, RICH)
    assert found.startswith(f"frontends.api.check_ca_file: {path} {message}")
    assert found.endswith("; name a file with the certificate of the servers' CA, as PEM")


def test_a_file_with_everything_is_valid_for_editors(folder: Path) -> None:
    """The JSON Schema takes what lbdeploy takes, and refuses a server's table with a key that it has not."""
    validator = Draft4Validator(json_schema())
    assert list(validator.iter_errors(tomllib.loads(RICH))) == []
    wrong = tomllib.loads(RICH.replace("weight = 10", "wait = 10"))
    assert [list(each.absolute_path) for each in validator.iter_errors(wrong)] == [
        ["frontends", "api", "servers", "m2"]
    ]


def test_what_can_not_work_is_warned_of(folder: Path) -> None:
    """kube-apiserver understands no PROXY header; a name that nobody verifies is no protection. Nothing else is odd."""
    text = RICH.replace('allow = "10.0.0.0/8"', "proxy_protocol = true")
    found = [(each.severity, each.message) for each in lint(cluster(folder, text))]
    assert [severity for severity, _ in found] == ["warning", "warning"]
    assert found[0][1].startswith("frontends.api.proxy_protocol: kube-apiserver (port 6443)")
    assert found[1][1].startswith("frontends.inside.check_host: servers are told the name")


def test_a_vip_without_a_frontend_is_warned_of(folder: Path) -> None:
    """It would float, and nobody would answer there."""
    text = HEAD + '[frontends.api]\nport = 6443\nnetworks = "external"\nservers = { m1 = "192.168.1.21" }\n'
    (found,) = lint(cluster(folder, text))
    assert (found.severity, found.message) == ("warning", "no frontend listens on the VIP 192.168.1.10")


def findings(rich: Cluster, **changes: object) -> list[Finding]:
    seen = [replace(observe(rich, node, holds=node is rich.preferred), **changes) for node in rich.nodes]  # type: ignore[arg-type]
    return [each for each in judge(rich, seen, plans(rich, *seen)).findings if not each.ok]


def seen_as(rich: Cluster, **status: str) -> dict[str, object]:
    """haproxy's servers, all of them up but those of the API that are named."""
    servers = (server(f.name, s.name, status.get(s.name, "UP") if f.name == "api" else "UP") for f, s in rich.servers())
    return {"servers": tuple(servers)}


@pytest.mark.parametrize("status", ["UP", "DRAIN"])
def test_who_weighs_nothing_is_no_fault(rich: Cluster, status: str) -> None:
    """A server of weight 0 is as it should be, whatever haproxy calls that, and so is a backup that is not used."""
    assert findings(rich, **seen_as(rich, m3=status)) == []
    was, now = (replace(observe(rich, rich.preferred), **seen_as(rich, m3=each)) for each in ("UP", status))  # type: ignore[arg-type]
    assert list(lost_servers(rich, was, now, [])) == []


def test_backups_that_serve_alone_are_a_warning(rich: Cluster) -> None:
    """Clients are served, so it is no failure; a server of weight 0 that is up is none that serves."""
    found = findings(rich, **seen_as(rich, m1="DOWN", m2="DOWN"))
    assert {(each.check, each.warning) for each in found} == {("backup", True), ("server", True)}
    assert {each.detail for each in found if each.check == "backup"} == {
        "api is served by its backup servers only: none of the others is up"
    }
    found = findings(rich, **seen_as(rich, m1="DOWN", m2="DOWN", spare1="DOWN", spare2="DOWN"))
    assert {each.detail for each in found if each.failed} == {"api has 0 of 4 servers up"}


def test_metrics_that_are_not_to_be_had_are_a_finding(rich: Cluster) -> None:
    """Where hosts.toml wants metrics, each node is asked for them at its own address."""
    found = findings(rich, metrics=("192.168.1.11 port 8404", False))
    assert {each.detail for each in found} == {"haproxy's metrics are not available at 192.168.1.11 port 8404"}
    assert all(each.failed and each.check == "metrics" for each in found)
    assert findings(rich, metrics=("192.168.1.11 port 8404", True)) == []


@pytest.mark.parametrize(
    ("answer", "ok"), [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 403 Forbidden\r\n\r\n", False), (b"", False)]
)
def test_the_probe_asks_for_metrics(rich: Cluster, answer: bytes, ok: bool) -> None:
    """What it prints is read as whether they came; the script asks for the metrics of the node's own haproxy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answering, args=(listener, answer), daemon=True).start()
        metrics = Metrics("management", listener.getsockname()[1])
        node = replace(rich.preferred, addresses={**rich.preferred.addresses, "management": ip_address("127.0.0.1")})
        probe = NodeProbeScript(replace(rich, metrics=metrics), node, [])
        probe.probes = {key: each if key == "metrics" else Raw(":") for key, each in probe.probes.items()}
        text = subprocess.run(["sh", "-s"], check=True, capture_output=True, input=probe.script().encode()).stdout
    assert probe.read(text.decode()).metrics == (f"127.0.0.1 port {metrics.port}", ok)
    assert "metrics" not in NodeProbeScript(replace(rich, metrics=None), node, []).probes


def answering(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(answer)


def test_frontends_are_asked_where_they_listen(rich: Cluster) -> None:
    """A frontend of one network is not asked on the VIPs of another."""
    script = f"{NodeProbeScript(rich, rich.preferred, []).probes['vips']}\n"
    asked = [line for line in script.splitlines() if line.startswith("ask 192")]
    assert asked == [
        "ask 192.168.0.10 6443 &", "ask 192.168.0.10 443 &", "ask 192.168.0.10 22623 &",
        "ask 192.168.1.10 6443 &", "ask 192.168.1.10 443 &", "ask 192.168.1.10 22623 &",
    ]  # fmt: skip
    alone = replace(rich, frontends=rich.frontends[1:2])
    asked = [
        line
        for line in f"{NodeProbeScript(alone, rich.preferred, []).probes['vips']}\n".splitlines()
        if "ask 192" in line
    ]
    assert asked == ["ask 192.168.0.10 443 &"]
    assert alone.targets == ((ip_address("192.168.0.10"), 443),)


@pytest.mark.parametrize(
    ("listens", "what"),
    [
        ("192.168.0.10:443", "port 443 of frontend ingress"),
        ("192.168.1.10:443", "port 443 of frontend inside"),
        ("*:8404", "port 8404 of the metrics"),
        ("192.168.1.11:8404", "port 8404 of the metrics"),
        ("192.168.0.11:8404", None),
        ("192.168.1.11:443", None),
    ],
)
def test_who_else_listens_is_told_with_what_for(rich: Cluster, listens: str, what: str | None) -> None:
    """Only where haproxy is to listen: a frontend on its networks' VIPs, the metrics on the node's own address."""
    line = f'LISTEN 0 511 {listens} 0.0.0.0:* users:(("nginx",pid=9,fd=5))'
    seen = observe(rich, rich.preferred, marks={"listening": Answer(line)})
    found = [each for each in node_checks.problems(rich, Checkup(seen, Heard())) if each.check == "port"]
    told = f"{what} is in use: nginx (process 9) listens on {listens.rpartition(':')[0]}"
    assert [each.detail for each in found] == ([told] if what else [])


HEADER = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (HEADER + b"\x21\x11\0\x0c" + bytes((10, 0, 0, 7, 10, 0, 0, 1)) + b"\x30\x39\x01\xbb", ("10.0.0.7", 12345)),
        (
            HEADER + b"\x21\x21\0\x24" + ip_address("2001:db8::7").packed + bytes(16) + b"\x30\x39\x01\xbb",
            ("2001:db8::7", 12345),
        ),
        (HEADER + b"\x20\0\0\0", None),  # LOCAL: a check of haproxy's own
        (HEADER + b"\x21\x31\0\x04abcd", None),  # through a UNIX socket
        (b"", None),
    ],
)
def test_the_labs_servers_read_proxy_headers(sent: bytes, client: tuple[str, int] | None) -> None:
    """The client that the header names; what follows the header stays to be read."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(sent + b"\x16hello")
        assert proxied(here) == client
        assert here.recv(9) == b"\x16hello"


def test_a_vip_that_refuses_this_machine_is_known_before_anything_is_broken() -> None:
    """Connections that are cut off at once are those of somebody who is not allowed; silence is something else."""
    refusing, mute = ip_address("127.0.0.1"), ip_address("127.0.0.2")
    with socket.create_server((str(refusing), 0)) as one, socket.create_server((str(mute), 0)) as other:
        threading.Thread(target=cutting, args=(one,), daemon=True).start()
        with Prober([(refusing, one.getsockname()[1]), (mute, other.getsockname()[1])]) as prober:
            time.sleep(0.4)
        assert prober.refused == [refusing]


def cutting(listener: socket.socket) -> None:
    """Cut off each connection, as haproxy does: by a reset."""
    try:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    except OSError:
        return
