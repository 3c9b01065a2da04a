"""Several frontends of different kinds on the pair, judged by clients inside the lab and by haproxy's own socket."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Lab, wait_for

from lbdeploy.config import reader
from lbdeploy.lab import commands
from lbdeploy.lab.machine.keys import make_certificate

SETTINGS = """\
[metrics]
network = "management"
allow = ["192.168.1.253"]

[frontends.k8s-api]
port = 6443
allow = ["192.168.0.254", "192.168.1.254/32"]
max_connections = 20000
balance = "leastconn"
check = "https"
check_path = "/healthz"
check_ca_file = "ca.crt"
check_host = "kubernetes"
interval = 1
slow_start = 20
[frontends.k8s-api.servers]
master1 = "192.168.1.21"
master2 = { address = "192.168.1.22:6443", max_connections = 500, weight = 10 }
master3 = { address = "192.168.1.23", weight = 0 }
spare = { address = "192.168.1.24", backup = true }

[frontends.ingress]
port = 443
networks = "external"
balance = "source"
proxy_protocol = true
interval = 1
[frontends.ingress.servers]
worker1 = "192.168.1.21:30443"
worker2 = "192.168.1.24:30443"

[frontends.inside]
port = 443
networks = ["management"]
check = "https"
proxy_protocol = true
interval = 1
[frontends.inside.servers]
worker1 = "192.168.1.21:31443"
worker2 = "192.168.1.24:31443"
"""
API, INGRESS, INSIDE = "192.168.0.10:6443", "192.168.0.10:443", "192.168.1.10:443"


@pytest.fixture
def several(pair: Lab) -> Iterator[Lab]:
    """The pair with frontends of every kind, checked by the CA of the lab's own servers."""
    head = pair.original.partition("[frontends.")[0]
    pair.file.write_text(head + SETTINGS.replace('check_ca_file = "ca.crt"\n', ""))
    pair.lab("up")  # its servers have addresses that they had not, and so another certificate
    ca = pair.file.with_name("ca.crt")
    ca.write_text(signer(pair))
    pair.file.write_text(head + SETTINGS)
    yield pair
    # Before the lab's servers get another certificate, which the nodes' CA has not signed.
    pair.file.write_text(pair.original)
    pair.do("up")
    ca.unlink()
    for node in ("lb1", "lb2"):
        assert pair.on(node, "ls /etc/haproxy/lbdeploy-*", check=False) == ""


def signer(lab: Lab) -> str:
    """The certificate of the CA that has signed those of the lab's servers."""
    return Path(f"/var/lib/lbdeploy-lab/{lab.id}/ca.pem").read_text()


def stat(lab: Lab, frontend: str, server: str, node: str = "lb1") -> dict[str, str]:
    """A row of `show stat`, as a node's haproxy tells it."""
    lines = lab.on(node, "echo 'show stat' | socat - /run/haproxy/admin.sock").removeprefix("# ").splitlines()
    return next(row for row in csv.DictReader(lines) if (row["pxname"], row["svname"]) == (frontend, server))


def version(lab: Lab, where: str) -> dict[str, str]:
    """Which server answers the client there, and whom it believes to be asked by; {} where nothing answers."""
    text = lab.on("client", f"curl -sk --max-time 3 https://{where}/version", check=False)
    return dict(json.loads(text)) if text else {}


def code(lab: Lab, where: str, url: str) -> str:
    """The status of an HTTP answer; 000 where there is none."""
    return lab.on(where, f"curl -sk -o /dev/null --max-time 3 -w '%{{http_code}}' {url}", check=False)


def test_frontends_of_every_kind_at_once(several: Lab, tmp_path: Path) -> None:
    """One `up` makes an API, two ingresses on one port, and metrics; each setting does what it is for, on the nodes."""
    a_port_in_use_is_not_taken(several)
    several.do("up")
    several.do("verify", "--wait", "60")
    assert several.do("up")["changes"] == []
    checked(several)
    limited(several)
    told_the_client(several)
    refused_but_to_the_clients(several)
    metrics_on_the_nodes_own_address(several)
    drilled_from_where_it_is_refused(several)
    backup_takes_over(several)
    a_foreign_ca_is_not_let_through(several, tmp_path)


