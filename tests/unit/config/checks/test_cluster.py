"""Checks of hosts.toml as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders import cluster
from clusters import REPOSITORY_KEY, WITH_SOURCES, with_options
from goldens import GOOD
from hosts_toml import SHORT, changed, line_of, problems

from lbdeploy.errors import HostsFileError

MISTAKES = {
    "no such script": (b"", "notify = 'nothing.sh'", "there is no nothing.sh beside hosts.toml; write it"),
    "an empty one": (b" \n", "notify = 'a.sh'", "a.sh is empty; write the script, beginning with #!/bin/sh"),
    "no interpreter": (b"exit 0\n", "notify = 'a.sh'", "a.sh does not begin with #! and an interpreter; begin it"),
    "Windows": (b"#!/bin/sh\r\nexit\r\n", "notify = 'a.sh'", "a.sh has the line ends of Windows"),
    "a program": (b"\x7fELF\xff", "notify = 'a.sh'", "a.sh is not text in UTF-8; name a script"),
    "NUL": (b"#!/bin/sh\n\0", "notify = 'a.sh'", "a.sh is no script: it has NUL bytes"),
    "a folder": (b"", "notify = 'folder'", "folder can't be read: Is a directory"),
    "elsewhere": (b"", "notify = '../a.sh'", "'../a.sh' is not a file below the folder of hosts.toml"),
    "absolute": (b"", "notify = '/etc/passwd'", "'/etc/passwd' is not a file below the folder of hosts.toml"),
    "a script's table": (
        b"",
        "[vrrp.track_scripts.x]\nscript = 'b.sh'",
        "vrrp.track_scripts.x.script: there is no b.sh beside hosts.toml",
    ),
    "no script": (b"", "[vrrp.track_scripts.x]", "vrrp.track_scripts.x.script: is missing; add script: Script,"),
    "unknown key": (
        b"",
        "[vrrp.track_files.x]\nfile = '/run/x'\nwieght = 1",
        "vrrp.track_files.x.wieght: unknown key; did you mean weight?",
    ),
    "weight": (b"", "[vrrp.track_files.x]\nfile = '/run/x'\nweight = 254", "254 is too large; write 253 or less"),
    "a directive": (
        b"",
        "[vrrp.track_files.x]\nfile = '/run/x }'",
        "'/run/x }' is not a file directly in /run or /var/lib",
    ),
    "a folder that may be missing": (
        b"",
        "[vrrp.track_files.x]\nfile = '/run/frr/x'",
        "'/run/frr/x' is not a file directly in /run or /var/lib; write one like \"/run/uplink\"",
    ),
    "lbdeploy's own": (b"", "[vrrp.track_files.x]\nfile = '/run/lbdeploy-handover'", "is not a file directly in /run"),
    "a name": (b"", "[vrrp.track_files.'x y']\nfile = '/run/x'", "'x y' is not a plain name"),
    "mode": (b"", "mode = 'broadcast'", "'broadcast' is not known; write 'unicast' or 'multicast'"),
}


@pytest.mark.parametrize(("content", "options", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_line_and_remedy(tmp_path: Path, content: bytes, options: str, message: str) -> None:
    """What no node could run is refused before any is contacted."""
    (tmp_path / "a.sh").write_bytes(content)
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostsFileError) as caught:
        with_options(tmp_path, options + "\n")
    (problem,) = caught.value.problems
    line = GOOD[: GOOD.index("preempt_delay = 30\n")].count("\n") + 1
    assert problem.line > line
    assert message in f"{problem.key}: {problem.message}; {problem.fix}"


def test_more_tracked_than_one_can_keep_in_mind_is_refused(tmp_path: Path) -> None:
    """Twenty of a kind are enough, and the number is told."""
    many = "".join(f"[vrrp.track_files.f{each}]\nfile = '/run/f{each}'\n" for each in range(21))
    with pytest.raises(HostsFileError) as caught:
        with_options(tmp_path, many)
    (problem,) = caught.value.problems
    assert (problem.key, problem.message, problem.fix) == (
        "vrrp.track_files",
        "has too many entries",
        "write at most 20",
    )


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"2.8.*"', '"2.8.*\\nPin: x"', "packages.haproxy"),
        ('"2.8.*"', '"/2.8/"', "packages.haproxy"),
        ('"2.8.*"', "2.8", "packages.haproxy"),
        ("http://10.0.0.5:3142", "http://me:secret@10.0.0.5:3142", "packages.apt_proxy"),
        ("http://10.0.0.5:3142", 'http://a\\"; x', "packages.apt_proxy"),
        ("https://apt.example.org/debian", "https://me:secret@apt.example.org", "packages.repositories.own.uri"),
        ('"main", "lb/extra"', '"main x"', "packages.repositories.own.components.0"),
        ('suite = "stable"', "", "packages.repositories.own.suite"),
        ('suite = "stable"', 'suite = "stable"\nsuit = 1', "packages.repositories.own.suit"),
        ('components = ["main", "lb/extra"]', "", "packages.repositories.own.components"),
        ('suite = "./"', 'suite = "./"\ncomponents = ["main"]', "packages.repositories.flat.components"),
        ('"own.gpg"', '"none.gpg"', "packages.repositories.own.key_file"),
        ('"own.gpg"', '"hosts.toml"', "packages.repositories.own.key_file"),
    ],
)
def test_what_can_not_be_meant_is_told_with_its_line(tmp_path: Path, old: str, new: str, where: str) -> None:
    """No value becomes a directive of apt's; each problem is told at its key, with what would be right."""
    (tmp_path / "own.gpg").write_bytes(REPOSITORY_KEY)
    with pytest.raises(HostsFileError) as caught:
        cluster(tmp_path, GOOD + WITH_SOURCES.replace(old, new))
    (problem,) = caught.value.problems
    assert problem.key == where
    assert problem.fix
    assert problem.line > GOOD.count("\n")


