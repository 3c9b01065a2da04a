"""Nodes that had a life before: another cluster's, a pair made by hand, daemons and addresses that others put there."""

from __future__ import annotations

import pytest
from clients import traffic
from hand_made import BY_MULTICAST, BY_UNICAST, HAPROXY, INGRESS, NODES, PACKAGES, SECOND, by_hand, put
from harness import VIPS, Lab, held_by, wait_for

from lbdeploy.node.surroundings import UNDOES


def problems(lab: Lab, check: str, command: str = "doctor") -> set[tuple[str, str]]:
    """The nodes and details of the findings of a check that doctor has as errors."""
    found = lab.do(command, code=6)["findings"]
    return {(each["node"], each["detail"]) for each in found if each["check"] == check and each["severity"] == "error"}


def test_another_clusters_nodes_are_not_taken(pair: Lab) -> None:
    """doctor, plan, up and down name the cluster that is there, and change nothing."""
    there = "another cluster is deployed here: k8s-api, with 192.168.0.10, 192.168.1.10"
    pair.edit(".10/24", ".99/24")
    pair.edit("router_id = 101", "router_id = 102")
    assert {(node, text.startswith(there)) for node, text in problems(pair, "other-cluster")} == {
        ("lb1", True),
        ("lb2", True),
    }
    for command in (["plan"], ["up"], ["down", "--yes"], ["down", "--yes", "--limit", "lb2"]):
        error = pair.do(*command, code=1)["error"]
        assert there in error["message"]
        assert "lbdeploy -f ITS_HOSTS_TOML down" in error["fix"]
    assert held_by(pair, "lb1")
    assert pair.run("plan", "--ignore", "other-cluster").code == 3


def test_what_a_pair_made_by_hand_serves_besides_is_said_first(bare: Lab) -> None:
    """Another port and another instance's VIP are problems that doctor, plan and up name; --ignore passes them.

    So it is where the files lie elsewhere, and links lead to them.
    """
    by_hand(bare, BY_UNICAST + SECOND, HAPROXY + INGRESS)
    for path in ("/etc/keepalived/keepalived.conf", "/etc/haproxy/haproxy.cfg"):
        bare.on("lb1", f"mkdir -p /srv/cfg; mv {path} /srv/cfg; ln -s /srv/cfg/{path.rpartition('/')[2]} {path}")
    wait_for(lambda: bare.holder("192.168.0.77"))
    found = {(node, text.partition(" ends: ")[0]) for node, text in problems(bare, "ends")}
    assert found == {(node, what) for node in NODES for what in ("port 443", "192.168.0.77")}
    for command in ("plan", "up"):
        error = bare.do(command, code=1)["error"]
        assert "port 443 ends" in error["message"]
        assert "192.168.0.77 ends" in error["message"]
        assert "--ignore ends" in error["fix"]
    assert bare.on("lb1", "cat /etc/haproxy/haproxy.cfg") == (HAPROXY + INGRESS).strip()
    with traffic(bare, *VIPS) as seen:
        assert bare.run("up", "--ignore", "ends").code == 0
    assert seen["probes"] > 20
    assert seen["failures"] == []


def test_a_port_that_an_edit_takes_away_is_a_cost_of_the_plan(pair: Lab) -> None:
    """lbdeploy wrote the file, so hosts.toml is what is meant: plan and doctor name it, and up goes on."""
    pair.edit("port = 6443", "port = 7443")
    plan = pair.do("plan", code=3)
    assert "192.168.0.10 port 6443" in plan["stages"][-1]["cost"]
    warned = [each for each in pair.do("doctor")["findings"] if each["check"] == "ends" and not each["ok"]]
    assert {each["severity"] for each in warned} == {"warning"}


def test_clients_that_an_edit_shuts_out_are_a_cost_of_the_plan(pair: Lab) -> None:
    """Those that are connected, and in no network of the new `allow`: plan has them as a cost, doctor as a warning."""
    pair.edit("port = 6443", 'port = 6443\nallow = ["10.0.0.0/8"]')
    with traffic(pair, *VIPS):
        plan = pair.do("plan", code=3)
        warned = [each for each in pair.do("doctor")["findings"] if each["check"] == "ends" and not each["ok"]]
    assert "port 6443 for clients ends" in plan["stages"][-1]["cost"]
    assert {(each["node"], each["severity"]) for each in warned} == {("lb1", "warning")}
    assert "in no network of its allow in hosts.toml: 192.168." in warned[0]["detail"]


def test_a_vip_that_something_else_has_is_refused_with_what_has_it(pair: Lab) -> None:
    """An address put there by hand, on the standby of a living pair: doctor, plan and up name node and interface."""
    pair.on("lb2", "ip addr add 192.168.0.10/24 dev ens33")
    try:
        wait_for(lambda: problems(pair, "vip-held"))
        ((node, detail),) = problems(pair, "vip-held")
        assert (node, "has the VIP 192.168.0.10 on ens33, and keepalived did not put it there" in detail) == (
            "lb2",
            True,
        )
        pair.edit('balance = "roundrobin"', 'balance = "leastconn"')
        for command in ("plan", "up"):
            error = pair.do(command, code=1)["error"]
            assert (error["node"], detail) == ("lb2", error["message"])
            assert "ip addr del 192.168.0.10/24 dev ens33" in error["fix"]
    finally:
        pair.on("lb2", "ip addr del 192.168.0.10/24 dev ens33")
    assert pair.run("plan").code == 3