def a_port_in_use_is_not_taken(lab: Lab) -> None:
    """Who listens where the metrics are to be is named before anything is swapped, on the node where that is."""
    lab.on("lb2", "systemd-run -q --unit=squatter socat TCP-LISTEN:8404,bind=192.168.1.12,fork PIPE")
    try:
        refused = lab.run("up")
    finally:
        lab.on("lb2", "systemctl stop squatter")
    assert refused.code == 7, refused.err
    assert "192.168.1.12:8404 is in use" in refused.err
    assert "socat" in refused.err
    assert all("metrics" not in lab.on(node, "cat /etc/haproxy/haproxy.cfg") for node in ("lb1", "lb2"))


def checked(lab: Lab) -> None:
    """The https check asks for the path, by the name, and verifies the chain; balance is as it is written."""
    for node in ("lb1", "lb2"):
        assert lab.on(node, "cat /etc/haproxy/lbdeploy-k8s-api-ca.crt") == signer(lab).strip()
        wait_for(
            lambda on=node: answers(lab, on) == {("UP", "L7OK", "200")}, 10
        )  # while a check is made, it has a star
    assert stat(lab, "k8s-api", "BACKEND")["algo"] == "leastconn"
    # While a check is made, its name follows a star.
    assert stat(lab, "ingress", "worker1")["check_status"].removeprefix("* ") == "L4OK"
    assert stat(lab, "inside", "worker1")["check_status"].removeprefix("* ") == "L7OK"
    assert lab.on("lb1", "ss -Hltn | grep -c ':443 '") == "2"


def answers(lab: Lab, node: str) -> set[tuple[str, str, str]]:
    """How the servers of the API have answered a node."""
    rows = [stat(lab, "k8s-api", each, node) for each in ("master1", "master2", "master3", "spare")]
    return {(row["status"], row["check_status"], row["check_code"]) for row in rows}


def limited(lab: Lab) -> None:
    """haproxy knows the limits and weights; who weighs nothing gets nothing."""
    assert stat(lab, "k8s-api", "FRONTEND")["slim"] == "20000"
    assert stat(lab, "k8s-api", "master2")["slim"] == "500"
    assert stat(lab, "k8s-api", "master3")["weight"] == "0"
    assert {version(lab, API)["server"] for _ in range(12)} <= {"master1", "master2"}


def told_the_client(lab: Lab) -> None:
    """The servers behind PROXY are told the client's own address, the others see a node's; `source` stays."""
    answers = [version(lab, INGRESS) for _ in range(6)]
    assert {each["client"] for each in answers} == {"192.168.0.254"}
    assert len({each["server"] for each in answers}) == 1
    inside = [version(lab, INSIDE) for _ in range(6)]
    assert {each["client"] for each in inside} == {"192.168.1.254"}
    assert {each["server"] for each in inside} == {"master1", "spare"}
    assert version(lab, API)["client"] in ("192.168.1.11", "192.168.1.10")


def refused_but_to_the_clients(lab: Lab) -> None:
    """Who is in `allow` is served, and the cluster's own nodes, also from the VIP itself; everybody else is cut off."""
    url = f"https://{API}/readyz"
    (holder,) = lab.holder("192.168.0.10")
    peer = {"lb1": "lb2", "lb2": "lb1"}[holder]
    assert code(lab, "client", url) == "200"
    assert code(lab, "operator", url) == "000"
    assert code(lab, "operator", f"https://{INGRESS}/readyz") == "200"
    hello = "exec 3<>/dev/tcp/192.168.0.10/6443; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -c 12 <&3"
    for node in (holder, peer):
        assert lab.on(node, f'timeout 3 bash -c "{hello}"') == "HTTP/1.0 400"
    assert lab.on("operator", f'timeout 3 bash -c "{hello}" 2>/dev/null', check=False) == ""


def metrics_on_the_nodes_own_address(lab: Lab) -> None:
    """Prometheus gets them from each node's address on that network alone, and only who is in `allow`."""
    for address in ("192.168.1.11", "192.168.1.12"):
        text = lab.on("operator", f"curl -s --max-time 3 http://{address}:8404/metrics")
        assert 'haproxy_server_status{proxy="ingress",server="worker1",state="UP"} 1' in text
        assert "spare" in lab.on("operator", f"curl -s --max-time 3 http://{address}:8404/stats")
        assert code(lab, "client", f"http://{address}:8404/metrics") == "403"
    for address in ("192.168.1.10", "192.168.0.11", "192.168.0.10"):
        assert code(lab, "operator", f"http://{address}:8404/metrics") == "000"


