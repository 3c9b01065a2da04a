"""`lbdeploy doctor` on nodes: all is well, or everything that is not, in one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness import Lab
from strangers import stranger

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
    assert found == better | {(None, "vip-in-use"): f"error: 192.168.0.10 is in use: {mac} answers for it on ens33"}
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
