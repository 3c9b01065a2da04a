"""What clients feel that only read, as watches do: who ends them where the VIPs move, and how soon they go on."""

from __future__ import annotations

import re
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import same_ports
from clients import smooth, traffic
from earlier import earlier
from harness import TOP, VIPS, Lab, held_by, sound, wait_for
from watchers import SOON, ends, longest, watching

from lbdeploy.config import reader
from lbdeploy.lab import commands

SERVERS = ("master1", "master2", "master3")
STATS = "echo 'show stat' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock | grep '^k8s-api,{},' | cut -d, -f{}"
TABLE = "echo 'show table lbdeploy/clients data.gpt0 eq {}' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"


def moved_at(lab: Lab, node: str, since: float) -> float:
    """When the node has last become MASTER, in the time that clients go by."""
    log = f"journalctl -q -u keepalived --since=@{since:.0f} -o short-monotonic | grep 'Entering MASTER'"
    found = re.findall(r"^\[ *([0-9.]+)\]", lab.on(node, f"journalctl --sync; {log}"), re.MULTILINE)
    return float(found[-1])


def entries(lab: Lab, node: str, tag: int) -> set[str]:
    """The clients that a node's haproxy knows, by whether they are connected (0), or were (1)."""
    return set(re.findall(r"key=(\S+) ", lab.on(node, TABLE.format(tag))))


def test_a_planned_move_and_its_return(pair: Lab) -> None:
    """No new connection fails, and each watch is ended once a move, and goes on at once."""
    for args, holder in ((("--to", "lb2"), "lb2"), (("--back",), "lb1")):
        with traffic(pair, *VIPS) as seen, watching(pair, *VIPS) as watches:
            told = pair.do("handover", *args)["watches"]
            wait_for(lambda: held_by(pair, holder), 30)  # noqa: B023
            time.sleep(2)
        smooth(seen, 1)
        assert (told["opened"], told["ended"]) == (6, 6)
        assert told["silence_ms"] <= SOON * 1000
        assert ends(watches) == [1] * len(ends(watches))
        assert longest(watches) <= SOON
        assert longest(watches, talks=True) <= SOON


@pytest.mark.parametrize(
    "kind", ["haproxy", "power", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("hang", "keepalived"))]
)
def test_the_holder_fails(pair: Lab, kind: str) -> None:
    """Whatever it dies of: the one that takes over ends watches, and they go on.

    haproxy that did not hear of a peer for five seconds connects to it again within seven: by then it has all entries.
    """
    pair.edit("preempt_delay = 2", "preempt_delay = 10")
    pair.do("up")
    since = time.time()
    with watching(pair, *VIPS) as watches:
        pair.do("drill", kind, "--hold", "6")
        moved = moved_at(pair, "lb2", since)
        wait_for(lambda: held_by(pair, "lb1"), 60)
        returned = moved_at(pair, "lb1", since)
        time.sleep(2)
    assert min(ends(watches)) >= 2, watches
    assert longest([until(each, returned) for each in watches], after=moved) <= SOON
    assert longest(watches, after=returned) <= SOON


def until(watch: dict[str, Any], end: float) -> dict[str, Any]:
    """What a watch saw of silences that began before then."""
    return {**watch, "silences": [each for each in watch["silences"] if each[0] < end - SOON]}


def test_a_client_that_uses_its_port_again_is_left_alone(pair: Lab) -> None:
    """It was known from an earlier connection, and is connected to this node when it is tickled."""
    elections = "for i in $(seq 20); do /etc/keepalived/tickle-clients moved & sleep 0.25; done; wait"
    with ThreadPoolExecutor() as pool:
        told = pool.submit(pair.on, "client", f"{sys.executable} {same_ports.__file__} {VIPS[0]} 6")
        pair.on("lb1", elections)
        connections, ended = map(int, told.result().split())
    assert connections > 200
    assert ended == 0


