"""The clusters whose rendered files are kept.

Tests without nodes compare what comes of each; those in the lab show it to the nodes' daemons. What one of them
refuses, or warns of, is no golden rendering.
"""

from __future__ import annotations

import re
from pathlib import Path

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.lab.machine.keys import make_certificate

SEED = Path(__file__).parents[2] / "hosts.toml"
GOOD = SEED.read_text()
# With the check that suits an API server: then `lbdeploy check` has nothing to say of the sample.
READY = GOOD.replace('check = "tcp"', 'check = "https"')

# Three nodes, both address families, several frontends, and every setting away from its default.
BIG = """\
[cluster]
name = "prod.eu-1"
[ssh]
user = "root"
port = 2222
identity_file = "keys/id"
known_hosts_file = "/etc/lbdeploy/known_hosts"
jump = "ops@bastion.example.org:22"
connect_timeout = 3
[networks.front]
interface = "bond0.17"
vip = ["203.0.113.10/24", "2001:db8:17::10/64"]
[networks.back]
interface = "eth1"
vip = "fd00:1::10/64"
[networks.quiet]
interface = "eth2"
[nodes.lb-a]
front = "203.0.113.11"
back = "fd00:1::11"
quiet = "10.9.0.1"
priority = 150
host = "lb-a.example.org"
[nodes.lb-b]
front = "203.0.113.12"
back = "fd00:1::12"
quiet = "10.9.0.2"
priority = 250
interfaces = { front = "enp1s0", quiet = "eth1" }
[nodes.lb-c]
front = "203.0.113.13"
back = "fd00:1::13"
quiet = "10.9.0.3"
priority = 50
[vrrp]
network = "back"
router_id = 7
advert_interval = 0.25
preempt = false
preempt_delay = 0
check_interval = 2
check_timeout = 3
check_fall = 4
check_rise = 5
[frontends.api]
port = 6443
balance = "leastconn"
check = "https"
interval = 2.5
fast_interval = 0.5
rise = 1
fall = 1
connect_timeout = 0.25
check_timeout = 1.5
client_timeout = 86400
server_timeout = 172800
[frontends.api.servers]
m1 = "10.0.0.1"
m2 = "10.0.0.2:7443"
m3 = "[fd00::3]:6443"
m4 = "fd00::4"
[frontends.ingress]
port = 443
balance = "source"
interval = 5
[frontends.ingress.servers]
w1 = "10.0.1.1:30443"
"""

TOKEN = "opaque-4711.abc"

# Every kind of frontend.
HEAD = SEED.read_text().partition("[frontends.")[0]
RICH = (
    HEAD
    + """\
[metrics]
network = "management"
allow = ["192.168.1.0/24", "2001:db8::/32"]
[frontends.api]
port = 6443
allow = "10.0.0.0/8"
max_connections = 20000
balance = "leastconn"
check = "https"
check_path = "/healthz?verbose"
check_ca_file = "ca.crt"
check_host = "kubernetes"
slow_start = 30
when_down = "close"
[frontends.api.servers]
m1 = "192.168.1.21"
m2 = { address = "192.168.1.22:7443", max_connections = 500, weight = 10 }
m3 = { address = "192.168.1.23", weight = 0 }
spare1 = { address = "192.168.1.24", backup = true }
spare2 = { address = "[2001:db8::25]:6443", backup = true }
[frontends.ingress]
port = 443
networks = "external"
balance = "source"
proxy_protocol = true
servers = { w1 = "192.168.1.31:30443" }
[frontends.inside]
port = 443
networks = ["management"]
proxy_protocol = true
check = "https"
check_host = "kubernetes"
check_status = [200, 401]
servers = { w1 = "192.168.1.31:31443" }
[frontends.machine-config]
port = 22623
check = "https"
check_path = "/healthz"
check_token_file = "token"
check_certificate = "client.pem"
servers = { m1 = "192.168.1.21" }
"""
)

# Whatever else VRRP may be told.
SCRIPT = "#!/bin/sh\nexit 0"  # a last line without its end is no mistake of a script
OPTIONS = """
mode = "multicast"
notify = "scripts/notify.sh"
notify_master = "scripts/claim.sh"
notify_backup = "scripts/claim.sh"
notify_fault = "scripts/claim.sh"
notify_stop = "scripts/claim.sh"
notify_timeout = 10
notify_retry = 3
[vrrp.track_files.uplink]
file = "/run/uplink"
weight = -120
[vrrp.track_files.drained]
file = "/run/drained"
[vrrp.track_scripts.route]
script = "scripts/check-route.sh"
interval = 2
timeout = 3
fall = 4
rise = 5
weight = 20
"""

