"""What a node of a cluster should have. Start reading here: everything that lbdeploy puts on a node is listed here.

It is listed in the order in which it is applied: apt's configuration, packages, files, kernel settings, services.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lbdeploy.common.redact import mode_for
from lbdeploy.common.shell import Raw
from lbdeploy.config.model import METRICS, Cluster, Node, Vip, frontend_socket
from lbdeploy.node.resources import File, Gone, Journal, Packages, Service, Sysctl
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.vrrp_priority import HANDOVER
from lbdeploy.planning import validators
from lbdeploy.planning.render import render

PACKAGES = ("haproxy", "keepalived", "socat")
KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"
CHECK_HAPROXY = "/etc/keepalived/check-haproxy"
OWN_CAS = "/etc/haproxy/lbdeploy-"  # prefix of the files with CA certificates
OWN_SCRIPTS = "/etc/keepalived/lbdeploy-"  # prefix of the operator's own scripts
OWN = (OWN_CAS, OWN_SCRIPTS)
SYSCTL_CONF = "/etc/sysctl.d/zz-lbdeploy.conf"  # read last, even after /etc/sysctl.conf, so it takes precedence
KEEPALIVED_UNIT = "/etc/systemd/system/keepalived.service.d/lbdeploy.conf"
HAPROXY_UNIT = "/etc/systemd/system/haproxy.service.d/lbdeploy.conf"
APT_PREFERENCES = "/etc/apt/preferences.d/lbdeploy"
APT_CONF = "/etc/apt/apt.conf.d/lbdeploy"
APT_SOURCES = "/etc/apt/sources.list.d/lbdeploy.sources"
APT_KEYS = "/etc/apt/keyrings/lbdeploy-*.asc"
APT = (APT_PREFERENCES, APT_CONF, APT_SOURCES, APT_KEYS)  # each exists only where hosts.toml asks for it
FIREWALL = "/etc/lbdeploy/firewall.nft"
FIREWALL_SERVICE = "lbdeploy-firewall"
FIREWALL_UNIT = f"/etc/systemd/system/{FIREWALL_SERVICE}.service"
NFTABLES_UNIT = "/etc/systemd/system/nftables.service.d/lbdeploy.conf"
FIREWALL_LOADED = "/run/lbdeploy-firewall"  # the table as nft listed it right after loading
HAPROXY_SOCKET = "/run/haproxy/admin.sock"
HAPROXY_STOPPED = "/run/lbdeploy-haproxy-stopped"  # 1 while haproxy is stopped, or about to be; 0 otherwise


def ca_file(frontend: str) -> str:
    """The path of the CA certificates against which a frontend's servers are checked."""
    return f"{OWN_CAS}{frontend}-ca.crt"


PATHS = SimpleNamespace(
    ca_file=ca_file,
    metrics=METRICS,
    check_haproxy=CHECK_HAPROXY,
    haproxy_socket=HAPROXY_SOCKET,
    frontend_socket=frontend_socket,
    handover=HANDOVER,
    haproxy_stopped=HAPROXY_STOPPED,
    track=OWN_SCRIPTS + "track-",
    notify=OWN_SCRIPTS + "notify",
    firewall=FIREWALL,
    firewall_loaded=FIREWALL_LOADED,
    apt_key=lambda name: APT_KEYS.replace("*", name),
)


def desired(
    cluster: Cluster, node: Node, *, upgrade: bool = False, reinstall: tuple[str, ...] = ()
) -> list[Resource[Any]]:
    """Everything that `node` should have, in the order in which it is applied. Raises RenderError.

    `upgrade` and `reinstall` are a run's options for packages: see Packages.
    """
    pins = tuple(cluster.packages.pins.items())
    of_apt, others = apt_files(cluster, node), other_files(cluster, node)
    own = tuple(file.path for file in others if file.path.startswith(OWN))
    return [
        Journal(),
        *of_apt,
        Gone("none left over in /etc/apt", APT, but=tuple(file.path for file in of_apt)),
        *([] if cluster.firewall == "nftables" else [NO_FIREWALL]),
        Packages(packages(cluster), daemons=("haproxy", "keepalived"), upgrade=upgrade, reinstall=reinstall, pins=pins),
        *others,
        *(Sysctl(name, value) for name, value in sysctls(cluster).items()),
        *([FIREWALL_AS_SERVICE] if cluster.firewall == "nftables" else []),
        Service("haproxy", watches=(HAPROXY_CFG, *ca_files(cluster)), unit_files=(HAPROXY_UNIT,)),
        Service("keepalived", watches=(KEEPALIVED_CONF,), unit_files=(KEEPALIVED_UNIT,)),
        replace(NO_LEFTOVERS, but=own),
    ]


NO_FIREWALL = Gone("no firewall of lbdeploy's", (FIREWALL, FIREWALL_UNIT, NFTABLES_UNIT), unit=FIREWALL_SERVICE)
NO_LEFTOVERS = Gone("none left over in /etc/haproxy and /etc/keepalived", tuple(f"{each}*" for each in OWN), late=True)
FIREWALL_AS_SERVICE = Service(
    FIREWALL_SERVICE,
    watches=(FIREWALL,),
    unit_files=(FIREWALL_UNIT,),
    in_force=Raw(f"nft -s list table inet lbdeploy | cmp -s - {FIREWALL_LOADED}"),
)