BAD = {
    "unknown table": ("[ssh]", "[shh]", "shh: unknown table; did you mean ssh?"),
    "unknown table, nothing near": (
        "[ssh]",
        "[zzz]",
        "zzz: unknown table; known are: cluster, ssh, packages, vrrp, metrics, haproxy, networks, nodes, frontends",
    ),
    "unknown key": (
        "preempt_delay = 30",
        "preempt_dealy = 30",
        "vrrp.preempt_dealy: unknown key; did you mean preempt_delay?",
    ),
    "unknown key of a node": (
        'external = "192.168.0.11"',
        'external = "192.168.0.11"\nextrenal = "192.168.0.13"',
        "nodes.lb1.extrenal: unknown key; did you mean external?",
    ),
    "a key with a line break": (
        'user = "ops"',
        '"us\\ner" = "ops"',
        'ssh."us\\ner": unknown key; did you mean user?',
    ),
    "text for a number": (
        "port = 6443",
        'port = "6443"',
        "frontends.k8s-api.port: '6443' is not a whole number; write it without quotes and decimals",
    ),
    "fraction for a whole number": (
        "rise = 3",
        "rise = 3.0",
        "frontends.k8s-api.rise: 3.0 is not a whole number; write it without quotes and decimals",
    ),
    "part of a second between checks": (
        "preempt_delay = 30",
        "check_interval = 0.5",
        "vrrp.check_interval: 0.5 is not a whole number; "
        "write 1 or more: keepalived 2.2 counts the seconds of its checks as whole ones",
    ),
    "adverts too often": (
        "advert_interval = 1",
        "advert_interval = 0.05",
        "vrrp.advert_interval: 0.05 is too small; write 0.1 or more",
    ),
    "truth for a number": (
        "rise = 3",
        "rise = true",
        "frontends.k8s-api.rise: true is not a whole number; write it without quotes and decimals",
    ),
    "date for a number": (
        "rise = 3",
        "rise = 2026-01-02",
        "frontends.k8s-api.rise: 2026-01-02 is not a whole number; write it without quotes and decimals",
    ),
    "text for seconds": (
        "interval = 10",
        'interval = "10s"',
        "frontends.k8s-api.interval: '10s' is not a number of seconds; write it without quotes, like 10 or 0.5",
    ),
    "no number of seconds": (
        "interval = 10",
        "interval = nan",
        "frontends.k8s-api.interval: nan is not a number of seconds; write it without quotes, like 10 or 0.5",
    ),
    "seconds beyond haproxy's timers": (
        "interval = 10",
        "interval = 1728001",
        "frontends.k8s-api.interval: 1728001 is too large; write 1728000 or less",
    ),
    "infinite delay": (
        "preempt_delay = 30",
        "preempt_delay = inf",
        "vrrp.preempt_delay: inf is too large; write 1000 or less",
    ),
    "number for truth": (
        "preempt_delay = 30",
        "preempt = 1",
        "vrrp.preempt: 1 is not true or false; write true or false, without quotes",
    ),
    "number for text": ('name = "k8s-api"', "name = 8", "cluster.name: 8 is not text; write it in quotes"),
    "table for text": (
        'name = "k8s-api"',
        "name = { a = 1 }",
        "cluster.name: is a table; write one value, behind the =",
    ),
    "list for text": (
        'name = "k8s-api"',
        'name = ["k8s-api"]',
        "cluster.name: is a list; write one value, without brackets",
    ),
    "list for a number": (
        "port = 6443",
        "port = [6443]",
        "frontends.k8s-api.port: is a list; write one value, without brackets",
    ),
    "number for a list": (
        "interval = 10",
        "check_status = 401",
        "frontends.k8s-api.check_status: 401 is not a list; write it in brackets: [401]",
    ),
    "number in quotes for a list": (
        "interval = 10",
        'check_status = "401"',
        "frontends.k8s-api.check_status: '401' is not a list; write it in brackets: [401]",
    ),
    "text for a list": (
        'user = "ops"',
        'user = "ops"\n[haproxy]\nextra = "haproxy.d/x.cfg"',
        "haproxy.extra: 'haproxy.d/x.cfg' is not a list; write it in brackets: ['haproxy.d/x.cfg']",
    ),
    "table for a list": (
        'name = "k8s-api"',
        'name = "k8s-api"\nfirewall_allow = { web = 80 }',
        "cluster.firewall_allow: {'web': 80} is not a list; write the entries in brackets, with commas between them",
    ),
    "empty list": (
        "interval = 10",
        "check_status = []",
        "frontends.k8s-api.check_status: is empty; write at least one entry, or leave the key out",
    ),
    "number for an address": (
        'external = "192.168.0.11"',
        "external = 19216811",
        'nodes.lb1.external: is not text; write an IP address in quotes, like "192.168.1.21"',
    ),
    "unknown choice": (
        'balance = "roundrobin"',
        'balance = "random"',
        "frontends.k8s-api.balance: 'random' is not known; write 'roundrobin', 'leastconn' or 'source'",
    ),
    "unknown check": (
        'check = "tcp"',
        'check = "http"',
        "frontends.k8s-api.check: 'http' is not known; write 'tcp' or 'https'",
    ),
    "bad address": (
        '"192.168.0.11"',
        '"192.168.0.256"',
        "nodes.lb1.external: '192.168.0.256' is not an IP address; "
        'write an IPv4 or IPv6 address, like "192.168.1.21"',
    ),
    "address with a prefix": (
        '"192.168.0.11"',
        '"192.168.0.11/24"',
        "nodes.lb1.external: '192.168.0.11/24' is not an IP address; "
        'write "192.168.0.11", an address with nothing around it',
    ),
    "address with a scope": (
        '"192.168.0.11"',
        '"fe80::1%eth0"',
        "nodes.lb1.external: 'fe80::1%eth0' is not an IP address; write an IPv4 or IPv6 address, like \"192.168.1.21\"",
    ),
    "VIP without a prefix": (
        '"192.168.0.10/24"',
        '"192.168.0.10"',
        "networks.external.vip: '192.168.0.10' has no prefix length; "
        'write the address with its prefix length, like "192.168.0.10/24"',
    ),
    "bad VIP": (
        '"192.168.0.10/24"',
        '["192.168.0.10/24", "192.168.0.10/33"]',
        "networks.external.vip: '192.168.0.10/33' is not a VIP; "
        'write the address with its prefix length, like "192.168.0.10/24"',
    ),
    "VIP with a scope": (
        '"192.168.0.10/24"',
        '["192.168.0.10/24", "fe80::1%a b/64"]',
        "networks.external.vip: 'fe80::1%a b/64' is not a VIP; "
        'write the address with its prefix length, like "192.168.0.10/24"',
    ),
    "link-local VIP": (
        '"192.168.0.10/24"',
        '"fe80::10/64"',
        "networks.external.vip: fe80::10 is link-local, and haproxy can't bind to it; give an address of a wider scope",
    ),
    "VIP on the whole internet": (
        '"192.168.0.10/24"',
        '"192.168.0.10/0"',
        "networks.external.vip: 192.168.0.10/0 can't be a VIP; "
        "give a unicast address with the prefix length of its network",
    ),
    "loopback VIP": (
        '"192.168.0.10/24"',
        '"127.0.0.2/32"',
        "networks.external.vip: 127.0.0.2/32 can't be a VIP; "
        "give a unicast address with the prefix length of its network",
    ),
    "VIP that is the network": (
        '"192.168.0.10/24"',
        '"192.168.0.0/24"',
        "networks.external.vip: 192.168.0.0 is the network or broadcast address of 192.168.0.0/24; "
        "give a host's address",
    ),
    "VIP that is the broadcast": (
        '"192.168.0.10/24"',
        '"192.168.0.255/24"',
        "networks.external.vip: 192.168.0.255 is the network or broadcast address of 192.168.0.0/24; "
        "give a host's address",
    ),
    "VIP given twice": (
        '"192.168.1.10/24"',
        '["192.168.1.10/24", "192.168.0.10/24"]',
        "networks.management.vip: VIP 192.168.0.10 is given twice; it is on network external already",
    ),
    "interface name too long": (
        'interface = "ens33"',
        'interface = "a23456789012345x"',
        "networks.external.interface: 'a23456789012345x' is not an interface name; write one like \"ens33\"",
    ),
    "interface name that is an option": (
        'interface = "ens33"',
        'interface = "-h"',
        "networks.external.interface: '-h' is not an interface name; write one like \"ens33\"",
    ),
    "interfaces of an unknown network": (
        "priority = 200",
        'priority = 200\ninterfaces = { extern = "eth0" }',
        "nodes.lb1.interfaces.extern: is not a network; did you mean external?",
    ),
    "bad name": (
        'name = "k8s-api"',
        'name = "k8s api"',
        "cluster.name: 'k8s api' is not a plain name; write one like \"lb-1\"",
    ),
    "bad name of a server": (
        'master2 = "192.168.1.22"',
        '"master 2" = "192.168.1.22"',
        'frontends.k8s-api.servers."master 2": \'master 2\' is not a plain name; write one like "lb-1"',
    ),
    "bad login": (
        'user = "ops"',
        'user = "-oProxyCommand=x"',
        "ssh.user: '-oProxyCommand=x' is not a login name; write one like \"ops\"",
    ),
    "bad jump host": (
        'user = "ops"',
        'jump = "-J"',
        "ssh.jump: '-J' is not a jump host; write one like \"ops@bastion:22\"",
    ),
    "bad path": (
        'user = "ops"',
        'identity_file = "a\\nb"',
        "ssh.identity_file: 'a\\nb' is not a path; write one like \"~/.ssh/id_ed25519\"",
    ),
    "priority too large": (
        "priority = 200",
        "priority = 255",
        "nodes.lb1.priority: 255 is too large; write 254 or less",
    ),
    "priority too small": ("priority = 200", "priority = 0", "nodes.lb1.priority: 0 is too small; write 1 or more"),
    "a frontend where nodes are peers": (
        "port = 6443",
        "port = 10646",
        "frontends.k8s-api.port: 10646 is the port at which the nodes' haproxy talk to each other; "
        "choose another one, or set peers_port in [haproxy]",
    ),
    "one port for all that nodes say to each other": (
        'master3 = "192.168.1.23"',
        'master3 = "192.168.1.23"\n[haproxy]\nstatus_port = 10646',
        "haproxy.status_port: is peers_port, too; give each its own port",
    ),
    "router_id too large": (
        "router_id = 101",
        "router_id = 256",
        "vrrp.router_id: 256 is too large; write 255 or less",
    ),
    "router_id too small": ("router_id = 101", "router_id = 0", "vrrp.router_id: 0 is too small; write 1 or more"),
    "port too large": (
        "port = 6443",
        "port = 65536",
        "frontends.k8s-api.port: 65536 is too large; write 65535 or less",
    ),
    "port too small": ("port = 6443", "port = 0", "frontends.k8s-api.port: 0 is too small; write 1 or more"),
    "advert interval VRRP can't send": (
        "advert_interval = 1",
        "advert_interval = 0.125",
        "vrrp.advert_interval: has more than two decimals; VRRP counts in hundredths of a second",
    ),
    "advert interval too short": (
        "advert_interval = 1",
        "advert_interval = 0.05",
        "vrrp.advert_interval: 0.05 is too small; write 0.1 or more",
    ),
    "server by name": (
        '"192.168.1.22"',
        '"master2.example.org"',
        "frontends.k8s-api.servers.master2: 'master2.example.org' is not a server; "
        'write "address" or "address:port" with an IP address: names are not resolved',
    ),
    "server with a bad port": (
        '"192.168.1.22"',
        '"192.168.1.22:65536"',
        "frontends.k8s-api.servers.master2: '192.168.1.22:65536' is not a server; "
        "write the port as a number from 1 to 65535",
    ),
    "server with half a port": (
        '"192.168.1.22"',
        '"192.168.1.22:6_443"',
        "frontends.k8s-api.servers.master2: '192.168.1.22:6_443' is not a server; "
        "write the port as a number from 1 to 65535",
    ),
    "server with a scope": (
        '"192.168.1.22"',
        '"[fe80::1%x y]:80"',
        "frontends.k8s-api.servers.master2: '[fe80::1%x y]:80' is not a server; "
        'write "address" or "address:port" with an IP address: names are not resolved',
    ),
    "server that is no text": (
        '"192.168.1.22"',
        "6443",
        'frontends.k8s-api.servers.master2: is not text; write a server in quotes, like "192.168.1.21:6443"',
    ),
    "server that is a VIP": (
        '"192.168.1.22"',
        '"192.168.0.10:8443"',
        "frontends.k8s-api.servers.master2: 192.168.0.10 is a VIP: connections would go in circles; "
        "give the server's own address",
    ),
    "server that is a VIP as IPv6 writes it": (
        '"192.168.1.22"',
        '"[::ffff:192.168.0.10]:8443"',
        "frontends.k8s-api.servers.master2: 192.168.0.10 is a VIP: connections would go in circles; "
        "give the server's own address",
    ),
    "server at the address that was asked for": (
        '"192.168.1.22"',
        '"0.0.0.0"',
        "frontends.k8s-api.servers.master2: 0.0.0.0 can't be a server's address; "
        "give the address that the server itself has",
    ),
    "two servers at one place": (
        '"192.168.1.22"',
        '"192.168.1.21:6443"',
        "frontends.k8s-api.servers.master2: is the same address and port as master1; give each server its own",
    ),
    "address given twice": (
        '"192.168.0.12"',
        '"192.168.0.11"',
        "nodes.lb2.external: 192.168.0.11 is already the address of node lb1; give each node addresses of its own",
    ),
    "address that is a VIP": (
        '"192.168.0.12"',
        '"192.168.0.10"',
        "nodes.lb2.external: 192.168.0.10 is already the VIP of network external; give each node addresses of its own",
    ),
    "address outside its VIP's network": (
        '"192.168.0.12"',
        '"192.168.2.12"',
        "nodes.lb2.external: 192.168.2.12 is not in 192.168.0.0/24, the network of its VIP; "
        "correct the address, or the VIP's prefix length",
    ),
    "priority given twice": (
        "priority = 100",
        "priority = 200",
        "nodes.lb2.priority: 200 is already the priority of lb1; "
        "give each node its own: the highest is the preferred MASTER",
    ),
    "VRRP on an unknown network": (
        'network = "management"',
        'network = "managment"',
        "vrrp.network: 'managment' is not a network of this file; did you mean management?",
    ),
    "array of tables for a table": (
        "[ssh]",
        "[[ssh]]",
        "ssh: is not a table; write NAME = VALUE lines below a [table] header",
    ),
    "node's address is link-local": (
        '"192.168.0.11"',
        '"fe80::11"',
        "nodes.lb1.external: fe80::11 is link-local: it belongs to an interface, which neither SSH nor VRRP is told; "
        "give an address of a wider scope",
    ),
    "node whose name is no name": (
        "[nodes.lb2]",
        '[nodes."lb 2"]',
        'nodes."lb 2": is not a plain name; use letters, digits, dots, hyphens and underscores, '
        "beginning and ending with a letter or digit",
    ),
    "number far too long": (
        "router_id = 101",
        "router_id = " + 5000 * "1",
        "a number is far too long; no number has so many digits",
    ),
    "assignment without a value": (
        "router_id = 101",
        "router_id =",
        'the value is missing; write one, like "text", 10 or true',
    ),
    "key given twice": (
        "router_id = 101",
        "router_id = 101\nrouter_id  = 101",
        "router_id is set twice, lines 30 and 31; remove one of the lines",
    ),
}


