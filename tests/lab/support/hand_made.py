"""Pairs that somebody has set up without lbdeploy, as the field has them."""

from __future__ import annotations

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
SCRIPT = "/etc/keepalived/chk.sh"
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
    HOW
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
vrrp_instance EXTERNAL {{
    state BACKUP
    interface ens33
    virtual_router_id 71
    priority 100
    virtual_ipaddress {{
        192.168.0.77/24
    }}
}}
"""
# Each node is preferred for one instance.
OTHER_WAY_ROUND = (
    SECOND.replace("EXTERNAL", "INGRESS")
    .replace("interface ens33", f"interface ens32\n    {UNICAST}")
    .replace("priority 100", "priority {reverse}")
    .replace("192.168.0.77/24", "192.168.0.77/24 dev ens33")
)
# One network each, kept together: what many a guide for two networks has.
IN_A_SYNC_GROUP = (
    """\
vrrp_sync_group BOTH {{
    group {{
        API
        OUTSIDE
    }}
}}
"""
    + KEEPALIVED.replace("HOW", "").replace("        192.168.0.10/24 dev ens33\n", "")
    + """\
vrrp_instance OUTSIDE {{
    state BACKUP
    interface ens33
    virtual_router_id 102
    priority {priority}
    virtual_ipaddress {{
        192.168.0.10/24
    }}
}}
"""
)
BY_UNICAST = KEEPALIVED.replace("HOW", UNICAST)
BY_MULTICAST = KEEPALIVED.replace("HOW", "")
NODES = {"lb1": (200, "192.168.1.11", "192.168.1.12"), "lb2": (100, "192.168.1.12", "192.168.1.11")}

# A password, and a script of one's own, as slow to judge as people have them.
BY_UNICAST_WITH_AUTH = (
    KEEPALIVED.replace("HOW", f"preempt_delay 10\n    {AUTH}\n    {UNICAST}")
    .replace("/usr/bin/pgrep -x haproxy", SCRIPT)
    .replace("interval 2", "interval 3\n    fall 5\n    rise 2")
)
# The example of many a page on the web: MASTER and BACKUP, VIPs without a prefix, and a weight that moves nothing.
BY_MULTICAST_WITH_AUTH = (
    KEEPALIVED.replace("HOW", AUTH)
    .replace("state BACKUP", "state {state}")
    .replace("0.10/24", "0.10")
    .replace("1.10/24", "1.10")
    .replace("weight -150", "weight -20")
)


def put(lab: Lab, node: str, path: str, text: str) -> None:
    (lab.root(node) / path.lstrip("/")).write_text(text)


def by_hand(lab: Lab, keepalived: str = BY_UNICAST, haproxy: str = HAPROXY) -> None:
    """A pair that serves its clients; its keepalived.conf gets what differs between the nodes."""
    for node, (priority, own, peer) in NODES.items():
        lab.on(node, PACKAGES)
        lab.on(node, "sysctl -q -w net.ipv4.ip_nonlocal_bind=1")
        lab.on(node, f"printf '#!/bin/sh\\npgrep -x haproxy >/dev/null\\n' > {SCRIPT}; chmod 755 {SCRIPT}")
        state = "MASTER" if node == "lb1" else "BACKUP"
        conf = keepalived.format(priority=priority, reverse=300 - priority, own=own, peer=peer, state=state)
        put(lab, node, "/etc/keepalived/keepalived.conf", conf)
        put(lab, node, "/etc/haproxy/haproxy.cfg", haproxy)
    for node in NODES:
        lab.on(node, "systemctl restart haproxy keepalived")
    wait_for(lambda: held_by(lab, "lb1"), 30)
    wait_for(lambda: lab.answers(VIPS[0]) == "ok", 30)
