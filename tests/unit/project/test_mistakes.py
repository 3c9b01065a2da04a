"""Some eighty mistakes, as people make them: each is one problem, with its place, its remedy and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Run
from goldens import GOOD

# What somebody meant, what they wrote; how the problem begins, and what is marked in the line.
IN_THE_FILE = [
    ("key misspelt", "priority = 200", "prioritiy = 200",
     "21: nodes.lb1.prioritiy: unknown key; did you mean priority?", "prioritiy"),
    ("optional key misspelt", "preempt_delay", "premept_delay",
     "32: vrrp.premept_delay: unknown key; did you mean preempt_delay?", "premept_delay"),
    ("key of another case", "router_id", "Router_ID",
     "30: vrrp.Router_ID: unknown key; did you mean router_id?", "Router_ID"),
    ("key with a hyphen", "router_id", "router-id",
     "30: vrrp.router-id: unknown key; did you mean router_id?", "router-id"),
    ("key of keepalived", "router_id", "virtual_router_id",
     "30: vrrp.virtual_router_id: unknown key; did you mean router_id?", "virtual_router_id"),
    ("network of a node misspelt", "external = \"192.168.0.12\"", "externl = \"192.168.0.12\"",
     "24: nodes.lb2.externl: unknown key; did you mean external?", "externl"),
    ("table misspelt", "[vrrp]", "[vrp]",
     "28: vrp: unknown table; did you mean vrrp?", "vrp"),
    ("tables misspelt", "[networks.", "[network.",
     "10: network: unknown table; did you mean networks?", "network"),
    ("one node's table misspelt", "[nodes.lb2]", "[node.lb2]",
     "23: node: unknown table; did you mean nodes?", "node"),
    ("table of frontends misspelt", "[frontends.", "[frontend.",
     "34: frontend: unknown table; did you mean frontends?", "frontend"),
    ("servers misspelt", "k8s-api.servers]", "k8s-api.server]",
     "41: frontends.k8s-api.server: unknown key; did you mean servers?", "frontends.k8s-api.server"),
    ("a name with a dot", "[nodes.lb1]", "[nodes.lb1.example]",
     "18: nodes.lb1.example: dots in a name make tables in each", "nodes.lb1.example"),
    ("a name with dots", "[nodes.lb1]", "[nodes.lb1.example.org]",
     "18: nodes.lb1.example.org: dots in a name make tables in each", "nodes.lb1.example.org"),
    ("a frontend with a dot", "frontends.k8s-api", "frontends.k8s.api",
     "34: frontends.k8s.api: dots in a name make tables in each", "frontends.k8s.api"),
    ("table forgotten", "[vrrp]\n", "",
     "28: nodes.lb2.network: a key of [vrrp], which has no header; write a line [vrrp] abo", "\"management\""),
    ("address forgotten", "external = \"192.168.0.12\"\n", "",
     "23: nodes.lb2: has no address on network external; add external = \"ADDRESS\"", "nodes.lb2"),
    ("priority forgotten", "priority = 100\n", "",
     "23: nodes.lb2.priority: is missing; add priority: VRRP priority. The highest is the ", "nodes.lb2"),
    ("port forgotten", "port = 6443\n", "",
     "34: frontends.k8s-api.port: is missing; add port: TCP port on the VIPs", "frontends.k8s-api"),
    ("interface forgotten", "interface = \"ens32\"\n", "",
     "14: networks.management.interface: is missing; add interface: Interface on the nodes", "networks.management"),
    ("set twice", "router_id = 101\n", "router_id = 101\nrouter_id = 102\n",
     "31: router_id is set twice, lines 30 and 31; remove one of the lines", "router_id"),
    ("table twice", "[nodes.lb2]", "[nodes.lb1]",
     "23: [nodes.lb1] is there twice, lines 18 and 23; put its keys below one of them, or ", "["),
    ("server twice", "master2 =", "master1 =",
     "43: master1 is set twice, lines 42 and 43; remove one of the lines", "master1"),
    ("text without quotes", "\"ens33\"", "ens33",
     "11: ens33 is not a value in TOML; write text in quotes: \"ens33\"", "ens33"),
    ("address without quotes", "\"192.168.0.11\"", "192.168.0.11",
     "19: 192.168.0.11 is not a value in TOML; write text in quotes: \"192.168.0.11\"", "192.168.0.11"),
    ("vip without quotes", "\"192.168.0.10/24\"", "192.168.0.10/24",
     "12: 192.168.0.10/24 is not a value in TOML; write text in quotes: \"192.168.0.10/24\"", "192.168.0.10/24"),
    ("typographic quotes", "\"ens33\"", "“ens33”",
     "11: typographic quotes are no quotes in TOML; write \"", "“ens33”"),
    ("quote forgotten", "\"ens33\"", "\"ens33",
     "11: the text is not closed; write a quote at its end", "\"ens33"),
    ("single quote forgotten", "\"ens33\"", "'ens33",
     "11: the text is not closed; write a quote at its end", "'ens33"),
    ("colon", "router_id = 101", "router_id: 101",
     "30: this line is neither KEY = VALUE nor a [table]; write KEY = \"VALUE\"", "r"),
    ("no equals sign", "router_id = 101", "router_id 101",
     "30: this line is neither KEY = VALUE nor a [table]; write KEY = \"VALUE\"", "r"),
    ("no value", "router_id = 101", "router_id =",
     "30: the value is missing; write one, like \"text\", 10 or true", ""),
    ("bracket forgotten", "[vrrp]", "[vrrp",
     "28: the name of the table is not closed; write a ] at its end", ""),
    ("list not closed", "\"192.168.0.10/24\"", "[\"192.168.0.10/24\"",
     "12: the list is not closed; write commas between its entries, and ] at its end", "[\"192.168.0.10/24\""),
    ("number with comma", "preempt_delay = 30", "preempt_delay = 1,000",
     "32: 1,000 is not a value in TOML; write a number as 1000", "1,000"),
    ("number with unit", "preempt_delay = 30", "preempt_delay = 30s",
     "32: 30s is not a value in TOML; write seconds as a number: 30", "30s"),
    ("leading zero", "router_id = 101", "router_id = 0101",
     "30: 0101 is not a value in TOML; write a number as 101", "0101"),
    ("yes", "preempt_delay = 30", "preempt = yes",
     "32: yes is not a value in TOML; write true or false", "yes"),
    ("comment by //", "router_id = 101", "router_id = 101 // ours",
     "30: '// ours' has no meaning in a value; begin a comment with #", "101 // ours"),
    ("two on a line", "rise = 3\nfall = 2", "rise = 3, fall = 2",
     "39: '= 2' has no meaning in a value; write each key on a line of its own", "3, fall = 2"),
    ("backslash", "\"ops\"", "\"DOMAIN\\ops\"",
     "8: a backslash begins an escape in this text; write the text in single quotes", "\"DOMAIN\\ops\""),
    ("braces not closed", "priority = 100", "priority = 100\ninterfaces = { external = \"enp1s0\"",
     "27: the table in braces is not closed on its line; write } at its end", "{ external = \"enp1s0\""),
    ("true in quotes", "preempt_delay = 30", "preempt = \"true\"",
     "32: vrrp.preempt: 'true' is not true or false; write true or false, without quotes", "\"true\""),
    ("number in quotes", "router_id = 101", "router_id = \"101\"",
     "30: vrrp.router_id: '101' is not a whole number; write it without quotes and decimal", "\"101\""),
    ("decimals", "router_id = 101", "router_id = 10.1",
     "30: vrrp.router_id: 10.1 is not a whole number; write it without quotes and decimals", "10.1"),
    ("number as name", "user = \"ops\"", "user = 1000",
     "8: ssh.user: 1000 is not text; write it in quotes", "1000"),
    ("router id too large", "router_id = 101", "router_id = 300",
     "30: vrrp.router_id: 300 is too large; write 255 or less", "300"),
    ("router id 0", "router_id = 101", "router_id = 0",
     "30: vrrp.router_id: 0 is too small; write 1 or more", "0"),
    ("priority 255", "priority = 200", "priority = 255",
     "21: nodes.lb1.priority: 255 is too large; write 254 or less", "255"),
    ("priority 0", "priority = 100", "priority = 0",
     "26: nodes.lb2.priority: 0 is too small; write 1 or more", "0"),
    ("port too large", "port = 6443", "port = 64430000",
     "35: frontends.k8s-api.port: 64430000 is too large; write 65535 or less", "64430000"),
    ("negative delay", "preempt_delay = 30", "preempt_delay = -1",
     "32: vrrp.preempt_delay: -1 is too small; write 0 or more", "-1"),
    ("interval 0", "interval = 10", "interval = 0",
     "38: frontends.k8s-api.interval: 0 is too small; write 0.1 or more", "0"),
    ("hundredths", "advert_interval = 1", "advert_interval = 0.125",
     "31: vrrp.advert_interval: has more than two decimals; VRRP counts in hundredths of a", "0.125"),
    ("vip without prefix", "\"192.168.0.10/24\"", "\"192.168.0.10\"",
     "12: networks.external.vip: '192.168.0.10' has no prefix length; write the address wi", "\"192.168.0.10\""),
    ("vip with prefix 33", "\"192.168.0.10/24\"", "\"192.168.0.10/33\"",
     "12: networks.external.vip: '192.168.0.10/33' is not a VIP; write the address with it", "\"192.168.0.10/33\""),
    ("vip elsewhere", "\"192.168.0.10/24\"", "\"192.168.7.10/24\"",
     "12: networks.external.vip: 192.168.7.10/24: no node has an address there; write a VI", "\"192.168.7.10/24\""),
    ("vip is the network", "\"192.168.0.10/24\"", "\"192.168.0.0/24\"",
     "12: networks.external.vip: 192.168.0.0 is the network or broadcast address of 192.16", "\"192.168.0.0/24\""),
    ("vip is loopback", "\"192.168.0.10/24\"", "\"127.0.0.1/8\"",
     "12: networks.external.vip: 127.0.0.1/8 can't be a VIP; give a unicast address with t", "\"127.0.0.1/8\""),
    ("vip is a node's", "\"192.168.0.10/24\"", "\"192.168.0.11/24\"",
     "19: nodes.lb1.external: 192.168.0.11 is already the VIP of network external; give ea", "\"192.168.0.11\""),
    ("vip twice", "\"192.168.1.10/24\"", "\"192.168.0.10/24\"",
     "16: networks.management.vip: VIP 192.168.0.10 is given twice; it is on network exter", "\"192.168.0.10/24\""),
    ("no vip at all", "vip = \"192.168.", "#vip = \"192.168.",
     "10: networks: no network has a VIP; add vip = \"ADDRESS/PREFIX\" to one", "networks"),
    ("address with prefix", "\"192.168.0.11\"", "\"192.168.0.11/24\"",
     "19: nodes.lb1.external: '192.168.0.11/24' is not an IP address; write \"192.168.0.11\"", "\"192.168.0.11/24\""),
    ("address of 256", "\"192.168.0.11\"", "\"192.168.0.256\"",
     "19: nodes.lb1.external: '192.168.0.256' is not an IP address; write an IPv4 or IPv6 ", "\"192.168.0.256\""),
    ("address of another network", "\"192.168.0.12\"", "\"192.168.5.12\"",
     "24: nodes.lb2.external: 192.168.5.12 is not in 192.168.0.0/24, the network of its VI", "\"192.168.5.12\""),
    ("address twice", "\"192.168.0.12\"", "\"192.168.0.11\"",
     "24: nodes.lb2.external: 192.168.0.11 is already the address of node lb1; give each n", "\"192.168.0.11\""),
    ("name for an address", "\"192.168.0.11\"", "\"lb1.example.org\"",
     "19: nodes.lb1.external: 'lb1.example.org' is not an IP address; write an IPv4 or IPv", "\"lb1.example.org\""),
    ("same priorities", "priority = 100", "priority = 200",
     "26: nodes.lb2.priority: 200 is already the priority of lb1; give each node its own: ", "200"),
    ("network unknown to vrrp", "network = \"management\"", "network = \"mangement\"",
     "29: vrrp.network: 'mangement' is not a network of this file; did you mean management", "\"mangement\""),
    ("balance unknown", "\"roundrobin\"", "\"round-robin\"",
     "36: frontends.k8s-api.balance: 'round-robin' is not known; write 'roundrobin', 'leas", "\"round-robin\""),
    ("check unknown", "check = \"tcp\" ", "check = \"http2\"",
     "37: frontends.k8s-api.check: 'http2' is not known; write 'tcp' or 'https'", "\"http2\""),
    ("server by name", "\"192.168.1.21\"", "\"master1.example.org\"",
     "42: frontends.k8s-api.servers.master1: 'master1.example.org' is not a server; write ", "\"master1.example.org\""),
    ("server's port", "\"192.168.1.21\"", "\"192.168.1.21:99999\"",
     "42: frontends.k8s-api.servers.master1: '192.168.1.21:99999' is not a server; write", "\"192.168.1.21:99999\""),
    ("interface too long", "\"ens33\"", "\"enp0s31f6verylongname\"",
     "11: networks.external.interface: 'enp0s31f6verylongname' is not an interface na", "\"enp0s31f6verylongname\""),
    ("interface with a space", "\"ens33\"", "\"ens 33\"",
     "11: networks.external.interface: 'ens 33' is not an interface name; write one like \"", "\"ens 33\""),
    ("user with a space", "\"ops\"", "\"the ops\"",
     "8: ssh.user: 'the ops' is not a login name; write one like \"ops\"", "\"the ops\""),
    ("name with a space", "[nodes.lb2]", "[nodes.\"lb 2\"]",
     "23: nodes.\"lb 2\": is not a plain name; use letters, digits, dots, hyphens and unders", "nodes.\"lb 2\""),
    ("initial_state", "router_id = 101", "router_id = 101\ninitial_state = \"SLAVE\"",
     "31: vrrp.initial_state: 'SLAVE' is not known; write 'auto' or 'MASTER'", "\"SLAVE\""),
    ("check keys without https", "fall = 2", "fall = 2\ncheck_path = \"/healthz\"",
     "41: frontends.k8s-api.check_path: is of no use to a tcp check; write check = \"https\"", "\"/healthz\""),
    ("list of a list", "\"192.168.0.10/24\"", "[[\"192.168.0.10/24\"]]",
     "12: networks.external.vip: is not text; write a VIP in quotes, like", "[[\"192.168.0.10/24\"]]"),
    ("vip with a port", "\"192.168.0.10/24\"", "\"192.168.0.10:6443\"",
     "12: networks.external.vip: '192.168.0.10:6443' is not a VIP; write the address with its prefix",
     "\"192.168.0.10:6443\""),
    ("vip with prefix and port", "\"192.168.0.10/24\"", "\"192.168.0.10/24:6443\"",
     "12: networks.external.vip: '192.168.0.10/24:6443' is not a VIP; write \"192.168.0.10/24\"; a port is",
     "\"192.168.0.10/24:6443\""),
    ("vip in brackets", "\"192.168.0.10/24\"", "\"[fd00::10]/64\"",
     "12: networks.external.vip: '[fd00::10]/64' is not a VIP; write \"fd00::10/64\"", "\"[fd00::10]/64\""),
    ("address in brackets", "\"192.168.0.11\"", "\"[fd00::11]\"",
     "19: nodes.lb1.external: '[fd00::11]' is not an IP address; write \"fd00::11\"", "\"[fd00::11]\""),
    ("address of a network", "\"192.168.0.11\"", "\"192.168.0.0/24\"",
     "19: nodes.lb1.external: '192.168.0.0/24' is not an IP address; write an IP address", "\"192.168.0.0/24\""),
    ("address with zeros", "\"192.168.0.11\"", "\"192.168.000.011\"",
     "19: nodes.lb1.external: '192.168.000.011' is not an IP address; write \"192.168.0.11\"", "\"192.168.000.011\""),
    ("address as URL", "\"192.168.0.11\"", "\"https://192.168.0.11\"",
     "19: nodes.lb1.external: 'https://192.168.0.11' is not an IP address; write \"192.168.0.11\"",
     "\"https://192.168.0.11\""),
    ("server as URL", "\"192.168.1.21\"", "\"https://192.168.1.21:6443/\"",
     "42: frontends.k8s-api.servers.master1: 'https://192.168.1.21:6443/' is not a server; write \"192.168.1.21:6443\"",
     "\"https://192.168.1.21:6443/\""),
    ("server with prefix", "\"192.168.1.21\"", "\"192.168.1.21/24\"",
     "42: frontends.k8s-api.servers.master1: '192.168.1.21/24' is not a server; write \"192.168.1.21\"",
     "\"192.168.1.21/24\""),
    ("server with a space", "\"192.168.1.21\"", "\"192.168.1.21 \"",
     "42: frontends.k8s-api.servers.master1: '192.168.1.21 ' is not a server; write \"192.168.1.21\"",
     "\"192.168.1.21 \""),
    ("server's port in words", "\"192.168.1.21\"", "\"192.168.1.21:https\"",
     "42: frontends.k8s-api.servers.master1: '192.168.1.21:https' is not a server; write the port as a",
     "\"192.168.1.21:https\""),
    ("interface by its address", "\"ens33\"", "\"192.168.0.11\"",
     "11: networks.external.interface: '192.168.0.11' is not an interface name; write one like", "\"192.168.0.11\""),
    ("key of a frontend in vrrp", "[vrrp]\n", "[vrrp]\nbalance = \"roundrobin\"\n",
     "29: vrrp.balance: unknown key; it is a key of [frontends.NAME]", "balance"),
    ("key of vrrp in a node", "priority = 200", "preempt = true\npriority = 200",
     "21: nodes.lb1.preempt: unknown key; it is a key of [vrrp]", "preempt"),
    ("pasted YAML", "[vrrp]", "vrrp:",
     "28: this is YAML, and not TOML; write [table] headers and KEY = VALUE lines", "v"),
    ("pasted JSON", GOOD, "{\"nodes\": {}}\n",
     "1: this is JSON, and not TOML; write [table] headers and KEY = VALUE lines", "{"),
    ("a merge's conflict", "router_id = 101", "<<<<<<< HEAD\nrouter_id = 101\n=======\nrouter_id = 1\n>>>>>>> b",
     "30: a merge has left both sides of a conflict here; keep one of them", "<"),
    ("no-break space", "priority = 200", "priority\u00a0= 200",
     "21: this line has a space of another kind (U+00A0); write a plain space there", "\u00a0"),
    ("long text not closed", "\"ens33\"", "\"\"\"ens33",
     "11: the text is not closed; write \"\"\" at its end", "\"\"\"ens33"),
    ("Windows path", "\"ops\"", "\"C:\\Users\\ops\"",
     "8: a backslash begins an escape in this text; write the text in single quotes", "\"C:\\Users\\ops\""),
    ("names of nodes as a list", "[cluster]", "nodes = [\"lb1\", \"lb2\"]\n[cluster]",
     "19: nodes has a value in line ", "["),
    ("a table for a value", "router_id = 101", "router_id = { id = 101 }",
     "30: vrrp.router_id: is a table; write one value, behind the =", "{ id = 101 }"),
]  # fmt: skip
# What somebody typed; the message, and how the remedy begins.
TYPED = [
    ("up lb1", "lbdeploy up takes no argument lb1", "lbdeploy up --limit lb1"),
    ("up lb1 lb2", "lbdeploy up takes no argument lb1 lb2", "lbdeploy up --limit lb1,lb2"),
    ("down lb1", "lbdeploy down takes no argument lb1", "lbdeploy down --limit lb1"),
    ("handover lb2", "lbdeploy handover takes no argument lb2", "lbdeploy handover --to lb2"),
    ("show lb1", "lbdeploy show takes no argument lb1", "lbdeploy show --help"),
    ("apply", "there is no command apply", "did you mean up?"),
    ("deploy", "there is no command deploy", "did you mean up?"),
    ("validate", "there is no command validate", "did you mean check?"),
    ("destroy", "there is no command destroy", "did you mean down?"),
    ("failover", "there is no command failover", "did you mean handover?"),
    ("chekc", "there is no command chekc", "did you mean check?"),
    ("lab strat", "there is no command strat", "did you mean start?"),
    ("drill foo", "drill has no kind foo", "it is one of haproxy, hang, keepalived, "),
    ("drill haproxi", "drill has no kind haproxi", "did you mean haproxy?"),
    ("completion csh", "completion has no shell csh", "did you mean zsh?"),
    ("plan --limitt lb1", "lbdeploy plan has no option --limitt", "did you mean --limit?"),
    ("plan --nonsense", "lbdeploy plan has no option --nonsense", "lbdeploy plan --help"),
    ("plan --limit", "--limit needs a value", "lbdeploy plan --help"),
    ("rebuild", "lbdeploy rebuild needs NODE", "lbdeploy rebuild --help"),
    ("lab stop", "lbdeploy lab stop needs NODE|SERVER", "lbdeploy lab stop --help"),
    ("verify --format xml", "--format can't be 'xml'", "it is one of nagios, prometheus, junit"),
    ("verify --wait 6x", "--wait: 6x is not a number of seconds", "lbdeploy verify --help"),
    ("verify --wait 2h", "--wait: 2h is not from 0 to 3600 seconds", "lbdeploy verify --help"),
    ("plan --limit lb9", "there is no node lb9 in ", "one of: lb1, lb2"),
    ("version", "there is no command version", "lbdeploy --version"),
    ("help", "there is no command help", "lbdeploy --help"),
    ("--limit lb1 up", "lbdeploy has no option --limit", "if it is an option of a command, behind that: "),
    ("check nope.toml", "there is no nope.toml", "name it with -f FILE"),
]


@pytest.mark.parametrize(
    ("meant", "written", "problem", "marked"), [each[1:] for each in IN_THE_FILE], ids=[each[0] for each in IN_THE_FILE]
)
def test_a_mistake_in_the_file_is_one_problem_with_its_place(
    run: Run, tmp_path: Path, meant: str, written: str, problem: str, marked: str
) -> None:
    """The line, the part of it that is meant, and one remedy."""
    assert meant in GOOD
    (tmp_path / "hosts.toml").write_text(GOOD.replace(meant, written), encoding="utf-8")
    done = run("check")
    assert (done.code, done.out) == (2, "")
    first, told, *drawn = done.err.splitlines()
    assert first == "error: hosts.toml has 1 problem"
    assert told.startswith(f"  hosts.toml:{problem}")
    assert ";" in told
    line, column = drawn[0].partition(" │ ")[2], drawn[1].partition(" │ ")[2].index("^")
    assert line[column:].startswith(marked[:40])
    assert drawn[1].count("^") == max(1, min(len(marked), len(line) - column))
    assert drawn[2] == "  now: nothing was contacted"


@pytest.mark.parametrize(("typed", "message", "remedy"), TYPED)
def test_a_mistake_on_the_command_line_is_told_with_what_was_meant(
    run: Run, typed: str, message: str, remedy: str
) -> None:
    """In words, and not in those of a library; nothing is contacted."""
    done = run(*typed.split())
    assert (done.code, done.out) == (2, "")
    first, now, following, *_ = done.err.splitlines()
    assert first.startswith(f"error: {message}")
    assert (now, following.startswith(f"  next: {remedy}")) == ("  now: nothing was contacted", True), following


def test_a_file_without_a_table_is_one_problem(run: Run, tmp_path: Path) -> None:
    """Not one for each table that there is none of."""
    (tmp_path / "hosts.toml").write_text("# nothing yet\n")
    done = run("check")
    assert (done.code, done.out) == (2, "")
    assert "hosts.toml:1: describes no cluster yet; lbdeploy init writes a file, or copy the sample\n" in done.err


def test_there_are_as_many_as_were_tried() -> None:
    """The table is the list of what people have tried."""
    assert len(IN_THE_FILE) + len(TYPED) > 100
    assert len({each[0] for each in IN_THE_FILE}) == len(IN_THE_FILE)
