"""Servers as real clusters have them: that demand a login, and that present certificates of every kind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import SSHD_ANEW, Lab, wait_for

SERVERS = ("master1", "master2", "master3")
TOKEN_FILE, CLIENT_FILE = (f"/etc/haproxy/lbdeploy-k8s-api-{name}" for name in ("token.map", "client.pem"))


@pytest.fixture
def demanding(pair: Lab) -> Iterator[Lab]:
    """Servers that answer 401 to strangers, and a hosts.toml that has haproxy show them the token."""
    for server in SERVERS:
        pair.lab("demand", server, "token")
    folder = Path(f"/var/lib/lbdeploy-lab/{pair.id}")
    for name in ("client.token", "client.pem"):
        own = pair.file.with_name(name)
        own.write_text((folder / name).read_text())
        own.chmod(0o600)
    shown = 'check = "https"\ncheck_token_file = "client.token"\ncheck_certificate = "client.pem"'
    pair.edit('check = "tcp"', shown)
    pair.edit("interval = 10", "interval = 1")
    yield pair
    for server in SERVERS:
        pair.lab("demand", server, "nothing")
    pair.file.write_text(pair.original)
    pair.do("up")
    assert all(pair.on(node, "ls /etc/haproxy/lbdeploy-*", check=False) == "" for node in ("lb1", "lb2"))
    for name in ("client.token", "client.pem"):
        pair.file.with_name(name).unlink()


def test_servers_that_demand_a_login(demanding: Lab) -> None:
    """haproxy shows a token and a client's certificate; nobody else gets to see them, and a renewed one is a reload."""
    secrets = [demanding.file.with_name("client.token").read_text().strip()]
    secrets += [demanding.file.with_name("client.pem").read_text().splitlines()[-2]]
    told = [demanding.run("plan", "--diff"), demanding.run("render", "lb1"), demanding.run("-v", "up")]
    told += [demanding.run("--json", "plan"), demanding.run("--json", "render")]
    assert [each.code for each in told] == [3, 0, 0, 0, 0]
    assert "a secret, whose SHA-256 begins with" in told[0].out
    ready(demanding)
    assert [
        each for each in demanding.do("doctor")["findings"] if each["check"] == "readiness" and not each["ok"]
    ] == []
    only_root_reads_them(demanding, secrets)
    a_certificate_is_demanded(demanding)
    another_token(demanding, secrets)
    server_tokens(demanding, secrets[0])
    told += [
        demanding.run("rollback", "--list"),
        demanding.run("-v", "rollback"),
        demanding.run("-v", "verify", "--wait", "60"),
    ]
    assert [each.code for each in told[-3:]] == [0, 0, 6], told[-2].err
    assert "DRIFTED" in told[-1].out, "hosts.toml has another token: nothing else is wrong"
    assert secrets[0] in demanding.on("lb1", f"cat {TOKEN_FILE}"), "the token of before the last run"
    assert demanding.on("lb1", f"stat -c %a {TOKEN_FILE}") == "600"
    logs = [each.read_text() for each in Path(os.environ["XDG_STATE_HOME"]).rglob("*") if each.is_file()]
    assert logs
    for text in (*logs, *(each.out + each.err for each in told)):
        assert not [each for each in secrets if each in text]


def ready(lab: Lab) -> None:
    """As the nodes' haproxy sees them."""
    found = lab.do("verify", "--wait", "60", "--wait-for", "servers")
    assert {(each["status"], each["check_status"]) for each in found["servers"]} == {("UP", "L7OK")}


def only_root_reads_them(lab: Lab, secrets: list[str]) -> None:
    """The files are root's; haproxy.cfg has nothing of them, and stays readable."""
    for node in ("lb1", "lb2"):
        for file, secret in zip((TOKEN_FILE, CLIENT_FILE), secrets, strict=True):
            assert lab.on(node, f"stat -c '%a %U' {file}") == "600 root"
            assert secret in lab.on(node, f"cat {file}")
            assert lab.on(node, f"grep -c -e {secret} /etc/haproxy/haproxy.cfg", check=False) == "0"
        assert lab.on(node, "stat -c %a /etc/haproxy/haproxy.cfg") == "644"


def a_certificate_is_demanded(lab: Lab) -> None:
    """Of whoever connects: clients without one are turned away, the check goes on as before."""
    for server in SERVERS:
        lab.lab("demand", server, "certificate")
    url = "https://192.168.1.21:6443/readyz"
    assert lab.on("client", f"curl -sk --max-time 3 {url}", check=False) == ""
    assert lab.on("client", f"curl -sk --max-time 3 --cert {lab.file.with_name('client.pem')} {url}") == "ok"
    ready(lab)
    for server in SERVERS:
        lab.lab("demand", server, "token")


def server_tokens(lab: Lab, token: str) -> None:
    """What they demand from now on."""
    for server in SERVERS:
        Path(f"/var/lib/lbdeploy-lab/{lab.id}/hosts/{server}/token").write_text(token)


