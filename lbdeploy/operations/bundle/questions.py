"""What a node is asked for a bundle: commands, whose output is kept, and files. Nothing of it changes anything."""

from __future__ import annotations

from lbdeploy.common.shell import Raw, here
from lbdeploy.node.keepalived_state import PROBE
from lbdeploy.node.paths import GENERATIONS, HAPROXY_SOCKET, RUN, STATE

LARGEST = 400_000  # bytes of an output, or of a file: its end, where the latest is
SECONDS = 20  # how long a command may take
_ASK = f"timeout 3 socat -t 3 - UNIX-CONNECT:{HAPROXY_SOCKET}"
_LOG = "journalctl -q --no-pager -o short-iso-precise"
# What a daemon says against its configuration quotes words out of it, and no rule knows which of them are secret.
_STATUS = "> /dev/null 2>&1; echo what it says of its configuration: exit status $?"
_UNITS = "haproxy keepalived lbdeploy lbdeploy-undo lbdeploy-shared-vips lbdeploy-firewall lbdeploy-notify nftables ssh"

# By the path in the archive below the node's folder.
COMMANDS = {
    "system/release.txt": "uname -a; cat /etc/os-release; uptime; date -u; timedatectl",
    "system/packages.txt": "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n'; apt-mark showhold",
    "system/resources.txt": "df -h; df -i; free -m; cat /proc/loadavg; tail /proc/pressure/*; ps -e",
    "system/services.txt": f"systemctl status --no-pager --full -n 0 {_UNITS}; systemctl --no-pager --failed; "
    "systemctl --no-pager list-timers",
    "system/boots.txt": "journalctl -q --no-pager --list-boots",
    "system/sysctl.txt": "sysctl -a | grep -E '^(net[.](ipv4|core|netfilter)|net[.]ipv6[.]conf[.](all|default))[.]'",
    "network/addresses.txt": "ip -d address; ip -s link",
    "network/routes.txt": "ip rule; ip route show table all; ip -6 rule; ip -6 route show table all",
    "network/neighbours.txt": "ip neigh",
    "network/sockets.txt": "ss -s; ss -tulnp",
    "network/firewall.txt": "nft list ruleset; iptables-save; ip6tables-save",
    "haproxy/version.txt": f"haproxy -vv; haproxy -c -f /etc/haproxy/haproxy.cfg {_STATUS}",
    "haproxy/state.txt": f"for each in info stat 'servers state' peers; do echo; echo \"show $each\" | {_ASK}; done",
    "keepalived/version.txt": f"keepalived --version; keepalived -t -f /etc/keepalived/keepalived.conf {_STATUS}",
    "keepalived/state.json": PROBE,
    "lbdeploy/state.txt": f"ls -lR --time-style=full-iso {STATE} {RUN}; tail /run/lbdeploy-*",
    "logs/haproxy.txt": f"{_LOG} -u haproxy -n 3000",
    "logs/keepalived.txt": f"{_LOG} -u keepalived -n 3000",
    "logs/lbdeploy.txt": f"{_LOG} -u lbdeploy -u lbdeploy-undo -u lbdeploy-firewall -u lbdeploy-notify -n 3000",
    "logs/kernel.txt": f"{_LOG} -k -n 1000",
    "logs/warnings.txt": f"{_LOG} -p warning -n 1000",
}
# No others: what else lies beside them may be a key or a token, and only names and sizes of that are told.
FILES = (
    "/etc/haproxy/*.cfg", "/etc/keepalived/*.conf", "/etc/keepalived/announce", "/etc/keepalived/tickle-clients",
    "/etc/keepalived/check-*", "/etc/keepalived/lbdeploy-*", "/etc/default/haproxy", "/etc/default/keepalived",
    "/etc/sysctl.conf", "/etc/sysctl.d/*.conf", "/etc/systemd/system/haproxy.service.d/*.conf",
    "/etc/systemd/system/keepalived.service.d/*.conf", "/etc/systemd/system/nftables.service.d/*.conf",
    "/etc/systemd/system/lbdeploy-*.service", "/etc/lbdeploy/*.nft", "/etc/nftables.conf", "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*", "/etc/apt/preferences.d/*", "/etc/apt/apt.conf.d/*lbdeploy*", "/etc/hosts",
    "/etc/network/interfaces", "/etc/network/interfaces.d/*", "/etc/netplan/*.yaml", "/etc/systemd/network/*.network",
    f"{STATE}/journal", f"{STATE}/hosts.toml", f"{STATE}/packages", f"{STATE}/installed",
    f"{GENERATIONS}/*/about", f"{GENERATIONS}/*/number", f"{GENERATIONS}/*/hosts.toml",
    f"{GENERATIONS}/*/files/etc/haproxy/*.cfg", f"{GENERATIONS}/*/files/etc/keepalived/*.conf",
    f"{RUN}/*.log",
)  # fmt: skip
FOLDERS = ("/etc/haproxy", "/etc/keepalived", "/etc/lbdeploy")


def shown(command: str) -> Raw:
    """The end of what a command prints, errors included, within its time."""
    return Raw(f"timeout -k 1 {SECONDS} sh -c {here(command)} 2>&1 | tail -c {LARGEST}")
