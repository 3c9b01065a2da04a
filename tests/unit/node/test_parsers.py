"""Reading `ip a`, `show stat` and the answers of the VIPs, from outputs that were captured on nodes."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from builders import captured
from hypothesis import example, given
from hypothesis import strategies as st

from lbdeploy.node.parsers import (
    Answered,
    Link,
    Load,
    Neighbour,
    Room,
    ServerStat,
    parse_answered,
    parse_greeted,
    parse_ip_a,
    parse_loads,
    parse_neighbours,
    parse_room,
    parse_show_stat,
)

HEADER = captured("show_stat/trixie_up").splitlines()[0]


def addresses(name: str) -> dict[str, list[str]]:
    return {link.name: [str(each) for each in link.addresses] for link in parse_ip_a(captured(f"ip_a/{name}"))}


def up(name: str) -> dict[str, bool]:
    return {link.name: link.up for link in parse_ip_a(captured(f"ip_a/{name}"))}


def servers(name: str) -> dict[str, ServerStat]:
    return {stat.server: stat for stat in parse_show_stat(captured(f"show_stat/{name}"))}


@pytest.mark.parametrize(
    ("name", "ens32", "ens33"),
    [
        ("seed_before", ["192.168.1.11/24"], ["192.168.0.11/24"]),
        ("seed_backup", ["192.168.1.12/24"], ["192.168.0.12/24"]),
        ("seed_master", ["192.168.1.11/24", "192.168.1.10/24"], ["192.168.0.11/24", "192.168.0.10/24"]),
        ("bookworm_lab_master", ["192.168.1.11/24", "192.168.1.10/24"], ["192.168.0.11/24", "192.168.0.10/24"]),
        ("trixie_lab_master", ["192.168.1.11/24", "192.168.1.10/24"], ["192.168.0.11/24", "192.168.0.10/24"]),
    ],
)
def test_ip_a_shows_which_addresses_are_on_which_interface(name: str, ens32: list[str], ens33: list[str]) -> None:
    """Every IPv4 address of an interface is found, the primary and the secondary ones, with its prefix length."""
    found = {link: [each for each in them if ":" not in each] for link, them in addresses(name).items()}
    assert found == {"lo": ["127.0.0.1/8"], "ens32": ens32, "ens33": ens33}


def test_ip_a_of_the_seed_gives_link_local_addresses_too() -> None:
    """IPv6 addresses of an interface are found beside the IPv4 ones, in the order of the output."""
    assert addresses("seed_master")["ens32"] == ["192.168.1.11/24", "192.168.1.10/24", "fe80::f816:3eff:fe69:547c/64"]


@pytest.mark.parametrize("name", ["bookworm_odd", "trixie_odd"])
def test_ip_a_flags_names_and_peers_are_understood(name: str) -> None:
    """Alternative names, @if2, labels, peers, and flags after an address change nothing about the address."""
    found = addresses(name)
    assert list(found) == ["lo", "ens33", "ens33.5", "br-lan"]
    assert [each for each in found["ens33"] if not each.startswith("fe80")] == [
        "192.168.0.11/24",
        "192.168.0.99/32",
        "10.1.1.1/30",
        "192.168.0.10/24",
        "fd00:7::a1/127",
        "fd00:7::10/128",
        "fd00:7::99/64",
        "fd00:7::66/64",
    ]
    assert found["br-lan"] == []


def test_a_link_is_up_with_a_carrier_only() -> None:
    """An interface counts as up when it was set up and its cable has a carrier."""
    assert up("bookworm_lab_master") == {"lo": True, "ens33": True, "ens32": True}
    assert up("bookworm_down") == {"lo": True, "ens33": False, "ens32": True, "br0": False}
    assert up("bookworm_no_carrier")["ens32"] is False


@pytest.mark.parametrize("name", ["bookworm_up", "trixie_up"])
def test_checked_servers_are_up(name: str) -> None:
    """A server that has passed its checks is up, and no longer in its first check."""
    found = servers(name)
    assert list(found) == ["master1", "master2", "master3"]
    assert all(stat.up and not stat.initial and stat.frontend == "k8s-api" for stat in found.values())


def test_the_seeds_example_has_one_server_up_and_two_down() -> None:
    """The older format, with a comma at the end of each line, tells which servers are up and why others are not."""
    found = servers("seed")
    assert [name for name, stat in found.items() if stat.up] == ["master1"]
    assert found["master1"] == ServerStat("k8s-api", "master1", "UP", "L4OK", "", 2557, 0)
    assert (found["master3"].status, found["master3"].check_status, found["master3"].since) == ("DOWN", "L4CON", 2550)
    assert found["master3"].check_detail == "Connection refused at initial connection step of tcp-check"


@pytest.mark.parametrize("name", ["bookworm_initial", "trixie_initial"])
def test_a_server_in_its_first_check_is_not_up(name: str) -> None:
    """haproxy sends connections to a server that it has not checked yet; it is not proved to be up."""
    found = servers(name)
    assert found["master1"].up
    assert not found["master1"].initial
    assert (found["master2"].up, found["master2"].initial, found["master2"].status) == (False, True, "UP 1/2")


@pytest.mark.parametrize("name", ["bookworm_down", "trixie_down"])
def test_servers_that_are_down_or_in_maintenance_are_not_up(name: str) -> None:
    """DOWN and MAINT are neither up nor a first check."""
    found = servers(name)
    states = {server: (stat.status, stat.check_status, stat.up, stat.initial) for server, stat in found.items()}
    assert states == {
        "master1": ("UP", "L4OK", True, False),
        "master2": ("DOWN", "L4CON", False, False),
        "master3": ("MAINT", "", False, False),
    }


@pytest.mark.parametrize("name", ["bookworm_unchecked", "trixie_unchecked"])
def test_a_server_that_is_not_checked_is_not_up(name: str) -> None:
    """Without a check nothing proves that a server is up, and waiting does not help."""
    assert all((stat.status, stat.up, stat.initial) == ("no check", False, False) for stat in servers(name).values())


@pytest.mark.parametrize("name", ["bookworm_checking", "trixie_checking"])
def test_a_check_under_way_does_not_hide_the_last_ones_result(name: str) -> None:
    """The star that marks a check under way is no part of the last check's result."""
    assert "* L7OK" in captured(f"show_stat/{name}")
    assert servers(name)["slow"].check_status == "L7OK"
    assert servers(name)["slow"].up


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_only_up_itself_is_up(suite: str) -> None:
    """Servers on their way up or down, drained, refusing or failing their checks are not up."""
    assert {name: (stat.status, stat.up) for name, stat in servers(f"{suite}_changing").items()} == {
        "slow": ("UP", True),
        "failing": ("UP 1/3", False),
        "recovering": ("DOWN 1/4", False),
        "refusing": ("DOWN", False),
        "draining": ("DRAIN", False),
        "off": ("MAINT", False),
        "unchecked": ("no check", False),
    }
    assert [name for name, stat in servers(f"{suite}_first_checks").items() if stat.initial] == [
        "recovering",
        "refusing",
    ]


