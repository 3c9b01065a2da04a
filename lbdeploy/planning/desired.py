"""What a node of a cluster should have. Start reading here: everything that lbdeploy puts on a node is listed here.

It is listed in the order in which it is applied: apt's configuration, packages, files, kernel settings, services.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lbdeploy.common.debian import (
    APT_CONF_FOLDER,
    APT_FOLDER,
    APT_KEYS_FOLDER,
    APT_PREFERENCES_FOLDER,
    APT_SOURCES_FOLDER,
    DAEMONS,
    FIREWALL_PACKAGES,
    PACKAGES,
    SYSCTL_FOLDER,
    drop_in,
    unit_file,
)
from lbdeploy.common.redact import mode_for
from lbdeploy.common.shell import Raw
from lbdeploy.config.model import METRICS, STATUS, Cluster, Node, OwnSections, Vip, frontend_socket
from lbdeploy.node import paths, tls_hello
from lbdeploy.node.paths import HAPROXY_SOCKET, NOTIFY_FOLDER, NOTIFY_RESULT, SERVER_STATE, TELL_STATE
from lbdeploy.node.resources import File, Gone, Journal, Packages, ServerState, Service, Sysctl
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.sysctl import NONLOCAL_BIND
from lbdeploy.node.vrrp_priority import HANDOVER, OF_GROUP
from lbdeploy.planning import own_sections, validators
from lbdeploy.planning.haproxy.named_files import (
    OWN_CAS,
    ca_file,
    client_file,
    haproxy_files,
    is_shown_to_servers,
    token_file,
)

ALL_PACKAGES = (*PACKAGES, *FIREWALL_PACKAGES)  # including packages that only some hosts.toml ask for
KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
HAPROXY_CFG = paths.HAPROXY_CFG
CHECK_HAPROXY = "/etc/keepalived/check-haproxy"
CHECK_ADDRESS = "/etc/keepalived/check-address"
ANNOUNCE = "/etc/keepalived/announce"
TICKLE_CLIENTS = "/etc/keepalived/tickle-clients"
PEERS = "lbdeploy"  # the section of haproxy.cfg in which the nodes are peers
CLIENTS_EXPIRE = 180  # s; until an entry of a client is dropped that nobody renews
CLIENTS_RENEWED = 10  # s; how often the holder looks which entries have less than half of that left
OWN_SCRIPTS = "/etc/keepalived/lbdeploy-"  # prefix of the operator's own scripts
OWN = (OWN_CAS, OWN_SCRIPTS)
DELIVER_STATE = OWN_SCRIPTS + "deliver-state"
VRRP_METRICS = OWN_SCRIPTS + "vrrp-metrics"
VRRP_METRICS_EVERY = 15  # s
TEXTFILES = "/var/lib/prometheus/node-exporter"  # where Debian's node exporter reads metrics from files
NOTIFY_SERVICE = "lbdeploy-notify"
NOTIFY_UNIT = unit_file(NOTIFY_SERVICE)
SYSCTL_CONF = f"{SYSCTL_FOLDER}/zz-lbdeploy.conf"  # read last, even after /etc/sysctl.conf, so it takes precedence
KEEPALIVED_UNIT = drop_in("keepalived", "lbdeploy")
HAPROXY_UNIT = drop_in("haproxy", "lbdeploy")
APT_PREFERENCES = f"{APT_PREFERENCES_FOLDER}/lbdeploy"
APT_CONF = f"{APT_CONF_FOLDER}/lbdeploy"
APT_SOURCES = f"{APT_SOURCES_FOLDER}/lbdeploy.sources"
APT_KEYS = f"{APT_KEYS_FOLDER}/lbdeploy-*.asc"
APT = (APT_PREFERENCES, APT_CONF, APT_SOURCES, APT_KEYS)  # each exists only where hosts.toml asks for it
FIREWALL = "/etc/lbdeploy/firewall.nft"
FIREWALL_SERVICE = "lbdeploy-firewall"
FIREWALL_UNIT = unit_file(FIREWALL_SERVICE)
NFTABLES_UNIT = drop_in("nftables", "lbdeploy")
FIREWALL_LOADED = "/run/lbdeploy-firewall"  # the table as nft listed it right after loading
# By address family: haproxy may bind to VIPs that are elsewhere; an address that goes takes no other one of its subnet
# with it, as only IPv4's do (ip-sysctl.rst: ip_nonlocal_bind, promote_secondaries).
SETTINGS = {
    4: (NONLOCAL_BIND[4], "net.ipv4.conf.all.promote_secondaries"),
    6: (NONLOCAL_BIND[6],),
}
# After 8 s of silence TCP asks whether the other end is still there, and again every 3 s: haproxy 2.2 can't say that
# for its own connections alone. A silent server is given up after its tcp-ut in haproxy.cfg, others after 158 s.
KEEPALIVE = {
    "net.ipv4.tcp_keepalive_time": "8",
    "net.ipv4.tcp_keepalive_intvl": "3",
    "net.ipv4.tcp_keepalive_probes": "50",
}
LACKS_SERVERS = "/run/lbdeploy-lacks-servers"  # for how many checks in a row another node has reached more servers
VRRP_STATE = "/run/lbdeploy-vrrp-state"  # the state that keepalived has told last
HAPROXY_STOPPED = "/run/lbdeploy-haproxy-stopped"  # 1 while haproxy is stopped, or about to be; 0 otherwise


def is_secret(path: str) -> bool:
    """Whether nothing of such a file of lbdeploy's may be shown."""
    return path.startswith(OWN_SCRIPTS) or is_shown_to_servers(path)


