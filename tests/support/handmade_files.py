"""Pairs built by hand, as guides and operators build them, in words of our own; and nodes that have these files."""

from __future__ import annotations

from collections.abc import Mapping

from lbdeploy.node.parsers import Link, parse_ip_a
from lbdeploy.operations.adopt.pair import adopted, understood
from lbdeploy.operations.adopt.reading.machine import DEFAULT, Machine, Running
from lbdeploy.operations.adopt.reading.sources import Sources
from lbdeploy.operations.adopt.result import Adopted

SEED_KEEPALIVED = """\
vrrp_script runs_haproxy {
    script "pidof haproxy"
    interval 1
}
vrrp_instance KUBE {
    state STATE   # at the start
    interface ens32
    track_interface {
        ens32
        ens33
    }
    track_script {
        runs_haproxy
    }
    unicast_src_ip 192.168.1.OWN
    track_src_ip
    unicast_peer {
        192.168.1.PEER
    }
    virtual_router_id 101
    priority PRIORITY
    advert_int 1
    virtual_ipaddress {
        192.168.0.10/24 dev ens33
        192.168.1.10/24 dev ens32
    }
    preempt
    preempt_delay 30
}
"""
SEED_HAPROXY = """\
global
    log /dev/log local0
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
    user haproxy
    group haproxy
    daemon
defaults
    log     global
    mode    http
    option  httplog
    timeout connect 5000
    timeout client  50000
    timeout server  50000
    errorfile 400 /etc/haproxy/errors/400.http
frontend k8s-api
    bind 192.168.0.10:6443
    bind 192.168.1.10:6443
    mode tcp
    default_backend k8s-api
backend k8s-api
    mode tcp
    option tcp-check
    balance roundrobin
    default-server inter 10s rise 3 fall 2
    server master1 192.168.1.21:6443 check
    server master2 192.168.1.22:6443 check
    server master3 192.168.1.23:6443 check
"""
# kubeadm: a script of its own that asks the API, multicast with a password, servers asked for /healthz over TLS.
KUBEADM_KEEPALIVED = """\
! Configuration File for keepalived
global_defs {
    router_id LVS_DEVEL
}
vrrp_script check_apiserver {
  script "/etc/keepalived/check_apiserver.sh"
  interval 3
  weight -2
  fall 10
  rise 2
}

vrrp_instance VI_1 {
    state STATE
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    authentication {
        auth_type PASS
        auth_pass 42sesame
    }
    virtual_ipaddress {
        10.20.0.10
    }
    track_script {
        check_apiserver
    }
}
"""
CHECK_APISERVER = """\
#!/bin/sh
stop() { echo "*** $*" 1>&2; exit 1; }
curl -sfk --max-time 2 https://localhost:8443/healthz -o /dev/null || stop "no answer"
"""
KUBEADM_HAPROXY = """\
global
    log stdout format raw local0
    daemon
defaults
    mode                    http
    log                     global
    option                  httplog
    option                  dontlognull
    option http-server-close
    option forwardfor       except 127.0.0.0/8
    option                  redispatch
    retries                 1
    timeout http-request    10s
    timeout queue           20s
    timeout connect         5s
    timeout client          35s
    timeout server          35s
    timeout http-keep-alive 10s
    timeout check           10s
frontend apiserver
    bind *:8443
    mode tcp
    option tcplog
    default_backend apiserverbackend
backend apiserverbackend
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /healthz
    http-check expect status 200
    mode tcp
    balance     roundrobin
    server node1 10.20.0.21:6443 check verify none
    server node2 10.20.0.22:6443 check verify none
"""
# k3s: killall between single quotes, MASTER on one, no state of the password or the peers.
K3S_KEEPALIVED = """\
global_defs {
  enable_script_security
  script_user root
}
vrrp_script chk_haproxy {
    script 'killall -0 haproxy'
    interval 2
}
vrrp_instance haproxy-vip {
    interface eth0
    state STATE
    priority PRIORITY
    virtual_router_id 51
    virtual_ipaddress {
        10.20.0.10/24
    }
    track_script {
        chk_haproxy
    }
}
"""
K3S_HAPROXY = """\
frontend k3s-frontend
    bind *:6443
    mode tcp
    option tcplog
    default_backend k3s-backend
backend k3s-backend
    mode tcp
    option tcp-check
    balance roundrobin
    default-server inter 10s downinter 5s
    server server-1 10.20.0.21:6443 check
    server server-2 10.20.0.22:6443 check
"""
# RKE2: a second port for nodes that register.
RKE2_HAPROXY = (
    K3S_HAPROXY
    + """\
listen rke2-register
    bind *:9345
    mode tcp
    server server-1 10.20.0.21:9345 check
    server server-2 10.20.0.22:9345 check
"""
)
# kubespray: one section, hours of silence, TLS checks without a page.
KUBESPRAY_HAPROXY = """\
listen kubernetes-apiserver-https
  bind 10.20.0.10:8383
  mode tcp
  option log-health-checks
  timeout client 3h
  timeout server 3h
  server master1 10.20.0.21:6443 check check-ssl verify none inter 10000
  server master2 10.20.0.22:6443 check check-ssl verify none inter 10000
  balance roundrobin
"""
# Debian's own haproxy.cfg, with a page of statistics and a site of HTTP besides.
DEBIAN_HAPROXY = """\
global
    log /dev/log local0
    log /dev/log local1 notice
    stats timeout 30s
    maxconn 20000
defaults
    mode tcp
    timeout connect 5s
    timeout client 50s
    timeout server 50s
listen stats
    bind *:8404
    mode http
    stats enable
    stats auth admin:hunter2
frontend web
    bind *:80
    mode http
    use_backend sites if { path /x }
    default_backend sites
backend sites
    mode http
    server web1 10.20.0.31:8080 check
frontend api
    bind 10.20.0.10:6443
    default_backend masters
backend masters
    server master1 10.20.0.21:6443 check weight 1
    server master2 10.20.0.22:6443 check backup
"""