@pytest.mark.parametrize(
    ("status", "check", "up"),
    [
        ("UP", "L4OK", True),
        ("UP", "L6OK", True),
        ("UP", "L7OK", True),
        ("UP 1/2", "L4OK", False),
        ("UP", "INI", False),
        ("UP", "L4TOUT", False),
        ("DOWN", "L4OK", False),
        ("no check", "", False),
    ],
)
def test_up_needs_both_the_status_and_a_check_that_passed(status: str, check: str, up: bool) -> None:
    """Neither the status UP without a passed check, nor a passed check without the status UP, is enough."""
    (stat,) = parse_show_stat(f"# pxname,svname,status,check_status\napi,m1,{status},{check}\n")
    assert stat.up is up


def test_sessions_and_age_are_numbers() -> None:
    """The current sessions and the seconds in this status are read from their columns."""
    (stat,) = parse_show_stat("# pxname,svname,scur,status,lastchg\napi,m1,7,UP,42\n")
    assert (stat.sessions, stat.since) == (7, 42)


def test_columns_are_found_by_name() -> None:
    """haproxy may add columns anywhere: the first line says which is which."""
    (stat,) = parse_show_stat("# pxname,svname,new,check_status,newer,status\napi,m1,x,L7OK,y,UP\n")
    assert stat.up
    assert stat.since is None