def test_a_vip_on_bare_nodes_is_refused_with_what_has_it(bare: Lab) -> None:
    """Before the first `up`: a static address, the file of the network that has it, and a keepalived of one's own."""
    bare.on("lb1", "ip addr add 192.168.0.10/24 dev ens33")
    bare.on(
        "lb1",
        "mkdir -p /etc/network/interfaces.d; "
        "echo '    up ip addr add 192.168.0.10/24 dev ens33' > /etc/network/interfaces.d/vip",
    )
    bare.on("lb2", PACKAGES)
    conf = BY_MULTICAST.format(priority=100)
    (bare.root("lb2") / "etc/site-vrrp.conf").write_text(conf)
    bare.on(
        "lb2",
        "systemctl stop keepalived; systemd-run --unit site-vrrp keepalived -n -f /etc/site-vrrp.conf -p /run/x.pid",
    )
    wait_for(lambda: len(problems(bare, "vip-held")) > 3)
    error = bare.do("up", code=1)["error"]["message"]
    assert "has the VIP 192.168.0.10 on ens33, and keepalived did not put it there: it does not run" in error
    assert "/etc/network/interfaces.d/vip line 1 gives the node the VIP 192.168.0.10" in error
    assert "is not of keepalived.service, and has VIPs of hosts.toml in its file" in error
    assert "/etc/site-vrrp.conf" in error
    assert bare.on("lb1", "dpkg-query -W haproxy", check=False) == ""


def test_a_daemon_that_reads_another_file_is_said_first(pair: Lab) -> None:
    """By its unit's variables, and as it runs; one that reads a folder besides is let be."""
    pair.on("lb2", "cp /etc/haproxy/haproxy.cfg /etc/haproxy/site.cfg; cp /etc/default/haproxy /root/default")
    try:
        pair.on("lb2", "echo 'CONFIG=\"/etc/haproxy/site.cfg\"' >> /etc/default/haproxy; systemctl restart haproxy")
        told = "haproxy reads /etc/haproxy/site.cfg, not /etc/haproxy/haproxy.cfg"
        assert problems(pair, "config-file") == {("lb2", told)}
        assert told in pair.do("up", code=1)["error"]["message"]
        pair.on("lb2", "cp /root/default /etc/default/haproxy")
        assert problems(pair, "config-file") == {("lb2", f"{told}, until it is restarted")}
        pair.on("lb2", "systemctl restart haproxy")
        assert pair.run("up").code == 0
    finally:
        pair.on("lb2", "cp /root/default /etc/default/haproxy; systemctl restart haproxy")


FOLDER = "/etc/systemd/system/haproxy.service.d"
READS_A_FOLDER = f"""\
mkdir -p /etc/haproxy/conf.d {FOLDER}
cat > /etc/haproxy/conf.d/ingress.cfg << END
listen ingress
    bind *:443
    mode tcp
    timeout client 50s
    timeout connect 5s
    timeout server 50s
    server w1 192.168.1.21:6443 check
END
cat > {FOLDER}/override.conf << 'END'
[Service]
ExecStart=
ExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d -p /run/haproxy.pid $EXTRAOPTS
END
systemctl daemon-reload
systemctl restart haproxy
"""


def test_a_haproxy_that_reads_a_folder_besides_serves_on_what_is_there(pair: Lab) -> None:
    """Neither a file of its own nor a port that ends: doctor is content, and the port outlasts a change."""
    for node in NODES:
        pair.on(node, READS_A_FOLDER)
    try:
        wait_for(lambda: held_by(pair, "lb1") and pair.run("verify").code == 0)
        findings = {each["check"]: each["ok"] for each in pair.do("doctor")["findings"] if not each["ok"]}
        assert not {"config-file", "ends"} & set(findings)
        pair.edit("fall = 2", "fall = 3")
        assert pair.run("up").code == 0
        for node in NODES:
            assert pair.on(node, "ss -Hltn 'sport = :443'")
    finally:
        for node in NODES:
            pair.on(node, f"rm -r /etc/haproxy/conf.d {FOLDER}/override.conf; systemctl daemon-reload")
            pair.on(node, "systemctl restart haproxy")
        wait_for(lambda: held_by(pair, "lb1"))