def another_token(lab: Lab, secrets: list[str]) -> None:
    """With one that has ended, servers are down, and verify says why; the new one is the only change."""
    server_tokens(lab, "another-one")
    secrets.append("another-one")
    asked = [each for each in lab.do("doctor")["findings"] if each["check"] == "readiness"]
    assert [each["fix"] for each in asked] == ["another token into check_token_file"]
    why = "it answers /readyz with 401"  # while a check is being made, haproxy does not tell which status it was
    found = wait_for(lambda: [f for f in lab.do("verify", code=6)["findings"] if why in f["detail"]], 30)
    assert "L7STS" in found[0]["detail"]
    assert found[0]["fix"].startswith("the token of check_token_file has ended")
    lab.file.with_name("client.token").write_text("another-one\n")
    changes = lab.do("up")["changes"]
    assert {(each["kind"], each["name"], each["action"]) for each in changes} == {
        ("file", TOKEN_FILE, "update"),
        ("service", "haproxy", "reload"),
    }
    ready(lab)


def test_certificates_that_servers_present(pair: Lab) -> None:
    """verify shakes hands with each server: names, end and authority are told, with what to do; up asks none."""
    assert certificates(pair) == {(True, "")}
    told = {
        "without-vips": "the certificate of k8s-api/master2 (192.168.1.22) is not for 192.168.0.10 and 192.168.1.10",
        "expiring": "the certificate of k8s-api/master2 (192.168.1.22) ends in 9 days",
        "other-authority": "different authorities have signed the certificates of k8s-api's servers",
        "expired": "the certificate of k8s-api/master2 (192.168.1.22) has ended, on ",
    }
    try:
        for kind, detail in told.items():
            pair.lab("certificate", "master2", kind)
            found = pair.do("verify", code=6 if kind == "expired" else 0)["findings"]
            (of,) = [each for each in found if each["check"] == "certificate" and not each["ok"]]
            assert of["detail"].startswith(detail), of
            assert "docs/howto/certificates.md" in of["fix"] or kind == "other-authority"
        assert not [each for each in pair.do("up")["findings"] if each["check"] == "certificate"]
        pair.lab("demand", "master2", "certificate")
        pair.lab("certificate", "master2", "without-vips")
        assert certificates(pair) == {(False, "k8s-api/master2")}, "a client without one sees it, too"
    finally:
        pair.lab("demand", "master2", "nothing")
        pair.lab("certificate", "master2", "good")
    nobody_forwards(pair)


def certificates(lab: Lab) -> set[tuple[bool, str]]:
    """What verify finds of certificates, all else being well."""
    found = lab.do("verify", "--wait", "30")["findings"]
    return {(each["ok"], each.get("subject", "")) for each in found if each["check"] == "certificate"}


def nobody_forwards(lab: Lab) -> None:
    """Where sshd forwards no connections, that is said, and is no problem."""
    for node in ("lb1", "lb2"):
        lab.on(node, f"echo 'AllowTcpForwarding no' > /etc/ssh/sshd_config.d/none.conf && {SSHD_ANEW}")
    try:
        found = lab.do("verify")["findings"]
    finally:
        for node in ("lb1", "lb2"):
            lab.on(node, f"rm /etc/ssh/sshd_config.d/none.conf && {SSHD_ANEW}")
    (of,) = [each for each in found if each["check"] == "certificate"]
    assert (of["ok"], of["detail"][:37]) == (True, "not looked at: sshd on the nodes forw")


@pytest.mark.slow
def test_a_server_that_nobody_here_wrote(pair: Lab, tmp_path: Path) -> None:
    """openssl s_server in the place of a stand-in: haproxy checks it, its certificate is judged, it is drained."""
    pair.edit('check = "tcp"', 'check = "https"')
    pair.edit("interval = 10", "interval = 1")
    pair.do("up")
    with openssls_server(pair, tmp_path):
        found = pair.do("verify", "--wait", "60", "--wait-for", "servers")
        assert {(each["status"], each["check_status"]) for each in found["servers"]} == {("UP", "L7OK")}
        told = " ".join(
            each["detail"] for each in found["findings"] if each["check"] == "certificate" and not each["ok"]
        )
        assert "master2 (192.168.1.22) ends in 4 days" in told
        assert "is not for 192.168.0.10 and 192.168.1.10" in told
        assert "different authorities" in told
        for server in ("master1", "master3"):
            pair.do("drain", server)
        url = "https://192.168.0.10:6443/readyz"
        assert pair.on("client", f"curl -sk --max-time 5 {url}") == "ok, says openssl"
        assert "last server" in pair.do("drain", "master2", code=1)["error"]["message"]
        for server in ("master1", "master3"):
            pair.do("undrain", server)


@contextmanager
def openssls_server(lab: Lab, folder: Path) -> Iterator[None]:
    """At master2's address; it answers with files of the folder, and has a certificate of its own for five days."""
    (folder / "readyz").write_text("ok, says openssl\n")
    made = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 5 -subj /CN=kubernetes"
    subprocess.run(["openssl", *made.split()], cwd=folder, check=True, capture_output=True)
    lab.lab("stop", "master2")
    served = "openssl s_server -accept 192.168.1.22:6443 -key key.pem -cert cert.pem -WWW -quiet"
    argv = f"ip netns exec {lab.namespace('master2')} {served}".split()
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield
        finally:
            server.terminate()
    lab.lab("start", "master2")