@pytest.mark.parametrize("text", ["", "\n", "Unknown command. Please enter one of:\n", "# pxname\nk8s-api\n"])
def test_what_is_no_statistics_has_no_servers(text: str) -> None:
    """An answer that is no table of statistics gives no servers."""
    assert parse_show_stat(text) == ()


def test_a_vip_that_answers_is_told_from_one_that_is_silent() -> None:
    """The first byte of an answer proves a server; a VIP that said nothing did not answer."""
    found = parse_answered("192.168.0.10 6443 16\nfd00::1 443\n")
    assert found == (Answered(ip_address("192.168.0.10"), 6443, "16"), Answered(ip_address("fd00::1"), 443, ""))
    assert [each.ok for each in found] == [True, False]


def test_a_frontend_that_answers_on_its_own_socket_is_told_from_one_that_is_silent() -> None:
    """Lines that begin with "own" are of the node's own haproxy; those of the VIPs are not."""
    text = "192.168.0.10 6443 16\nown api 16\nown ingress\nown ingress \nown\nown a b c\nfoo api 16\n"
    assert parse_greeted(text) == {"api": True, "ingress": False}
    assert [str(each.ip) for each in parse_answered(text)] == ["192.168.0.10"]


def test_room_is_read_for_each_folder() -> None:
    """What df prints for each folder: free KiB and inodes; a file system without inodes has any number of them."""
    text = "  Avail   IFree File\n7168592  458110 /var/lib/dpkg\n   0   0 /etc/haproxy\n  12   - /etc/keepalived\n"
    assert parse_room(text) == (
        Room("/var/lib/dpkg", 7168592, 458110),
        Room("/etc/haproxy", 0, 0),
        Room("/etc/keepalived", 12, 1 << 60),
    )