@pytest.mark.parametrize(("old", "new", "complaint"), BAD.values(), ids=BAD.keys())
def test_a_problem_is_told_with_its_line_and_remedy(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """One thing that is wrong gives one problem: its line, its key, what is wrong, what would be right."""
    text = changed(old, new)
    line = GOOD[: GOOD.index(old)].count("\n") + 1 + new.count("\n")  # what is wrong is in the last line of `new`
    assert problems(tmp_path, text) == [f"{line}: {complaint}"]


def test_every_problem_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    """One mistake does not hide another, and the problems come in the order of the file."""
    text = changed('name = "k8s-api"', 'name = "k8s api"')
    text = changed('"192.168.0.10/24"', '"192.168.0.10"', text)
    text = changed('external = "192.168.0.11"\n', "", text)
    text = changed("priority = 100", "priority = 200", text)
    text = changed("router_id = 101", 'router_id = "x"', text)
    text = changed('"192.168.1.22"', '"192.168.1.21"', text)
    assert [re.split(": |;", problem)[:3] for problem in problems(tmp_path, text)] == [
        [str(line_of("k8s api", text)), "cluster.name", "'k8s api' is not a plain name"],
        [str(line_of('vip = "192.168.0', text)), "networks.external.vip", "'192.168.0.10' has no prefix length"],
        [str(line_of("[nodes.lb1]", text)), "nodes.lb1", "has no address on network external"],
        [str(line_of("[nodes.lb2]", text) + 3), "nodes.lb2.priority", "200 is already the priority of lb1"],
        [str(line_of("router_id", text)), "vrrp.router_id", "'x' is not a whole number"],
        [str(line_of("master2", text)), "frontends.k8s-api.servers.master2", "is the same address and port as master1"],
    ]


def test_an_empty_file_is_told_what_it_needs(tmp_path: Path) -> None:
    """What writes one; and where there is a table, each other that a cluster needs, with the header to write."""
    assert problems(tmp_path, "# nothing yet\n") == [
        "1: describes no cluster yet; lbdeploy init writes a file, or copy the sample"
    ]
    assert problems(tmp_path, "[ssh]\n") == [
        "1: cluster: is missing; add a table [cluster]",
        "1: frontends: is missing; add a table [frontends.NAME]",
        "1: networks: is missing; add a table [networks.NAME]",
        "1: nodes: is missing; add a table [nodes.NAME]",
        "1: vrrp: is missing; add a table [vrrp]",
    ]


def test_empty_tables_are_told_what_they_need(tmp_path: Path) -> None:
    """A table that is there is not called missing, but what it lacks is."""
    text = "[cluster]\n[networks]\n[nodes]\n[vrrp]\n[frontends.api]\nport = 80\nservers = {}\n"
    assert [problem.partition("; ")[0] for problem in problems(tmp_path, text)] == [
        "1: cluster.name: is missing",
        "2: networks: is missing",
        "3: nodes: is missing",
        "4: vrrp.network: is missing",
        "4: vrrp.router_id: is missing",
        "7: frontends.api.servers: is empty",
    ]


def test_tables_that_are_values_are_told_to_be_tables(tmp_path: Path) -> None:
    """A value where a table belongs is one problem, not many."""
    text = 'cluster = 1\nnetworks = 2\nnodes = 0\nvrrp = []\nfrontends = "x"\nssh = false\n'
    found = [re.split(": |;", problem)[:3] for problem in problems(tmp_path, text)]
    tables = ("cluster", "networks", "nodes", "vrrp", "frontends", "ssh")
    assert found == [[str(line), table, "is not a table"] for line, table in enumerate(tables, 1)]


def test_one_node_is_no_pair(tmp_path: Path) -> None:
    """A single node is refused: it would be no highly available load balancer."""
    text = re.sub(r"\[nodes.lb2\][^\[]*", "", SHORT)
    assert problems(tmp_path, text) == ["9: nodes: at least two nodes are needed; add a second [nodes.NAME] table"]


def test_some_network_must_have_a_vip(tmp_path: Path) -> None:
    """A file without any VIP is refused."""
    text = re.sub(r"vip = .*\n", "", SHORT)
    assert problems(tmp_path, text) == ['3: networks: no network has a VIP; add vip = "ADDRESS/PREFIX" to one']


def test_every_node_is_on_every_network(tmp_path: Path) -> None:
    """A node without an address on one of the networks is told which one, at the node's table."""
    text = changed('management = "192.168.1.12"\n', "", SHORT)
    assert problems(tmp_path, text) == [
        '13: nodes.lb2: has no address on network management; add management = "ADDRESS"'
    ]


def test_two_networks_of_vips_on_one_interface_need_one_address_of_a_node(tmp_path: Path) -> None:
    """The same address on both, though it is in the network of one VIP only; not where the interfaces differ."""
    one = GOOD.replace('interface = "ens32"', 'interface = "ens33"').replace("192.168.1.1", "192.168.0.1")
    one = one.replace('vip = "192.168.0.10/24"\n', 'vip = "10.9.0.10/24"\n')
    assert [str(vip.ip) for vip in cluster(tmp_path, one).vips] == ["192.168.0.10", "10.9.0.10"]
    apart = one.replace('interface = "ens33"', 'interface = "ens34"', 1)
    twice = [each for each in problems(tmp_path, apart) if "is already the address of node" in each]
    assert [each.split("; ")[1] for each in twice] == [
        "give both networks the interface ens34, or this one another address"
    ] * 2


def test_the_nodes_speak_vrrp_in_one_family(tmp_path: Path) -> None:
    """Nodes whose addresses on the VRRP network are of different families could never hear each other."""
    text = changed('management = "192.168.1.12"', 'management = "fd00::12"', SHORT)
    assert problems(tmp_path, text) == [
        "9: nodes: mix IPv4 and IPv6 on management, where VRRP speaks one; give all nodes one family there"
    ]


@pytest.mark.parametrize(
    ("edits", "own", "other"),
    [
        ({"192.168.0.10/24": "2001:db8::10/64", "192.168.1.10/24": "fd00::10/64"}, 4, 6),
        (
            {
                'management = "192.168.1.11"': 'management = "fd00::11"',
                'management = "192.168.1.12"': 'management = "fd00::12"',
            },
            6,
            4,
        ),
    ],
)
def test_adverts_carry_at_least_one_vip(tmp_path: Path, edits: dict[str, str], own: int, other: int) -> None:
    """VIPs that are all of the family that VRRP does not speak are refused by every keepalived, so they are here."""
    text = SHORT
    for old, new in edits.items():
        text = changed(old, new, text)
    line = text[: text.index('network = "management"')].count("\n") + 1
    assert problems(tmp_path, text) == [
        f"{line}: vrrp.network: has VRRP speak IPv{own}, in which it can't move VIPs that are all IPv{other}; "
        f"name a network on which the nodes have IPv{other} addresses, or add an IPv{own} VIP"
    ]


def test_what_is_wrong_with_a_vip_is_not_said_of_vrrp(tmp_path: Path) -> None:
    """The VIP of the other family may be the one that is mistyped."""
    text = changed("192.168.1.10/24", "192.168.1.300/24", changed("192.168.0.10/24", "2001:db8::10/64", SHORT))
    (problem,) = problems(tmp_path, text)
    assert "networks.management.vip" in problem


def test_a_master_without_preemption_is_none(tmp_path: Path) -> None:
    """keepalived drops nopreempt where the initial state is MASTER: hosts.toml can't have both."""
    text = changed("router_id = 101", 'router_id = 101\npreempt = false\ninitial_state = "MASTER"', SHORT)
    (problem,) = problems(tmp_path, text)
    assert 'vrrp.initial_state: is "MASTER", for which keepalived drops preempt = false; leave it out' in problem


def test_two_frontends_need_two_ports(tmp_path: Path) -> None:
    """Every frontend listens on every VIP, so ports can't be shared."""
    text = SHORT + '[frontends.two]\nport = 6443\nservers = { a = "10.0.0.1" }\n'
    assert problems(tmp_path, text) == [
        "27: frontends.two.port: 6443 is already the port of frontend k8s-api; give each frontend its own port, "
        "or, by the key networks, its own networks"
    ]


def test_two_frontends_may_have_the_same_servers(tmp_path: Path) -> None:
    """A server may stand behind several frontends, at the same port or another."""
    text = SHORT + '[frontends.two]\nport = 443\nservers = { a = "192.168.1.21:6443", b = "192.168.1.21" }\n'
    assert [server.port for server in cluster(tmp_path, text).frontends[1].servers] == [6443, 443]


def test_a_network_can_not_be_called_like_a_key_of_a_node(tmp_path: Path) -> None:
    """A node's key would be both the address on that network and something else."""
    text = SHORT.replace("external", "host")
    assert "3: networks.host: is a name that a node uses for something else; choose another name" in problems(
        tmp_path, text
    )