PATHS = SimpleNamespace(
    ca_file=ca_file,
    token_file=token_file,
    client_file=client_file,
    metrics=METRICS,
    keepalived_conf=KEEPALIVED_CONF,
    haproxy_cfg=HAPROXY_CFG,
    check_haproxy=CHECK_HAPROXY,
    check_address=CHECK_ADDRESS,
    announce=ANNOUNCE,
    tickle_clients=TICKLE_CLIENTS,
    peers=PEERS,
    clients=f"{PEERS}/clients",
    clients_expire=CLIENTS_EXPIRE,
    clients_renewed=CLIENTS_RENEWED,
    haproxy_socket=HAPROXY_SOCKET,
    server_state=SERVER_STATE,
    frontend_socket=frontend_socket,
    handover=HANDOVER,
    haproxy_stopped=HAPROXY_STOPPED,
    lacks_servers=LACKS_SERVERS,
    vrrp_state=VRRP_STATE,
    status=STATUS,
    greeting=tls_hello.escaped,
    track=OWN_SCRIPTS + "track-",
    notify=OWN_SCRIPTS + "notify",
    notify_of=lambda state: f"{OWN_SCRIPTS}notify-{state.lower()}",
    tell_state=TELL_STATE,
    deliver_state=DELIVER_STATE,
    notify_folder=NOTIFY_FOLDER,
    notify_result=NOTIFY_RESULT,
    notify_service=NOTIFY_SERVICE,
    vrrp_metrics=VRRP_METRICS,
    vrrp_metrics_every=VRRP_METRICS_EVERY,
    textfiles=TEXTFILES,
    firewall=FIREWALL,
    firewall_loaded=FIREWALL_LOADED,
    apt_key=lambda name: APT_KEYS.replace("*", name),
)


Text = Callable[..., str]  # the type of `rendered`


def rendered(cluster: Cluster, node: Node, template: str | OwnSections, **values: Any) -> str:
    """What jinja2 makes of a template, which is imported only where something is rendered. Raises RenderError."""
    from lbdeploy.planning.render import render

    return render(cluster, node, template, **values)