def test_room_is_read_from_this_machines_own_df(tmp_path: Path) -> None:
    """The options that the probe gives to df give what is read."""
    command = ["df", "-k", "--output=avail,iavail,file", tmp_path]
    (room,) = parse_room(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (room.folder, room.kib > 0, room.inodes > 0) == (str(tmp_path), True, True)


def test_a_neighbour_is_one_that_has_answered() -> None:
    """Only who has a link-layer address, and did not fall silent, has answered for the address."""
    text = (
        "192.168.0.10 dev ens33 lladdr 02:00:00:00:00:01 REACHABLE\n"
        "192.168.1.10 dev ens32 FAILED\n192.168.1.11 dev ens32 lladdr 02:00:00:00:00:02 FAILED\n"
    )
    assert parse_neighbours(text) == (Neighbour(ip_address("192.168.0.10"), "02:00:00:00:00:01"),)


def test_damaged_lines_do_not_hide_the_others() -> None:
    """A line that can't be read is passed over, and those around it are read."""
    assert parse_answered("x\n10.0.0.1 port\n10.0.0.1 80 48\n\n") == (Answered(ip_address("10.0.0.1"), 80, "48"),)
    assert parse_ip_a(
        "1: a: <UP,LOWER_UP> mtu\n    inet 10.0.0.999/24 scope\n    inet6 fd00::1/999 x\n    inet 10.0.0.1/8 x\n"
    ) == parse_ip_a("1: a: <UP,LOWER_UP>\n    inet 10.0.0.1/8 x\n")
    assert parse_show_stat(f"{HEADER}\nk8s-api\n\nk8s-api,m1,,,²,,,,,,,,,,,,,UP\n")[-1].status == "UP"


def mutations(text: str) -> st.SearchStrategy[str]:
    """The text with pieces of it taken out, doubled, or replaced by anything."""
    piece = st.sampled_from(text.splitlines(keepends=True)) | st.text(max_size=20)
    return st.lists(piece, max_size=12).map("".join) | st.text()


# What looks like addresses, and mostly is none.
ADDRESSES = st.lists(st.text("0123456789abf.:/", max_size=12), max_size=4).map(
    lambda texts: "1: a: <UP>\n" + "".join(f"    inet6 {text} x\n" for text in texts)
)


@given(mutations(captured("ip_a/trixie_odd")) | ADDRESSES)
@example("1: a: <UP>\n    inet 1.2.3.4/99 x\n")
def test_any_text_can_be_read_as_ip_a(text: str) -> None:
    """No output of `ip a` makes the reader raise; what it returns are links with addresses."""
    assert all(isinstance(link, Link) for link in parse_ip_a(text))


@given(mutations(captured("show_stat/trixie_checking")) | st.text().map(lambda text: f"{HEADER}\n{text}"))
@example(HEADER + "\nk8s-api,m1,,,,,,,,,,,,,,,,UP,,,,,,²\n")
@example(HEADER + "\n" + 140_000 * "x")
@example(HEADER + "\na,b,,," + 5000 * "9")
@example("# pxname,foo\na,b\n")
def test_any_text_can_be_read_as_statistics(text: str) -> None:
    """No answer of haproxy makes the reader raise."""
    assert all(isinstance(stat, ServerStat) for stat in parse_show_stat(text))


@given(mutations("192.168.0.10 6443 16\nfd00::1 443\n1.2.3.4 x\n"))
@example("1.2.3.4 " + 5000 * "9")
@example("1.2.3.4 80 16 17")
def test_any_text_can_be_read_as_answers(text: str) -> None:
    """No output of the asking script makes the reader raise."""
    assert all(isinstance(each, Answered) for each in parse_answered(text))


@given(mutations("own api 16\nown web\n10.0.0.1 80 16\n"))
def test_any_text_can_be_read_as_greetings(text: str) -> None:
    """No output of the asking script makes the reader of the sockets' answers raise."""
    assert all(isinstance(each, bool) for each in parse_greeted(text).values())


@given(mutations("  Avail IFree File\n7168592 458110 /var\n12 - /etc\n"))
@example("² ² x")
@example("9" * 5000 + " 1 x")
def test_any_text_can_be_read_as_room(text: str) -> None:
    """No output of df makes the reader raise."""
    assert all(isinstance(each, Room) for each in parse_room(text))


@given(mutations("10.0.0.1 dev x lladdr 02:00:00:00:00:01 STALE\nfd00::1 dev x lladdr\n"))
def test_any_text_can_be_read_as_neighbours(text: str) -> None:
    """No output of `ip neigh` makes the reader raise."""
    assert all(isinstance(each, Neighbour) for each in parse_neighbours(text))


def test_sessions_and_rates_are_the_frontends() -> None:
    (load,) = parse_loads(captured("show_stat/bookworm_down"))
    assert load.frontend == "k8s-api"


def test_a_frontend_that_has_served_millions_says_so() -> None:
    """Its total is a counter, and no number of a file that keepalived tracks."""
    rows = "# pxname,svname,scur,rate,stot\napi,FRONTEND,20000,1500,123456789\napi,m1,1,1,1\napi,BACKEND,1,1,1\n"
    assert parse_loads(rows) == (Load("api", 20000, 1500, 123456789),)


def test_alternative_names_of_an_interface_are_known() -> None:
    """As iproute2 prints them, below the MAC."""
    text = """\
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP group default qlen 1000
    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff
    altname enp0s3
    altname ens3
    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0
"""
    (link,) = parse_ip_a(text)
    assert (link.name, link.others, len(link.addresses)) == ("eth0", ("enp0s3", "ens3"), 1)
