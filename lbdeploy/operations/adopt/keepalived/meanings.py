"""What becomes of keepalived's keywords that hosts.toml has no key for: what holds instead, and what that costs."""

from __future__ import annotations

from lbdeploy.operations.adopt.rows import Meaning

_TOLD: Meaning = ("equal", "lbdeploy's file has its own: a second after a move, and every minute")
_MAIL: Meaning = ("changes", "no mail any more: use [vrrp] notify, or the exporter's alerts")
_LVS: Meaning = ("ends", "lbdeploy has no virtual servers of the kernel (LVS): what they serve ends with `up`")
_ROUTES: Meaning = (
    "ends",
    "hosts.toml has no routes and rules that move with the VIPs: set them with the network's own files",
)
_VMAC: Meaning = ("changes", "the VIPs have the MAC of the node's own interface; clients learn of a move by ARP")
_HERE: Meaning = ("equal", "keepalived's own default, or nothing that this pair needs")

GLOBALS: dict[str, Meaning] = {
    "router_id": ("equal", "a name for mails only; keepalived takes the host's own"),
    "enable_script_security": ("kept", "lbdeploy's file has it, too"),
    "script_user": ("kept", "root runs the scripts"),
    "notification_email": _MAIL,
    "notification_email_from": _MAIL,
    "smtp_*": _MAIL,
    "vrrp_strict": (
        "changes",
        "not strict: it would drop what is sent to the VIPs. Take it out, reload, then `lbdeploy doctor`",
    ),
    "vrrp_garp_*": _TOLD,
    "vrrp_gna_*": _TOLD,
    "vrrp_skip_check_adv_addr": ("changes", "adverts are compared with the peers' addresses, and so is their TTL"),
    "vrrp_version": (
        "changes",
        "VRRP 2, unless advert_interval has decimals or VIPs are IPv6: both nodes change together",
    ),
    "vrrp_mcast_group4": ("changes", "adverts go to the peers' addresses, or to VRRP's own group 224.0.0.18"),
    "vrrp_mcast_group6": ("changes", "adverts go to the peers' addresses, or to VRRP's own group ff02::12"),
    "vrrp_priority": ("changes", "keepalived runs with the system's usual priority"),
    "vrrp_lower_prio_no_advert": ("kept", "lbdeploy's file has it, too"),
    "process_names": _HERE,
    "use_symlink_paths": _HERE,
    "lvs_*": _LVS,
    "enable_traps": ("changes", "no SNMP: use [metrics], and `lbdeploy verify --format nagios`"),
    "enable_snmp*": ("changes", "no SNMP: use [metrics], and `lbdeploy verify --format nagios`"),
    "max_auto_priority": _HERE,
    "default_interface": ("equal", "hosts.toml names the interface of each network"),
    "dynamic_interfaces": ("changes", "an interface that is not there is a failure: `doctor` says so"),
}
SCRIPT: dict[str, Meaning] = {
    "script": ("equal", "lbdeploy's check-haproxy: haproxy answers on its socket, and reaches a server"),
    "timeout": ("equal", "lbdeploy's check has a timeout of its own, vrrp.check_timeout"),
    "user": ("equal", "root runs lbdeploy's check"),
    "init_fail": ("equal", "a node begins without VIPs until its check has succeeded"),
    "interval": ("equal", "vrrp.check_interval"),
}
INSTANCE: dict[str, Meaning] = {
    "track_src_ip": ("equal", "lbdeploy's check-address: a node without its own address leaves the election"),
    "garp_*": _TOLD,
    "version": GLOBALS["vrrp_version"],
    "unicast_ttl": ("equal", "255, and peers drop what has less"),
    "unicast_fault_no_peer": _HERE,
    "check_unicast_src": ("kept", "adverts of other hosts count for nothing"),
    "use_vmac": _VMAC,
    "vmac_xmit_base": _VMAC,
    "use_ipvlan": _VMAC,
    "accept": _HERE,
    "no_accept": ("changes", "the holder answers at its VIPs: haproxy could not otherwise"),
    "strict_mode": GLOBALS["vrrp_strict"],
    "dont_track_primary": ("changes", "VRRP's own interface is tracked: a node without it gives up its VIPs"),
    "smtp_alert": _MAIL,
    "debug": _HERE,
    "native_ipv6": _HERE,
    "linkbeat_use_polling": _HERE,
    "skip_check_adv_addr": GLOBALS["vrrp_skip_check_adv_addr"],
    "lower_prio_no_advert": ("kept", "lbdeploy's file has it, too"),
    "higher_prio_send_advert": _HERE,
    "promote_secondaries": ("equal", "lbdeploy sets net.ipv4.conf.all.promote_secondaries"),
    "notify_stop": ("ends", "hosts.toml has no script for the moment at which keepalived stops"),
    "notify_master_rx_lower_pri": ("ends", "lbdeploy's own script has its place"),
    "notify_*": ("ends", "hosts.toml has [vrrp] notify alone, for every change of state"),
    "lvs_sync_daemon*": _LVS,
    "sync_group_tracking_weight": ("equal", "weights of scripts and files count"),
    "global_tracking": ("equal", "weights of scripts and files count"),
}
BLOCKS: dict[str, Meaning] = {
    "authentication": (
        "ends",
        "adverts have no password, which anybody on the network can read. With unicast, they count from the other "
        "nodes' addresses alone. Until both nodes have changed, `up` keeps them from taking the VIPs twice",
    ),
    "virtual_routes": _ROUTES,
    "virtual_rules": _ROUTES,
    "track_bfd": ("ends", "hosts.toml has no BFD"),
    "track_process": ("equal", "lbdeploy's check-haproxy asks haproxy itself, and systemd says at once when it stops"),
}
OUTSIDE: dict[str, Meaning] = {
    "vrrp_sync_group": ("equal", "one instance moves all VIPs, so they are never apart"),
    "virtual_server*": _LVS,
    "static_ipaddress": ("ends", "lbdeploy's file has no static addresses: set them with the network's own files"),
    "static_routes": _ROUTES,
    "static_rules": _ROUTES,
    "static_track_group": _ROUTES,
    "bfd_instance": BLOCKS["track_bfd"],
    "vrrp_track_process": BLOCKS["track_process"],
    "track_process": BLOCKS["track_process"],
    "vrrp_track_file": ("kept", "vrrp.track_files"),
    "track_file": ("kept", "vrrp.track_files"),
    "garp_group": _TOLD,
}
VIP_WORDS = {
    "label": "without its label: ifconfig and `ip a` show it under the interface's own name",
    "brd": "with the usual broadcast address",
    "broadcast": "with the usual broadcast address",
    "scope": "with the scope global",
    "src": "without a source address of its own",
    "no_track": "its interface is tracked",
    "track": "its interface is tracked",
    "nodad": "IPv6's duplicate address detection is not waited for, either",
    "use_vmac": "with the MAC of the node's own interface",
    "preferred_lft": "without a lifetime",
    "home": "without the flag home",
    "mngtmpaddr": "without the flag mngtmpaddr",
}