def desired(
    cluster: Cluster, node: Node, *, upgrade: bool = False, reinstall: tuple[str, ...] = (), text: Text = rendered
) -> list[Resource[Any]]:
    """Everything that `node` should have, in the order in which it is applied. Raises RenderError.

    `upgrade` and `reinstall` are a run's options for packages: see Packages.
    """
    pins = tuple(cluster.packages.pins.items())
    of_apt, others = apt_files(cluster, node, text), other_files(cluster, node, text)
    own = tuple(file.path for file in others if file.path.startswith(OWN))
    beside_it = tuple(path for path in own if path.startswith(OWN_CAS))
    return [
        Journal(),
        *of_apt,
        replace(NO_APT_FILES, but=tuple(file.path for file in of_apt)),
        *([] if cluster.firewall == "nftables" else [NO_FIREWALL]),
        *([] if cluster.vrrp.told else [NO_NOTIFY]),
        *([] if cluster.metrics and cluster.metrics.vrrp else [NO_VRRP_METRICS]),
        Packages(packages(cluster), daemons=DAEMONS, upgrade=upgrade, reinstall=reinstall, pins=pins),
        ServerState(tuple((frontend.name, each.name, each.port) for frontend, each in cluster.servers())),
        *others,
        *(Sysctl(name, value, SYSCTL_CONF) for name, value in sysctls(cluster).items()),
        *([FIREWALL_AS_SERVICE] if cluster.firewall == "nftables" else []),
        Service("haproxy", watches=(HAPROXY_CFG, *beside_it), unit_files=(HAPROXY_UNIT,)),
        Service("keepalived", watches=(KEEPALIVED_CONF,), unit_files=(KEEPALIVED_UNIT,)),
        *([NOTIFY_AS_SERVICE] if cluster.vrrp.told else []),
        replace(NO_LEFTOVERS, but=own),
    ]


NO_APT_FILES = Gone(f"none left over in {APT_FOLDER}", APT)
NO_FIREWALL = Gone("no firewall of lbdeploy's", (FIREWALL, FIREWALL_UNIT, NFTABLES_UNIT), unit=FIREWALL_SERVICE)
NO_NOTIFY = Gone("no service that tells scripts of states", (NOTIFY_UNIT,), unit=NOTIFY_SERVICE)
NO_VRRP_METRICS = Gone("no metrics of VRRP", (f"{TEXTFILES}/lbdeploy-vrrp.prom",), late=True, written_by=VRRP_METRICS)
NO_LEFTOVERS = Gone("none left over in /etc/haproxy and /etc/keepalived", tuple(f"{each}*" for each in OWN), late=True)
# It tells the present state as it starts: so a key that is added later is told of it, too.
NOTIFY_AS_SERVICE = Service(NOTIFY_SERVICE, watches=(DELIVER_STATE,), unit_files=(NOTIFY_UNIT,), rereads="restart")
FIREWALL_AS_SERVICE = Service(
    FIREWALL_SERVICE,
    watches=(FIREWALL,),
    unit_files=(FIREWALL_UNIT,),
    in_force=Raw(f"nft -s list table inet lbdeploy | cmp -s - {FIREWALL_LOADED}"),
)


# What only some hosts.toml ask for: `down` takes it away even where the present one does not.
OPTIONAL: tuple[Resource[Any], ...] = (
    NO_APT_FILES,
    NO_FIREWALL,
    NO_NOTIFY,
    NO_VRRP_METRICS,
    NO_LEFTOVERS,
    *(Sysctl(name, "1", SYSCTL_CONF) for names in SETTINGS.values() for name in names),
    Packages(ALL_PACKAGES),
)


def former(cluster: Cluster, node: Node) -> list[Resource[Any]]:
    """What `node` should have once lbdeploy is gone: for all that `desired` lists, what was there in its place.

    Templates are not needed for that, and may have mistakes. Of two that are the same, what is OPTIONAL covers more.
    """
    wanted = [each for each in desired(cluster, node, text=lambda *_, **__: "") if not _covered(each)]
    return list({each.id: each for one in (*wanted, *OPTIONAL) for each in one.former()}.values())