def drilled_from_where_it_is_refused(lab: Lab) -> None:
    """`drill` says before the break that the VIPs cut this machine off, and measures as the other node sees it."""
    done = lab.run("--json", "drill", "haproxy")
    assert done.code == 0, done.out + done.err
    assert done.err.index("192.168.0.10 refuses this machine") < done.err.index("haproxy is stopped")
    assert {(each["client"], each["reached"]) for each in done.json["views"]} == {("here", False), ("lb2", True)}
    assert 0 < done.json["outage_ms"] < 3000
    wait_for(lambda: lab.holder("192.168.0.10") == ["lb1"])


def backup_takes_over(lab: Lab) -> None:
    """The spare serves while all others are stopped, which `verify` warns of; who comes back is started slowly."""
    for name in ("master1", "master2", "master3"):
        lab.lab("stop", name)
    wait_for(lambda: version(lab, API).get("server") == "spare")
    wait_for(lambda: version(lab, INGRESS).get("server") == "spare")
    wait_for(lambda: stat(lab, "k8s-api", "master3", "lb2")["status"] == "DOWN")
    findings = lab.do("verify")["findings"]
    assert {(each["severity"], each["node"]) for each in findings if each["check"] == "backup"} == {
        ("warning", "lb1"),
        ("warning", "lb2"),
    }
    for name in ("master1", "master2", "master3"):
        lab.lab("start", name)
    wait_for(lambda: stat(lab, "k8s-api", "master2")["status"] == "UP")
    assert 1 <= int(stat(lab, "k8s-api", "master2")["weight"]) < 10
    wait_for(lambda: version(lab, API).get("server") in ("master1", "master2"))


def a_foreign_ca_is_not_let_through(lab: Lab, folder: Path) -> None:
    """A CA that signed no server, or a name that none has, makes them DOWN: `up` takes that back, nobody notices."""
    assert lab.do("verify", "--wait", "60")["ok"]
    before = lab.on("lb2", "cat /etc/haproxy/lbdeploy-k8s-api-ca.crt /etc/haproxy/haproxy.cfg | sha256sum")
    lab.edit('check_host = "kubernetes"', 'check_host = "kubernetes.example.org"')
    done = lab.run("up")
    assert (done.code, "was up before the change" in done.err) == (7, True), done.err
    lab.edit('check_host = "kubernetes.example.org"', 'check_host = "kubernetes"')
    make_certificate(folder, ["kubernetes"])
    lab.file.with_name("ca.crt").write_text((folder / "ca.pem").read_text())
    done = lab.run("up")
    assert (done.code, "was up before the change" in done.err) == (7, True), done.err
    assert "L6RSP" in done.err
    assert lab.on("lb2", "cat /etc/haproxy/lbdeploy-k8s-api-ca.crt /etc/haproxy/haproxy.cfg | sha256sum") == before
    assert code(lab, "client", f"https://{API}/readyz") == "200"


def test_answers_that_mean_ready(pair: Lab) -> None:
    """`check_status` says which; `verify` says in words what a server answers instead."""
    pair.edit('check = "tcp"', 'check = "https"\ncheck_path = "/nothing"\ncheck_status = [200, 404]')
    pair.do("up")
    found = pair.do("verify", "--wait", "60", "--wait-for", "servers")
    assert {(each["status"], each["check_status"]) for each in found["servers"]} == {("UP", "L7OK")}
    pair.edit('check_path = "/nothing"\ncheck_status = [200, 404]', "interval = 1")
    pair.edit("interval = 10\n", "")
    pair.do("up")
    commands.drain(reader.load(pair.file), "master1")
    try:
        told = wait_for(
            lambda: [
                each
                for each in pair.do("verify")["findings"]
                if each["check"] == "server"
                and "L7STS" in each["detail"]
                and each["detail"].endswith("it answers /readyz with 500")
            ],
            60,
        )
    finally:
        commands.undrain(reader.load(pair.file), "master1")
    assert told[0]["fix"].endswith("curl -k https://192.168.1.21:6443/readyz?verbose")
