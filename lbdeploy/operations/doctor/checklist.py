"""Everything that is checked before anything is put on the nodes; docs/doctor.md is generated from it.

The findings are made elsewhere, each by a function that also has what it asks the node: those of `lbdeploy doctor` in
`software_checks`, `system_checks` and `network_checks`, those that every `plan` and `up` begins with in `preflight`. A
new check is such a function, and a row here. This module imports none of them: the help of `up` names the ids.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`looks_at` completes "whether"; `passed` is said of a node that passes; `remedy` says what to do otherwise.

    `up`: also checked by every `plan` and `up`, which can be told to ignore it. `doctor`: checked by `doctor`.
    """

    id: str
    looks_at: str
    passed: str
    remedy: str
    up: bool = False
    doctor: bool = True


# A node that fails one of these can't be examined any further, so these can't be ignored.
LOGIN = (
    Check("reach", "its sshd answers", "answers", "check that it is running, and that its sshd listens"),
    Check(
        "host-key",
        "its host key is the known one",
        "has the known host key",
        "compare the fingerprint on its console; then make it known, as the message says",
    ),
    Check(
        "login", "it takes one of your keys", "takes the login", "ssh-copy-id, or ssh-add for a key with a passphrase"
    ),
    Check(
        "sudo",
        "the login is root, or sudo makes it so, with a password or without",
        "gives root privileges",
        "give the user sudo rights, or lbdeploy its password: see docs/ssh.md",
    ),
)

OF_NODES = (
    Check(
        "release",
        "it runs Debian 11 to 13, or Ubuntu 22.04, 24.04 or 26.04 (others: a warning)",
        "runs a release that lbdeploy knows",
        "rehearse on a release like it before you rely on it",
    ),
    Check(
        "other-cluster",
        "no other cluster is deployed there, by the hosts.toml of the last run (this one, renamed: a warning)",
        "has no other cluster of lbdeploy's",
        "use that cluster's hosts.toml, with [vrrp.groups] for both; or first: lbdeploy -f ITS_HOSTS_TOML down",
        up=True,
    ),
    Check(
        "config-file",
        "its haproxy and keepalived read the files that lbdeploy writes, by their units and as they run (others "
        "besides are no problem)",
        "has daemons that read lbdeploy's files",
        "correct CONFIG, DAEMON_ARGS or ExecStart, as the message says; then restart the daemon",
        up=True,
    ),
    Check(
        "vip-held",
        "nothing on the node but its keepalived.service has a VIP: no static address, no other keepalived, no file of "
        "its network's configuration",
        "has nothing else that holds a VIP",
        "remove what the message names, or choose another VIP",
        up=True,
    ),
    Check(
        "vrrp-strict",
        "keepalived drops nothing that comes to the VIPs, as with vrrp_strict, or by a table that is left from it",
        "has no keepalived that drops what comes to the VIPs",
        "remove vrrp_strict, and restart keepalived, the holder's last",
        up=True,
    ),
    Check(
        "ends",
        "no port, VIP or set of servers ends that its haproxy and keepalived serve now, and none that is in use is "
        "shut by the firewall that hosts.toml asks for, or for clients by `allow`; and its files tell all of "
        "that, without those that keepalived.conf includes: a problem where lbdeploy has never changed the node, and "
        "otherwise a warning, which `plan` has as a cost",
        "serves nothing that would end",
        "add it to hosts.toml; if nobody needs it: --ignore ends",
        up=True,
    ),
    Check("systemd", "systemd runs it", "is run by systemd", "lbdeploy needs systemd", up=True),
    Check("apt", "it has apt", "has apt", "lbdeploy works on Debian and Ubuntu", up=True),
    Check(
        "packages",
        "apt knows the packages that are not installed yet",
        "has the packages, or apt knows them",
        "apt-get update; then see apt-cache policy",
    ),
    Check(
        "versions",
        "apt offers the package versions that hosts.toml asks for, unless they are installed already",
        "has, or apt offers, the package versions that hosts.toml asks for",
        "apt-get update; then see apt-cache policy, and correct the version in hosts.toml",
        up=True,
    ),
    Check(
        "apt-sources",
        "it can fetch from each of its apt sources (a warning if all packages are installed)",
        "reaches its apt sources",
        "check its route and proxy, or correct /etc/apt/sources.list",
    ),
    Check(
        "dpkg",
        "dpkg was not interrupted (a warning: up repairs it)",
        "has no interrupted dpkg",
        "lbdeploy up repairs it; or: dpkg --configure -a",
    ),
    Check(
        "apt-lock",
        "nobody holds the lock of apt or dpkg now (a warning: up waits for two minutes)",
        "has nobody using apt",
        "wait until it has ended",
    ),
    Check(
        "unattended-upgrades",
        "unattended-upgrades would not restart haproxy or keepalived on all nodes in one night (a warning)",
        "has no unattended-upgrades that would restart its daemons",
        "pin the versions in hosts.toml, or have it leave these packages alone: docs/howto/packages.md",
    ),
    Check(
        "disk",
        "there is enough space, in KiB and in inodes, where files and packages go",
        "has enough disk space",
        "make room: du -xh FOLDER | sort -h | tail",
        up=True,
    ),
    Check(
        "writable",
        "root can write the files that are to change, and where each run writes: no file system is mounted "
        "read-only, and nothing is immutable (chattr +i)",
        "lets files be written",
        "chattr -i, or mount -o remount,rw, as the message says",
        up=True,
    ),
    Check(
        "interface",
        "it has each interface, up, and with IPv6 where it is to carry an IPv6 VIP",
        "has its interfaces, and they are up",
        "name the right one in hosts.toml, or: ip link set NAME up",
        up=True,
    ),
    Check(
        "address",
        "it has its address of hosts.toml on that interface, and not secondary to a VIP (that is a warning)",
        "has its addresses",
        "correct hosts.toml, or the node's network",
        up=True,
    ),
    Check(
        "same-link",
        "it reaches the other nodes' addresses for VRRP without a router, unless vrrp.max_hops allows some",
        "shares a link with the other nodes",
        "correct its route, or set vrrp.max_hops",
        up=True,
    ),
    Check(
        "port",
        "no program but its haproxy.service listens on a port of a frontend, of the metrics, or of the nodes' haproxy "
        "among themselves",
        "has its ports free",
        "stop that program, or choose another port",
    ),
    Check(
        "nonlocal-bind",
        "haproxy can be allowed to bind to VIPs that are elsewhere (net.ipv4.ip_nonlocal_bind, and the same for IPv6), "
        "and no file of sysctl's that is read later undoes that",
        "lets haproxy bind to VIPs that are elsewhere",
        "make /proc/sys/net writable; in a container, that is a setting of its host",
        up=True,
    ),
    Check(
        "network-manager",
        "systemd-networkd (also netplan's) keeps VIPs when it restarts (a warning)",
        "has nothing that would drop VIPs when it restarts",
        "KeepConfiguration=static for the interface, as the message says",
    ),
    Check(
        "clock",
        "its clock agrees with yours and with the other nodes' (2 s apart: a warning; 5 minutes: a problem)",
        "has a clock that agrees",
        "set it, and keep it in sync by NTP",
    ),
    Check(
        "ntp",
        "its clock is kept in sync by NTP (a warning)",
        "has a clock kept by NTP",
        "apt-get install systemd-timesyncd",
    ),
    Check(
        "foreign-config",
        "there is no configuration, and no manager of VIPs, that lbdeploy did not put there (a warning)",
        "has no configuration from other tools",
        "nothing for files: up keeps their content, and lbdeploy down restores it",
    ),
)

