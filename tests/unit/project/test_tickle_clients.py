"""The script that resets clients of a former holder: what it reads, and what it sends; what it does is for the lab."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from struct import unpack

import pytest
from builders import BIG, SEED, cluster

from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, TICKLE_CLIENTS, files

Perl = Callable[[str], str]
SERVED = "%SERVED = ('192.168.0.10_6443' => 1, '2001:db8::10_443' => 1);"


@pytest.fixture
def perl(tmp_path: Path) -> Perl:
    """Runs perl after the script has been read, which does nothing by itself; what perl prints."""
    found = cluster(tmp_path, SEED.read_text())
    (script,) = (each.content for each in files(found, found.preferred) if each.path == TICKLE_CLIENTS)
    (tmp_path / "script").write_text(script)

    def run(program: str) -> str:
        text = f"require '{tmp_path / 'script'}'; our %SERVED; {program}"
        done = subprocess.run(["perl", "-w", "-e", text], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_frontends_are_read_from_the_nodes_own_files(perl: Perl, tmp_path: Path) -> None:
    """Each VIP with each port that haproxy listens on there; not where the peers and the metrics are."""
    found = cluster(tmp_path, BIG)
    for each in files(found, found.preferred):
        if each.path in (KEEPALIVED_CONF, HAPROXY_CFG):
            (tmp_path / each.path.rpartition("/")[2]).write_text(each.content)
    paths = f"'{tmp_path}/keepalived.conf', '{tmp_path}/haproxy.cfg'"
    vips = ("203.0.113.10", "2001:db8:17::10", "fd00:1::10")
    told = perl(f"print join ' ', served({paths})").split()
    assert sorted(told) == sorted(f"{vip}_{port}" for vip in vips for port in (6443, 443))


def test_frontends_of_own_templates_are_read_too(perl: Perl, tmp_path: Path) -> None:
    """Wildcards, lists and comments, as the daemons take them."""
    (tmp_path / "k").write_text(
        "vrrp_instance a {\n virtual_ipaddress\n {\n  10.0.0.1\n  10.0.0.2/24 dev x # 10.0.0.3\n }\n}\n"
    )
    (tmp_path / "h").write_text(
        "frontend a\n bind *:80\n bind 10.0.0.2:81,10.0.0.9:82 ssl\n # bind :83\n bind unix@/x\n"
    )
    told = perl(f"print join ' ', served('{tmp_path}/k', '{tmp_path}/h')").split()
    assert told == ["10.0.0.1_80", "10.0.0.2_80", "10.0.0.2_81"]


@pytest.mark.parametrize(
    "key",
    [
        "10.0.0.1_50000_192.168.0.10_6444",  # no frontend
        "10.0.0.1_50000_10.0.0.9_6443",  # no VIP
        "192.168.0.10_50000_192.168.0.10_6443",
        "224.0.0.18_50000_192.168.0.10_6443",
        "255.255.255.255_50000_192.168.0.10_6443",
        "127.0.0.1_50000_192.168.0.10_6443",
        "0.0.0.0_50000_192.168.0.10_6443",
        "2001:db8::1_50000_192.168.0.10_6443",
        "10.0.0.1_50000_2001:db8::10_443",
        "ff02::1_50000_2001:db8::10_443",
        "::1_50000_2001:db8::10_443",
        "10.0.0.1_0_192.168.0.10_6443",
        "10.0.0.1_65536_192.168.0.10_6443",
        "10.0.0.256_50000_192.168.0.10_6443",
        "10.0.0.1_50000_192.168.0.10_6443;",
        "x",
        "",
    ],
)
def test_what_can_not_be_a_client_is_sent_nothing(perl: Perl, key: str) -> None:
    """What peers tell is data: it names no target but a host that may be connected to a frontend."""
    assert perl(f"{SERVED} print client('{key}') ? 'sent' : 'not'") == "not"


@pytest.mark.parametrize(
    ("client", "vip"), [("10.0.0.7_50001", "192.168.0.10_6443"), ("fd00::7_2", "2001:db8::10_443")]
)
def test_a_packet_is_a_whole_one(perl: Perl, client: str, vip: str) -> None:
    """From the VIP to the client, with both their ports, the number, the flags and a checksum that is right."""
    sent = bytes.fromhex(perl(f"{SERVED} print unpack 'H*', segment(client('{client}_{vip}'), 0x04, 0x89abcdef)"))
    (ip, port), (own, served) = client.split("_"), vip.split("_")
    four = ip_address(own).version == 4
    head, tcp = (sent[:20], sent[20:]) if four else (sent[:40], sent[40:])
    addresses = ip_address(own).packed + ip_address(ip).packed
    assert head.endswith(addresses)
    assert (head[0] >> 4, head[9] if four else head[6]) == ((4, 6) if four else (6, 6))
    assert unpack("!HHIIBBHHH", tcp)[:6] == (int(served), int(port), 0x89ABCDEF, 0, 5 << 4, 0x04)
    words = unpack(f"!{(len(addresses) + 28) // 2}H", addresses + b"\0\0\0\x14\0\0\0\x06" + tcp)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


def test_a_state_that_was_noted_long_ago_is_no_later_one(perl: Perl, tmp_path: Path) -> None:
    """PIDs begin anew: a node in FAULT would stay so for whoever asks."""
    state = tmp_path / "state"
    wrapped = (
        f"open(my $f, '>', '{state}'); print {{$f}} 'FAULT ', $$ + 2; close $f; utime(time - 31, time - 31, '{state}')"
    )
    perl(f"{wrapped}; note('BACKUP', '{state}')")
    assert state.read_text().split()[0] == "BACKUP"


def test_of_two_states_the_later_one_is_noted(perl: Perl, tmp_path: Path) -> None:
    """Processes that keepalived starts at once may come to it in another order."""
    state = tmp_path / "state"
    for before, after in (("BACKUP {later}", "BACKUP"), ("BACKUP {earlier}", "FAULT"), ("BACKUP 4000000", "FAULT")):
        numbers = "later => $$ + 2, earlier => $$ - 2"
        write = (
            f"my %n = ({numbers}); my $was = '{before}' =~ s/\\{{(\\w+)\\}}/$n{{$1}}/r; open(my $f, '>', '{state}'); "
        )
        perl(f"{write} print {{$f}} $was; close $f; note('FAULT', '{state}')")
        assert state.read_text().split()[0] == after


@pytest.mark.parametrize(("family", "own"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_is_asked_for_one_connection(perl: Perl, family: socket.AddressFamily, own: str) -> None:
    """What is established, what only listens there, what has ended, and what nobody knows."""
    with socket.create_server((own, 0), family=family) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((own, port))
        mine, _ = server.accept()
        number = client.getsockname()[1]

        def state(of: int, other: int) -> int:
            return int(perl(f"print state(pack('n n', {of}, {other}), packed('{own}'), packed('{own}'))"))

        assert (state(port, number), state(port, 1)) == (1, 10)
        mine.close()
        client.close()
        assert (state(port, number), state(1, number)) == (6, 0)


def test_it_says_what_it_can_not_do(perl: Perl) -> None:
    """Without a job of its own it does nothing."""
    assert perl("print main('x'), main()") == "22"