def _covered(resource: Resource[Any]) -> bool:
    """Whether it is a file with a name of lbdeploy's own, which nobody else had: then it is only deleted."""
    gone = [each for each in OPTIONAL if isinstance(each, Gone)]
    return any(each.covers(path) for each in gone for path in resource.given(()).managed)


def packages(cluster: Cluster) -> tuple[str, ...]:
    """The packages that the nodes need."""
    return ALL_PACKAGES if cluster.firewall == "nftables" else PACKAGES


def files(cluster: Cluster, node: Node, text: Text = rendered) -> list[File]:
    """The files of `node`. Raises RenderError."""
    return [*apt_files(cluster, node, text), *other_files(cluster, node, text)]


def apt_files(cluster: Cluster, node: Node, text: Text = rendered) -> list[File]:
    """apt's configuration. A repository's key comes before the file that names it. Raises RenderError."""
    wanted = cluster.packages
    keys = [File(PATHS.apt_key(each.name), each.key) for each in wanted.repositories if each.key]
    conf = [_private(APT_CONF, text(cluster, node, "apt.conf"))] if wanted.proxy else []
    sources = [_private(APT_SOURCES, text(cluster, node, "apt.sources", paths=PATHS))] if wanted.repositories else []
    pins = [File(APT_PREFERENCES, text(cluster, node, "apt-preferences"))] if wanted.pins else []
    return [*keys, *conf, *sources, *pins]


def other_files(cluster: Cluster, node: Node, text: Text = rendered) -> list[File]:
    """The files other than apt's. A file comes after those that its validator reads. Raises RenderError."""
    haproxy, keepalived = _haproxy_cfg(cluster, node, text), _keepalived_conf(cluster, node, text)
    return [
        File(SYSCTL_CONF, text(cluster, node, "sysctl.conf", sysctls=sysctls(cluster))),
        *haproxy_files(cluster),
        *_firewall_files(cluster, node, text),
        _private(HAPROXY_CFG, haproxy, validate=validators.HAPROXY),
        _private(CHECK_HAPROXY, text(cluster, node, "check-haproxy.sh", paths=PATHS), "755", validators.SHELL),
        _private(CHECK_ADDRESS, text(cluster, node, "check-address.sh"), "755", validators.SHELL),
        _private(ANNOUNCE, text(cluster, node, "announce.pl"), "755", validators.PERL),
        _private(TICKLE_CLIENTS, text(cluster, node, "tickle-clients.pl", paths=PATHS), "755", validators.PERL),
        _private(HAPROXY_UNIT, text(cluster, node, "haproxy.service.conf", paths=PATHS)),
        _private(KEEPALIVED_UNIT, text(cluster, node, "keepalived.service.conf")),
        *_own_scripts(cluster),
        *_notify_files(cluster, node, text),
        *_metrics_files(cluster, node, text),
        _private(KEEPALIVED_CONF, keepalived, validate=validators.KEEPALIVED),
    ]


def _private(path: str, content: str, mode: str = "644", validate: Raw | None = None) -> File:
    """A file made from a template, which the operator may have given a secret: then only root may read it."""
    return File(path, content, mode_for(content, mode), validate)


def _firewall_files(cluster: Cluster, node: Node, text: Text) -> list[File]:
    if cluster.firewall != "nftables":
        return []
    return [
        File(FIREWALL, text(cluster, node, "firewall.nft"), validate=validators.NFT),
        File(NFTABLES_UNIT, text(cluster, node, "nftables.service.conf", paths=PATHS)),
        File(FIREWALL_UNIT, text(cluster, node, "lbdeploy-firewall.service", paths=PATHS)),
    ]


def sysctls(cluster: Cluster) -> dict[str, str]:
    """The kernel settings for the address families of the VIPs, and for noticing dead clients and servers."""
    families = sorted({vip.ip.version for vip in cluster.vips})
    return {name: "1" for version in families for name in SETTINGS[version]} | KEEPALIVE