OF_NETWORKS = (
    Check(
        "vip-in-use",
        "no other host answers for a VIP: ARP, and IPv6 neighbour discovery, from every node",
        "no other host answers for a VIP",
        "find the host by its MAC, or choose another VIP",
        up=True,
    ),
    Check(
        "vrid-in-use",
        "no other router uses the virtual router ID: listening for three advert intervals",
        "no other router uses the virtual router ID",
        "choose another router_id in hosts.toml",
        up=True,
    ),
    Check(
        "vrrp-source",
        "nodes can tell whose adverts they get: with mode = 'multicast' they can't (a warning)",
        "adverts of other hosts than the nodes count for nothing",
        "unicast; or keep untrusted hosts off the network, or set firewall = 'nftables'",
    ),
    Check(
        "firewall",
        "VRRP (IP protocol 112) gets from each node to each other, tried with router ID 0; and no node's firewall "
        "rules block the clients of a frontend or of the metrics, or the nodes' haproxy among themselves (a warning)",
        "VRRP gets from node to node",
        "allow it, as the message says for the node's own firewall; or set firewall = 'nftables'",
    ),
    Check(
        "readiness",
        "each server, asked from each node what haproxy's check asks it, passes that check, and no better one would "
        "suit an API server (warnings: nothing of it is in the way)",
        "each server that could be asked passes its check",
        "correct the frontend's check, as the message says; or start the server",
    ),
    Check(
        "certificate",
        "what servers present: the same as `lbdeploy verify`, as warnings",
        "no server presents a certificate that lacks a VIP, ends soon or is of another authority",
        "add the names, or renew it: docs/howto/certificates.md",
    ),
    Check(
        "vip-reach",
        "a VIP that answers on the node that holds it answers the other nodes, too: many virtual networks drop what "
        "comes from an address that they have not given to a machine",
        "no VIP answers on its holder alone",
        "allow the VIP where the message says; or tell the network's API who holds it: docs/howto/floating-ip.md",
    ),
    Check(
        "lint",
        "what would be written has no known mistakes: the same as `lbdeploy check`",
        "no known mistakes in what would be written",
        "correct hosts.toml or the template",
    ),
    Check(
        "agreement",
        "with --limit: no setting that VRRP peers must agree on is changed on some nodes only; also in `rebuild`: a "
        "node that is started agrees with those that run",
        "",
        "lbdeploy up, without --limit",
        up=True,
        doctor=False,
    ),
    Check(
        "unheard",
        "with --limit: the nodes that run send their adverts to one that is started",
        "",
        "lbdeploy up, without --limit",
        up=True,
        doctor=False,
    ),
    Check(
        "former-peer",
        "no host that was taken out of hosts.toml still listens for VRRP (one that does not answer: a warning); "
        "also in `verify`",
        "",
        "lbdeploy down --limit NODE, with a hosts.toml that still has it",
        up=True,
        doctor=False,
    ),
)

CHECKS = (*LOGIN, *OF_NODES, *OF_NETWORKS)
IGNORED_BY_UP = tuple(check.id for check in CHECKS if check.up)
IGNORED_BY_DOCTOR = tuple(check.id for check in (*OF_NODES, *OF_NETWORKS) if check.doctor)