# What of the sample file is replaced by what.
VARIANTS = {
    "the state that the seed writes": ("router_id = 101", 'router_id = 101\ninitial_state = "MASTER"'),
    "an IPv6 VIP beside IPv4 adverts": ('"192.168.0.10/24"', '["192.168.0.10/24", "2001:db8::10/64"]'),
    "adverts more than once a second": ("advert_interval = 1", "advert_interval = 0.5"),
    "adverts every two seconds": ("advert_interval = 1", "advert_interval = 2.0"),
    "a delay of part of a second": ("preempt_delay = 30", "preempt_delay = 0.5"),
    "both networks on one interface": ('interface = "ens33"', 'interface = "ens32"'),
}


def nodes(number: int) -> str:
    """The sample file with so many nodes."""
    tables = "".join(
        f'[nodes.n{n}]\nexternal = "192.168.0.{100 + n}"\nmanagement = "192.168.1.{100 + n}"\npriority = {30 * n}\n'
        for n in range(1, number + 1)
    )
    return re.sub(r"\[nodes\.lb1\].*?(?=\[vrrp\])", tables, GOOD, flags=re.DOTALL)


SIX = """\
[cluster]
name = "six"
firewall = "nftables"
[networks.only]
interface = "ens32"
vip = ["2001:db8:6::10/64", "2001:db8:6::9/128"]
[nodes.lb1]
only = "2001:db8:6::11"
priority = 200
[nodes.lb2]
only = "2001:db8:6::12"
priority = 100
[vrrp]
network = "only"
router_id = 102
[frontends.k8s-api]
port = 6443
check = "https"
[frontends.k8s-api.servers]
master1 = "2001:db8:6::21"
master2 = "[2001:db8:6::22]:6443"
"""
# Two clusters' VIPs on one pair: the ingress of the second one is at home on the other node.
GROUPS = (
    GOOD.replace('"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.9/24", "2001:db8::9/64"]')
    .replace("router_id = 101\n", "")
    .replace(
        "[frontends.k8s-api]\n",
        """\
[vrrp.groups.k8s-api]
router_id = 101
vips = ["192.168.0.10", "192.168.1.10"]

[vrrp.groups.ingress_2]
router_id = 102
vips = ["192.168.0.9", "2001:db8::9"]
priorities = { lb1 = 100, lb2 = 200 }
preempt_delay = 5

[frontends.ingress]
port = 443
groups = "ingress_2"
servers = { w1 = "192.168.1.31:30443" }

[frontends.k8s-api]
groups = "k8s-api"
""",
    )
)
PREFIXES = (
    '["192.168.0.10/24", "192.168.0.9/32", "192.168.0.130/25", "10.5.5.5/32", "2001:db8:5::10/64", "2001:db8:5::9/128"]'
)
# Beyond the sample's pair.
BEYOND = {
    "IPv6 alone": SIX,
    "IPv6 to its group": SIX.replace("router_id", 'mode = "multicast"\nrouter_id'),
    "VIPs of many prefix lengths": GOOD.replace('"192.168.0.10/24"', PREFIXES),
    "groups": GROUPS,
    "metrics of VRRP": GROUPS + '[metrics]\nnetwork = "management"\nvrrp = true\n',
    "seven nodes": nodes(7).replace("[cluster]", '[cluster]\nfirewall = "nftables"'),
}
ALL = {
    "the sample": GOOD,
    "everything": BIG.replace("[ssh]", 'firewall = "nftables"\n[ssh]'),
    "frontends": RICH,
    "options": GOOD.replace("preempt_delay = 30\n", "preempt_delay = 30\n" + OPTIONS),
    **{name: GOOD.replace(old, new) for name, (old, new) in VARIANTS.items()},
    **BEYOND,
}


def beside(folder: Path) -> None:
    """Writes the files that these clusters name: the operator's scripts, and the certificate of a CA."""
    (folder / "scripts").mkdir(exist_ok=True)
    for name in ("notify", "claim", "check-route"):
        (folder / f"scripts/{name}.sh").write_text(SCRIPT)
    make_certificate(folder, ["kubernetes"])
    # What openssl writes before a certificate stays here.
    (folder / "ca.crt").write_text("subject=CN = a CA\n" + (folder / "ca.pem").read_text())
    (folder / "client.pem").write_text((folder / "server.pem").read_text())
    (folder / "token").write_text(TOKEN + "\n")
    for name in ("client.pem", "token"):
        (folder / name).chmod(0o600)


def load(folder: Path, name: str) -> Cluster:
    """One of them all, from a hosts.toml in the folder."""
    path = folder / "hosts.toml"
    path.write_text(ALL[name], encoding="utf-8")
    return reader.load(path)