def test_a_file_that_undoes_a_kernel_setting_later_is_named(pair: Lab) -> None:
    """The value that the next boot gives is what counts, or `sysctl --system`, which reads /etc/sysctl.conf last."""
    for file in ("/etc/sysctl.d/zzz-site.conf", "/etc/sysctl.conf"):
        pair.on(
            "lb2", f"cp {file} /root/sysctl; printf '# site\\nnet.ipv4.ip_nonlocal_bind = 0\\n' > {file}", check=False
        )
        try:
            told = f"{file} line 2 {UNDOES}: net.ipv4.ip_nonlocal_bind = 0"
            assert problems(pair, "nonlocal-bind") == {("lb2", told)}
            assert told in pair.do("plan", code=1)["error"]["message"]
            assert ("lb2", told) in problems(pair, "sysctl", "verify")
        finally:
            pair.on("lb2", f"rm {file}; mv /root/sysctl {file}", check=False)
    assert pair.run("verify").code == 0


@pytest.mark.slow
def test_what_vrrp_strict_drops_is_said_first(bare: Lab) -> None:
    """While it is set, and while its table is left over after a reload; the advice leads to a pair that serves."""
    strict = BY_MULTICAST.replace("script_user root", "script_user root\n    vrrp_strict")
    for node, (priority, _, _) in NODES.items():
        bare.on(node, PACKAGES + " && apt-get -q -y install --no-install-recommends nftables >/dev/null")
        put(bare, node, "/etc/keepalived/keepalived.conf", strict.format(priority=priority))
        put(bare, node, "/etc/haproxy/haproxy.cfg", HAPROXY)
        bare.on(node, "sysctl -q -w net.ipv4.ip_nonlocal_bind=1; systemctl restart haproxy keepalived")
    wait_for(lambda: held_by(bare, "lb1"), 30)
    assert {node for node, _ in problems(bare, "vrrp-strict")} == {"lb1", "lb2"}
    assert "vrrp_strict" in bare.do("up", code=1)["error"]["message"]
    for node in NODES:
        bare.on(node, "sed -i /vrrp_strict/d /etc/keepalived/keepalived.conf; systemctl reload keepalived")
    assert {node for node, _ in problems(bare, "vrrp-strict")} == {"lb1"}  # the one that held the VIPs
    error = bare.do("up", code=1)["error"]
    assert "nftables table ip keepalived" in error["message"]
    assert "nft delete table ip keepalived" in error["fix"]
    for node in ("lb2", "lb1"):
        bare.on(node, "systemctl restart keepalived; nft delete table ip keepalived", check=False)
    wait_for(lambda: held_by(bare, "lb1"), 30)  # a run that begins before it has taken them back would be undone
    assert bare.run("up").code == 0
    wait_for(lambda: held_by(bare, "lb1") and bare.answers(VIPS[0]) == "ok", 30)
    bare.run("handover")
    assert held_by(bare, "lb2")
    assert bare.answers(VIPS[0]) == "ok"


def test_a_daemon_that_systemd_would_not_start_again_is_started(pair: Lab) -> None:
    """What made it fail may be gone, but "start request repeated too quickly" stays: that is reset first."""
    folder = "/run/systemd/system/haproxy.service.d"
    pair.on("lb2", f"mkdir -p {folder}; printf '[Unit]\\nStartLimitIntervalSec=300\\n' > {folder}/limit.conf")
    pair.on("lb2", "systemctl daemon-reload")
    try:
        pair.on(
            "lb2", "for _ in 1 2 3 4 5 6 7; do systemctl restart haproxy; done; systemctl stop haproxy", check=False
        )
        assert pair.on("lb2", "systemctl start haproxy >/dev/null 2>&1; echo $?") != "0"
        assert pair.run("up").code == 0
        assert pair.on("lb2", "systemctl is-active haproxy") == "active"
    finally:
        pair.on("lb2", f"rm {folder}/limit.conf; systemctl daemon-reload")


def test_a_file_that_can_not_be_written_is_said_before_anything_is_changed(pair: Lab) -> None:
    """Immutable, or on a file system that is read-only: plan, up and doctor say what, and the way out."""
    read_only = "mount --bind /etc/haproxy /etc/haproxy; mount -o remount,ro,bind /etc/haproxy"
    cases = {
        "chattr +i /etc/haproxy/haproxy.cfg": ("is immutable", "chattr -i /etc/haproxy/haproxy.cfg"),
        read_only: (
            "its file system is mounted read-only",
            "mount -o remount,rw $(findmnt -no TARGET -T /etc/haproxy)",
        ),
    }
    before = pair.on("lb1", "sha256sum /etc/haproxy/haproxy.cfg")
    pair.edit("fall = 2", "fall = 3")
    for spoil, (said, way_out) in cases.items():
        pair.on("lb2", spoil)
        try:
            assert {node for node, text in problems(pair, "writable") if said in text} == {"lb2"}
            for command in ("plan", "up"):
                error = pair.do(command, code=1)["error"]
                assert (error["node"], said in error["message"], way_out in error["fix"]) == ("lb2", True, True), error
            assert pair.on("lb1", "sha256sum /etc/haproxy/haproxy.cfg") == before
        finally:
            pair.on("lb2", way_out)
            pair.on("lb2", "umount /etc/haproxy", check=False)
    assert pair.run("up").code == 0
