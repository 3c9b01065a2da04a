"""Nodes that had a life before: another cluster's, a pair made by hand, daemons and addresses that others put there."""

from __future__ import annotations

from clients import traffic
from harness import VIPS, Lab, held_by, wait_for

PACKAGES = "apt-get -q update >/dev/null && apt-get -q -y install --no-install-recommends haproxy keepalived >/dev/null"
HAPROXY = """\
global
    stats socket /run/haproxy/admin.sock mode 660 level admin
    user haproxy
    group haproxy
defaults
    mode tcp
    timeout connect 5s
    timeout client 50s
    timeout server 50s
frontend kubernetes
    bind *:6443
    default_backend control-plane
backend control-plane
    server master1 192.168.1.21:6443 check
    server master2 192.168.1.22:6443 check
"""
INGRESS = "frontend ingress\n    bind *:443\n    default_backend control-plane\n"
KEEPALIVED = """\
global_defs {{
    script_user root
    enable_script_security
}}
vrrp_script haproxy_runs {{
    script "/usr/bin/pgrep -x haproxy"
    interval 2
    weight -150
}}
vrrp_instance API {{
    state BACKUP
    interface ens32
    virtual_router_id 101
    priority {priority}
    advert_int 1
    {how}
    virtual_ipaddress {{
        192.168.1.10/24
        192.168.0.10/24 dev ens33
    }}
    track_script {{
        haproxy_runs
    }}
}}
"""
UNICAST = "unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}"
AUTH = "authentication {{\n        auth_type PASS\n        auth_pass 1111\n    }}"
SECOND = """\
vrrp_instance EXTERNAL {
    state BACKUP
    interface ens33
    virtual_router_id 71
    priority 100
    virtual_ipaddress {
        192.168.0.77/24
    }
}
"""
NODES = {"lb1": (200, "192.168.1.11", "192.168.1.12"), "lb2": (100, "192.168.1.12", "192.168.1.11")}


def put(lab: Lab, node: str, path: str, text: str) -> None:
    (lab.root(node) / path.lstrip("/")).write_text(text)


def by_hand(lab: Lab, how: str = UNICAST, haproxy: str = HAPROXY, more: str = "") -> None:
    """A pair that somebody has set up without lbdeploy, which serves its clients."""
    for node, (priority, own, peer) in NODES.items():
        lab.on(node, PACKAGES)
        lab.on(node, "sysctl -q -w net.ipv4.ip_nonlocal_bind=1")
        conf = KEEPALIVED.format(priority=priority, how=how.format(own=own, peer=peer))
        put(lab, node, "/etc/keepalived/keepalived.conf", conf + more)
        put(lab, node, "/etc/haproxy/haproxy.cfg", haproxy)
    for node in NODES:
        lab.on(node, "systemctl restart haproxy keepalived")
    wait_for(lambda: held_by(lab, "lb1"), 30)
    wait_for(lambda: lab.answers(VIPS[0]) == "ok", 30)


def problems(lab: Lab, check: str, command: str = "doctor") -> set[tuple[str, str]]:
    """The nodes and details of the findings of a check that doctor has as errors."""
    found = lab.do(command, code=6)["findings"]
    return {(each["node"], each["detail"]) for each in found if each["check"] == check and each["severity"] == "error"}


def test_another_clusters_nodes_are_not_taken(pair: Lab) -> None:
    """doctor, plan and up name the cluster that is there, and change nothing; a new name for its own VIPs is let be."""
    there = "another cluster is deployed here: k8s-api, with 192.168.0.10, 192.168.1.10"
    pair.edit(".10/24", ".99/24")
    pair.edit("router_id = 101", "router_id = 102")
    assert {(node, text.startswith(there)) for node, text in problems(pair, "other-cluster")} == {
        ("lb1", True),
        ("lb2", True),
    }
    for command in ("plan", "up"):
        error = pair.do(command, code=1)["error"]
        assert there in error["message"]
        assert "lbdeploy -f ITS_HOSTS_TOML down" in error["fix"]
    assert held_by(pair, "lb1")
    assert pair.run("plan", "--ignore", "other-cluster").code == 3


def test_what_a_pair_made_by_hand_serves_besides_is_said_first(bare: Lab) -> None:
    """Another port and another instance's VIP are problems that doctor, plan and up name; --ignore passes them."""
    by_hand(bare, haproxy=HAPROXY + INGRESS, more=SECOND)
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
