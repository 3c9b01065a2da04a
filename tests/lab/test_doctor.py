"""`lbdeploy doctor` on nodes: all is well, or everything that is not, in one run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import VIPS, Lab, wait_for
from strangers import stranger

from lbdeploy.lab.host.paths import SWITCH

AHEAD = (
    r'printf "#!/bin/sh\nexec /bin/date -d \"+1 hour\" \"\$@\"\n" > /usr/local/sbin/date; chmod +x /usr/local/sbin/date'
)
HOLD = (
    "use Fcntl; open(F, '+<', '/var/lib/dpkg/lock-frontend');"
    "fcntl(F, F_SETLK, my \\$l = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0)); sleep 60"
)
LISTEN = (
    "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(6443, INADDR_ANY));listen(S, 1); sleep 60"
)
NETWORK = r"[Match]\nName=ens33\n[Network]\nAddress=192.168.0.11/24\n"
FILE = "/run/systemd/network/10-netplan-ens33.network"
FAULTS = {
    "lb1": (
        "ip rule add pref 1 ipproto 112 prohibit",
        f"mkdir -p {FILE.rpartition('/')[0]}; printf '{NETWORK}' > {FILE}; systemctl start systemd-networkd",
        f'systemd-run -q --unit planted-lock perl -e "{HOLD}"',
        "mkdir -p /etc/keepalived; echo 'vrrp_instance x {' > /etc/keepalived/keepalived.conf",
    ),
    "lb2": (
        AHEAD,
        "mkdir -p /var/lib/lbdeploy; mount -t tmpfs -o size=600k planted /var/lib/lbdeploy",
        "echo deb http://192.0.2.1/debian bookworm main > /etc/apt/sources.list.d/planted.list",
        f'systemd-run -q --unit planted-port perl -e "{LISTEN}"',
    ),
}
MENDED = {
    "lb1": f"ip rule del pref 1; rm -r {FILE} /etc/keepalived; "
    "systemctl stop planted-lock systemd-networkd.socket systemd-networkd",
    "lb2": "rm /usr/local/sbin/date /etc/apt/sources.list.d/planted.list; umount /var/lib/lbdeploy; "
    "systemctl stop planted-port",
}

# Files of the last hour with their times, and what doctor might leave behind.
TOUCHED = (
    "find /etc /var/lib/lbdeploy /var/lib/dpkg -newermt '-1 hour' -type f | sort | xargs ls -l --time-style=full-iso;"
    "ls -d /run/lbdeploy-doctor* 2>&1"
)


@contextmanager
def foreigner(lab: Lab, vip: str) -> Iterator[str]:
    """The client answers for a VIP of the external network; its MAC."""
    link = lab.on("client", "ip -4 -o addr show to 192.168.0.0/24").split()[1]
    lab.on("client", f"ip addr add {vip}/32 dev {link}")
    try:
        yield lab.on("client", f"cat /sys/class/net/{link}/address")
    finally:
        lab.on("client", f"ip addr del {vip}/32 dev {link}")
        for node in ("lb1", "lb2"):  # it would believe in that MAC for half a minute
            lab.on(node, f"ip neigh flush to {vip}")


# A port of a cloud: no frame with this address as its sender comes from a machine that it was not given to.
SPOOFED = """\
add table bridge spoofed
add chain bridge spoofed sent {{ type filter hook forward priority 0; }}
add rule bridge spoofed sent ip saddr {vip} counter drop
add rule bridge spoofed sent arp saddr ip {vip} counter drop
"""


@contextmanager
def not_allowed(lab: Lab, vip: str) -> Iterator[None]:
    """The lab's switch drops what comes from a VIP, by the nft of a node, since this machine may have none."""
    lab.on("lb2", "apt-get -q update >/dev/null && apt-get -q -y install --no-install-recommends nftables >/dev/null")

    def nft(rules: str) -> None:
        argv = [
            "ip",
            "netns",
            "exec",
            lab.namespace(SWITCH),
            "chroot",
            str(lab.root("lb2")),
            "/usr/sbin/nft",
            "-f",
            "-",
        ]
        subprocess.run(argv, input=rules, text=True, check=True, timeout=30, capture_output=True)

    nft(SPOOFED.format(vip=vip))
    try:
        for where in ("lb2", "client"):  # they know the holder's MAC already
            lab.on(where, f"ip neigh flush to {vip}")
        yield
    finally:
        nft("delete table bridge spoofed")
        lab.on("lb2", "apt-get -q -y purge --autoremove nftables >/dev/null")


def wrong(document: Any) -> dict[tuple[str | None, str], str]:
    """What is not ok, by node and check: the message, and what to do."""
    bad = [each for each in document["findings"] if not each["ok"]]
    assert all(each["fix"] for each in bad)
    return {(each["node"], each["check"]): f"{each['severity']}: {each['detail']}" for each in bad}