def packages(cluster: Cluster) -> tuple[str, ...]:
    """The packages that the nodes need."""
    return (*PACKAGES, "nftables") if cluster.firewall == "nftables" else PACKAGES


def ca_files(cluster: Cluster) -> dict[str, str]:
    """The certificates of the CAs against which servers are checked, by path."""
    return {ca_file(each.name): each.check_ca for each in cluster.frontends if each.check_ca}


def files(cluster: Cluster, node: Node) -> list[File]:
    """The files of `node`. Raises RenderError."""
    return [*apt_files(cluster, node), *other_files(cluster, node)]


def apt_files(cluster: Cluster, node: Node) -> list[File]:
    """apt's configuration. A repository's key comes before the file that names it. Raises RenderError."""
    wanted = cluster.packages
    keys = [File(PATHS.apt_key(each.name), each.key) for each in wanted.repositories if each.key]
    conf = [_private(APT_CONF, render(cluster, node, "apt.conf"))] if wanted.proxy else []
    sources = [_private(APT_SOURCES, render(cluster, node, "apt.sources", paths=PATHS))] if wanted.repositories else []
    pins = [File(APT_PREFERENCES, render(cluster, node, "apt-preferences"))] if wanted.pins else []
    return [*keys, *conf, *sources, *pins]


def other_files(cluster: Cluster, node: Node) -> list[File]:
    """The files other than apt's. A file comes after those that its validator reads. Raises RenderError."""
    haproxy, keepalived = _haproxy_cfg(cluster, node), _keepalived_conf(cluster, node)
    return [
        File(SYSCTL_CONF, render(cluster, node, "sysctl.conf", sysctls=sysctls(cluster))),
        *(File(path, content) for path, content in ca_files(cluster).items()),
        *_firewall_files(cluster, node),
        _private(HAPROXY_CFG, haproxy, validate=validators.HAPROXY),
        _private(CHECK_HAPROXY, render(cluster, node, "check-haproxy.sh", paths=PATHS), "755", validators.SHELL),
        _private(HAPROXY_UNIT, render(cluster, node, "haproxy.service.conf", paths=PATHS)),
        _private(KEEPALIVED_UNIT, render(cluster, node, "keepalived.service.conf")),
        *_own_scripts(cluster),
        _private(KEEPALIVED_CONF, keepalived, validate=validators.KEEPALIVED),
    ]


def _private(path: str, content: str, mode: str = "644", validate: Raw | None = None) -> File:
    """A file made from a template, which the operator may have given a secret: then only root may read it."""
    return File(path, content, mode_for(content, mode), validate)


def _firewall_files(cluster: Cluster, node: Node) -> list[File]:
    if cluster.firewall != "nftables":
        return []
    return [
        File(FIREWALL, render(cluster, node, "firewall.nft"), validate=validators.NFT),
        File(NFTABLES_UNIT, render(cluster, node, "nftables.service.conf", paths=PATHS)),
        File(FIREWALL_UNIT, render(cluster, node, "lbdeploy-firewall.service", paths=PATHS)),
    ]


def sysctls(cluster: Cluster) -> dict[str, str]:
    """Let haproxy bind to VIPs that the node does not hold (ip-sysctl.rst: ip_nonlocal_bind); one setting a family."""
    families = {4: "net.ipv4.ip_nonlocal_bind", 6: "net.ipv6.ip_nonlocal_bind"}
    return {families[version]: "1" for version in sorted({vip.ip.version for vip in cluster.vips})}


def _own_scripts(cluster: Cluster) -> list[File]:
    """The operator's own scripts, unchanged; keepalived rereads them each time it runs them, as root."""
    vrrp = cluster.vrrp
    own = {PATHS.track + each.name: each.script for each in vrrp.track_scripts}
    own |= {PATHS.notify: vrrp.notify} if vrrp.notify else {}
    return [File(path, script.text, "700", validators.RUNNABLE, secret=True) for path, script in own.items()]


def _haproxy_cfg(cluster: Cluster, node: Node) -> str:
    longest = max(max(frontend.client_timeout, frontend.server_timeout) for frontend in cluster.frontends)
    return render(cluster, node, "haproxy.cfg", paths=PATHS, hard_stop_after=longest)


def _keepalived_conf(cluster: Cluster, node: Node) -> str:
    vrrp = cluster.vrrp
    family = node.addresses[vrrp.network].version
    mine, other = _split(cluster.vips, family)
    master = vrrp.initial_state == "MASTER" and node is cluster.preferred
    return render(
        cluster,
        node,
        "keepalived.conf",
        paths=PATHS,
        instance=cluster.instance,
        state="MASTER" if master else "BACKUP",
        fractional_adverts=vrrp.advert_interval != int(vrrp.advert_interval),
        tracked_interfaces=_tracked(cluster, node),
        vips=mine,
        excluded_vips=other,
    )


def _split(vips: tuple[Vip, ...], family: int) -> tuple[list[Vip], list[Vip]]:
    """The VIPs of the address family that VRRP itself uses, and those of the other one."""
    return [vip for vip in vips if vip.ip.version == family], [vip for vip in vips if vip.ip.version != family]


def _tracked(cluster: Cluster, node: Node) -> list[str]:
    own = node.interfaces[cluster.vrrp.network]
    return list(dict.fromkeys(each for each in node.interfaces.values() if each != own))