def _own_scripts(cluster: Cluster) -> list[File]:
    """The operator's own scripts, unchanged; keepalived rereads them each time it runs them, as root."""
    vrrp = cluster.vrrp
    own = {PATHS.track + each.name: each.script for each in vrrp.track_scripts}
    own |= {PATHS.notify: vrrp.notify} if vrrp.notify else {}
    own |= {PATHS.notify_of(state): script for state, script in vrrp.told.items()}
    return [File(path, script.text, "700", validators.RUNNABLE, secret=True) for path, script in own.items()]


def _notify_files(cluster: Cluster, node: Node, text: Text) -> list[File]:
    """What keepalived tells of a state, and what runs the operator's script until that succeeds."""
    if not cluster.vrrp.told:
        return []
    deliver = text(cluster, node, "deliver-state.sh", paths=PATHS, instance=cluster.instance)
    return [
        _private(TELL_STATE, text(cluster, node, "tell-state.sh", paths=PATHS), "755", validators.SHELL),
        _private(DELIVER_STATE, deliver, "755", validators.SHELL),
        _private(NOTIFY_UNIT, text(cluster, node, "lbdeploy-notify.service", paths=PATHS)),
    ]


def _metrics_files(cluster: Cluster, node: Node, text: Text) -> list[File]:
    """What writes VRRP's state for the node exporter."""
    if not (cluster.metrics and cluster.metrics.vrrp):
        return []
    script = text(cluster, node, "vrrp-metrics.sh", paths=PATHS, groups=_groups(cluster, node))
    return [_private(VRRP_METRICS, script, "755", validators.SHELL)]


def _haproxy_cfg(cluster: Cluster, node: Node, text: Text) -> str:
    longest = max(max(frontend.client_timeout, frontend.server_timeout) for frontend in cluster.frontends)
    conf = text(cluster, node, "haproxy.cfg", paths=PATHS, hard_stop_after=longest)
    return own_sections.joined(cluster, node, conf, {each.path: text(cluster, node, each) for each in cluster.extra})


def _keepalived_conf(cluster: Cluster, node: Node, text: Text) -> str:
    vrrp = cluster.vrrp
    groups = _groups(cluster, node)
    return text(
        cluster,
        node,
        "keepalived.conf",
        paths=PATHS,
        fractional_adverts=vrrp.advert_interval != int(vrrp.advert_interval),
        tracked_interfaces=_tracked(cluster, node),
        groups=groups,
        # For templates that know of no groups; where there are some, such a template fails instead of losing VIPs.
        **({} if vrrp.groups else {key: groups[0][key] for key in ("instance", "state", "vips", "excluded_vips")}),
    )


def _groups(cluster: Cluster, node: Node) -> list[dict[str, Any]]:
    return [_instance(part, part.node(node.name)) for part in cluster.parts]


def _instance(part: Cluster, node: Node) -> dict[str, Any]:
    """What keepalived.conf has for a group's VRRP instance, or for the only one there is."""
    vrrp = part.vrrp
    own, other = _split(part.vips, node.addresses[vrrp.network].version)
    master = vrrp.initial_state == "MASTER" and node.name == part.preferred.name
    return {
        "name": part.group,
        "instance": part.instance,
        "state": "MASTER" if master else "BACKUP",
        "router_id": vrrp.router_id,
        "priority": node.priority,
        "preempt": vrrp.preempt,
        "preempt_delay": vrrp.preempt_delay,
        "vips": own,
        "excluded_vips": other,
        "handover": OF_GROUP + part.group if part.group else HANDOVER,
    }


def _split(vips: tuple[Vip, ...], family: int) -> tuple[list[Vip], list[Vip]]:
    """The VIPs of the address family that VRRP itself uses, and those of the other one."""
    return [vip for vip in vips if vip.ip.version == family], [vip for vip in vips if vip.ip.version != family]


def _tracked(cluster: Cluster, node: Node) -> list[str]:
    own = node.interfaces[cluster.vrrp.network]
    return list(dict.fromkeys(each for each in node.interfaces.values() if each != own))