@contextmanager
def short_lived(lab: Lab) -> Iterator[None]:
    """Entries of clients that last 30 s where nobody renews them, instead of minutes."""
    folder = lab.file.parent / "templates"
    folder.mkdir()
    for name, old in (("haproxy.cfg.j2", "expire {{ paths.clients_expire }}s"),
                      ("tickle-clients.pl.j2", "{{ paths.clients_expire }} * 1000")):  # fmt: skip
        text = (TOP / "templates" / name).read_text()
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, old.replace("{{ paths.clients_expire }}", "30")))
    lab.do("up")
    yield
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()


def quiet(lab: Lab) -> socket.socket:
    """A connection on which nothing is said any more after a first request; it is the client's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with inside(lab.namespace("client")):
        plain = socket.create_connection((VIPS[0], 6443), timeout=5)
    connection = context.wrap_socket(plain)
    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"ok"):
        answer += connection.recv(4096)
    return connection


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """What is opened in the block is opened in that network namespace."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as own, Path(f"/run/netns/{namespace}").open() as other:
        assert libc.setns(other.fileno(), 0) == 0
        try:
            yield
        finally:
            assert libc.setns(own.fileno(), 0) == 0


@pytest.mark.slow
def test_a_quiet_connection_stays_known_for_as_long_as_it_lasts(pair: Lab) -> None:
    """Longer than entries last, also in a haproxy that was reloaded; what has ended is known as that, or not at all."""
    with short_lived(pair):
        there, gone = quiet(pair), quiet(pair)
        keys = ["_".join((*map(str, each.getsockname()), VIPS[0], "6443")) for each in (there, gone)]
        assert set(keys) <= wait_for(lambda: entries(pair, "lb2", 0))
        pair.on("lb1", "systemctl reload haproxy")
        gone.close()
        wait_for(lambda: keys[1] not in entries(pair, "lb2", 0), 25)
        time.sleep(45)
        assert keys[0] in entries(pair, "lb2", 0)
        assert keys[1] not in entries(pair, "lb2", 0) | entries(pair, "lb2", 1)
        pair.lab("stop", "lb1")
        wait_for(lambda: pair.holder(VIPS[0]) == ["lb2"])
        there.settimeout(SOON)
        with suppress(ConnectionResetError):
            assert there.recv(1) == b""
        pair.lab("start", "lb1")


def test_the_former_holder_keeps_no_connection(pair: Lab) -> None:
    """They would hold their servers' side for hours, and stand in the way of clients that use a port again."""
    connections = "ss -Htn state connected exclude time-wait src {} or src {}".format(*VIPS)
    with watching(pair, *VIPS):
        pair.do("handover", "--to", "lb2")
        wait_for(lambda: not pair.on("lb1", connections), 5)
        assert pair.on("lb2", connections)
        pair.do("handover", "--back")


def test_a_pair_of_before_gets_it_by_one_run(pair: Lab) -> None:
    """Only reloads, and nobody notices, also where a host has another name than its node."""
    earlier(pair)
    assert "localpeer" not in pair.on("lb1", "cat /etc/haproxy/haproxy.cfg")
    pair.on("lb1", "hostname other")
    with traffic(pair, *VIPS) as seen, watching(pair, *VIPS) as watches:
        changes = pair.do("up")["changes"]
        wait_for(lambda: entries(pair, "lb1", 0) & entries(pair, "lb2", 0))
    pair.on("lb1", "hostname lb1")
    assert {each["action"] for each in changes if each["kind"] == "service"} == {"reload"}
    smooth(seen, 0)
    assert ends(watches) == [0] * len(ends(watches))
    sound(pair)


def test_a_server_dies_without_a_word(pair: Lab) -> None:
    """Watches on it go on elsewhere within 20 s, also if they are sent there again; once it is down, nothing fails."""
    pair.edit("roundrobin", "source")
    pair.do("up")
    with traffic(pair, *VIPS) as seen, watching(pair, *VIPS) as watches:
        victim = max(SERVERS, key=lambda name: int(pair.on("lb1", STATS.format(name, 5))))
        pair.lab("cut", victim)
        wait_for(lambda: not is_up(pair, victim), 30)
        out = time.monotonic()
        time.sleep(6)
    pair.lab("join", victim)
    assert 8 < longest(watches) <= 20
    assert max(ends(watches)) > 0
    assert [each for each in seen["failures"] if each["at"] > out] == []