def links(*addresses: str) -> tuple[Link, ...]:
    """The links of a node: "eth0 10.20.0.11/24"."""
    lines: dict[str, str] = {}
    for name, address in (each.split() for each in addresses):
        head = f"{len(lines) + 2}: {name}: <BROADCAST,UP,LOWER_UP> mtu 1500"
        family = "inet6" if ":" in address else "inet"
        lines[name] = f"{lines.get(name, head)}\n    {family} {address} scope global"
    return parse_ip_a("\n".join(lines.values()))


def hand_made(
    name: str,
    keepalived: str,
    haproxy: str,
    on: tuple[Link, ...],
    files: Mapping[str, str] | None = None,
    host: str = "",
) -> Machine:
    """A node with these files, whose daemons run."""
    keepalived_files = {
        path: {path: text} for path, text in {DEFAULT["keepalived"]: keepalived, **(files or {})}.items()
    }
    haproxy_files = {DEFAULT["haproxy"]: {DEFAULT["haproxy"]: haproxy}}
    running = {"keepalived": Running(("keepalived",), ""), "haproxy": Running(("haproxy", "-Ws"), "")}
    sources = {"keepalived": Sources(keepalived_files), "haproxy": Sources(haproxy_files)}
    return Machine(name, host or name, f"{name}.example.org", on, running, sources)  # type: ignore[arg-type]


def filled(text: str, state: str, priority: int, own: int, peer: int) -> str:
    """A keepalived.conf for one of the two nodes."""
    values = {"STATE": state, "PRIORITY": str(priority), "OWN": str(own), "PEER": str(peer)}
    for word, value in values.items():
        text = text.replace(word, value)
    return text


def pair_of(keepalived: str, haproxy: str, files: Mapping[str, str] | None = None, other: str = "") -> list[Machine]:
    """Two nodes on 10.20.0.0/24; `other` is the second one's haproxy.cfg, where it differs."""
    first, second = filled(keepalived, "MASTER", 110, 11, 12), filled(keepalived, "BACKUP", 100, 12, 11)
    return [
        hand_made("lb1", first, haproxy, links("eth0 10.20.0.11/24", "eth0 10.20.0.10/32"), files),
        hand_made("lb2", second, other or haproxy, links("eth0 10.20.0.12/24"), files),
    ]


def seed_pair() -> list[Machine]:
    """The pair of the procedure that this project automates."""
    first, second = filled(SEED_KEEPALIVED, "MASTER", 200, 11, 12), filled(SEED_KEEPALIVED, "BACKUP", 100, 12, 11)
    lb1 = links("ens32 192.168.1.11/24", "ens32 192.168.1.10/24", "ens33 192.168.0.11/24")
    lb2 = links("ens32 192.168.1.12/24", "ens33 192.168.0.12/24")
    return [
        hand_made("lb1", first, SEED_HAPROXY, lb1, host="192.168.1.11"),
        hand_made("lb2", second, SEED_HAPROXY, lb2),
    ]


def adopt_all(machines: list[Machine]) -> Adopted:
    """What adopt makes of these nodes."""
    return adopted([understood(each) for each in machines], "k8s-api")


def told(found: Adopted, text: str, node: str = "lb1") -> tuple[str, str]:
    """What becomes of the line with this text."""
    return next((each.verdict, each.meaning) for each in found.rows if each.text == text and node in each.nodes)