def test_everything_that_is_wrong_with_bare_nodes_is_told_in_one_run(session_lab: Lab) -> None:
    """A dozen things at once, on both nodes and around them, each by its id with what to do; nothing is changed."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")
    try:
        for node, commands in FAULTS.items():
            lab.on(node, "; ".join(commands))
        lab.edit("[nodes.lb2]", '[nodes.lb2]\ninterfaces = { external = "ens34" }')
        with foreigner(lab, "192.168.0.10") as mac, stranger(lab, 101) as address:
            found = wrong(lab.do("doctor", code=6))
            ignored = wrong(lab.do("doctor", "--ignore", "clock", "--limit", "lb2", code=6))
    finally:
        lab.file.write_text(lab.original)
        for node, command in MENDED.items():
            lab.on(node, command, check=False)
    assert found.keys() >= {
        ("lb1", "firewall"), ("lb1", "network-manager"), ("lb1", "apt-lock"), ("lb1", "foreign-config"),
        ("lb2", "clock"), ("lb2", "disk"), ("lb2", "apt-sources"), ("lb2", "port"), ("lb2", "interface"),
        (None, "vip-in-use"), (None, "vrid-in-use"),
    }  # fmt: skip
    assert found["lb1", "firewall"].startswith("error: can't send VRRP (IP protocol 112) from lb1")
    assert "perl (process" in found["lb1", "apt-lock"]
    assert found["lb2", "interface"] == "error: has no interface ens34, for network external"
    assert found["lb2", "port"].startswith("error: port 6443 of frontend k8s-api is in use: perl")
    assert found["lb2", "apt-sources"].startswith("error: can't fetch from its apt source http://192.0.2.1/debian")
    assert mac in found[None, "vip-in-use"]
    assert f"adverts come from {address}" in found[None, "vrid-in-use"]
    assert found["lb2", "clock"].startswith("error: its clock is 60 minutes ahead")
    assert ignored["lb2", "clock"].startswith("warning: its clock is 60 minutes ahead")
    assert lab.on("lb1", "ls -d /var/lib/lbdeploy /run/lbdeploy* 2>/dev/null", check=False) == ""


def test_a_living_pair_is_ready_and_notices_who_takes_its_vip(pair: Lab) -> None:
    """VIPs and VRRP of the nodes are their own; a foreigner beside the holder is found; so is a node without sudo."""
    before = pair.on("lb1", TOUCHED, check=False)
    document = pair.do("doctor")
    better = {(None, "readiness"): 'warning: k8s-api: check = "tcp" does not see that an API server starts, hangs or '
              "shuts down; these answer /readyz with 200"}  # fmt: skip
    assert wrong(document) == better
    assert {each["node"] for each in document["findings"]} == {"lb1", "lb2", None}
    assert pair.on("lb1", TOUCHED, check=False) == before
    with foreigner(pair, "192.168.0.10") as mac:
        found = wrong(pair.do("doctor", code=6))
    assert found == better | {
        (None, "vip-in-use"): f"error: 192.168.0.10 is in use: {mac} has it, or answers for it, on ens33"
    }
    rule = pair.on("lb2", "grep -rl NOPASSWD /etc/sudoers.d")
    pair.on("lb2", f"mv {rule} /root/rule")
    try:
        barred = pair.run("doctor")
    finally:
        pair.on("lb2", f"mv /root/rule {rule}")
    assert barred.code == 4
    assert "[sudo]" in barred.out
    every = sum(each["node"] == "lb1" for each in document["findings"])
    assert f"lb1: {every} checks passed" in barred.out
    assert "lb2: 3 checks passed" in barred.out


@pytest.mark.slow
def test_a_vip_that_the_network_drops_is_told_with_the_usual_causes(pair: Lab) -> None:
    """It answers on its holder and nowhere else, the other VIP everywhere; once it is let through, all is well."""
    with not_allowed(pair, "192.168.0.10"):
        assert (pair.holder("192.168.0.10"), pair.answers("192.168.0.10"), pair.answers(VIPS[1])) == (["lb1"], "", "ok")
        document = pair.do("doctor", code=6)
    (found,) = [each for each in document["findings"] if each["check"] == "vip-reach" and not each["ok"]]
    assert (found["node"], found["severity"], found["subject"]) == ("lb2", "error", "192.168.0.10")
    assert found["detail"].startswith("192.168.0.10 answers on lb1, which holds it, and not from here")
    for cause in ("allowed_address_pairs", "forged transmits", "filters of MACs"):
        assert cause in found["fix"]
    assert {check for node, check in wrong(document) if node} == {"vip-reach"}
    wait_for(lambda: pair.answers("192.168.0.10") == "ok")
    assert [check for _, check in wrong(pair.do("doctor"))] == ["readiness"]