def is_up(lab: Lab, server: str) -> bool:
    """Whether both nodes' haproxy call it up."""
    return any(lab.on(node, STATS.format(server, 18)).startswith("UP") for node in ("lb1", "lb2"))


def test_a_server_that_drains_keeps_its_open_connections(pair: Lab) -> None:
    """As an API server that shuts down says so for a minute, and serves on: within 15 s, it gets no new ones."""
    pair.edit('check = "tcp"', 'check = "https"')
    pair.do("up")
    cluster = reader.load(pair.file)
    with traffic(pair, *VIPS) as seen, watching(pair, *VIPS) as watches:
        commands.drain(cluster, "master1")
        wait_for(lambda: not is_up(pair, "master1"), 15)
        out = time.monotonic()
        before = pair.on("lb1", STATS.format("master1", 8))
        time.sleep(15)
        assert pair.on("lb1", STATS.format("master1", 8)) == before
    commands.undrain(cluster, "master1")
    assert [each for each in seen["failures"] if each["at"] > out] == []
    assert seen["broken"] == []
    assert ends(watches) == [0] * len(ends(watches))


@contextmanager
def without_a_way(lab: Lab, *servers: str, node: str = "lb1") -> Iterator[None]:
    """The node gets no answer from these servers, not even that there is none; the other node does."""
    own = {"lb1": "192.168.1.11", "lb2": "192.168.1.12"}[node]
    try:
        for each in servers:
            lab.on(each, f"ip route add blackhole {own}")
        yield
    finally:
        for each in servers:
            lab.on(each, f"ip route del blackhole {own}", check=False)


def moves(lab: Lab, since: float) -> list[str]:
    """What keepalived said of changes of state since then."""
    log = f"journalctl -q -u keepalived --since=@{since:.0f} -o short-monotonic | grep -E 'Entering (MASTER|FAULT)'"
    return [line for node in ("lb1", "lb2") for line in lab.on(node, f"journalctl --sync; {log}; true").splitlines()]


def test_the_node_that_can_serve_holds_the_vips(pair: Lab) -> None:
    """The holder alone loses its way to all servers: within 15 s the other one has the VIPs, and gives them back."""
    since = time.time()
    with traffic(pair, *VIPS) as seen, watching(pair, *VIPS) as watches:
        with without_a_way(pair, *SERVERS):
            began = time.monotonic()
            wait_for(lambda: held_by(pair, "lb2"), 30)
            assert moved_at(pair, "lb2", since) - began <= 15  # by its own journal: looking takes its time, too
            time.sleep(10)
            assert held_by(pair, "lb2")
            ended = time.monotonic()
        wait_for(lambda: held_by(pair, "lb1"), 30)
        time.sleep(2)
    failed = [each["at"] for each in seen["failures"] if began < each["at"] < ended]
    assert 1 < max(failed) - began <= 15 + seen["lag_s"]
    assert 1 < longest(watches) <= 17


def test_a_node_with_part_of_the_servers_keeps_the_vips(pair: Lab) -> None:
    """One of three is enough, also where the other node has all."""
    since = time.time()
    with without_a_way(pair, *SERVERS[1:]):
        time.sleep(30)
    assert moves(pair, since) == []


@pytest.mark.slow
def test_servers_that_are_all_gone_move_nothing(pair: Lab) -> None:
    """Nor do they when they come back one by one; and the first one is used within 15 s."""
    since = time.time()
    for each in SERVERS:
        pair.lab("cut", each)
    time.sleep(60)
    for index, each in enumerate(SERVERS):
        pair.lab("join", each)
        if not index:
            wait_for(lambda: pair.answers(VIPS[0]) == "ok", 15)
        time.sleep(15)
    assert moves(pair, since) == []
    assert held_by(pair, "lb1")
