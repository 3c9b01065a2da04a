"""`lbdeploy drain` and `undrain`: work on a server, while clients connect to the VIPs, hold streams, and watch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from clients import cut, traffic, turned_away
from harness import VIPS, Lab, held_by, sound, wait_for
from runs import begin, until
from watchers import SOON, ends, longest, watching

NODES = ("lb1", "lb2")
RECORD = "/var/lib/lbdeploy/haproxy-servers"
STAT = "echo 'show stat' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock | grep '^k8s-api,{},' | cut -d, -f{}"
STATUS, TOTAL = 18, 8  # the fields of `show stat`: status, and connections since the last reload


@pytest.fixture
def home(pair: Lab) -> Iterator[Lab]:
    """The pair; afterwards no server is drained, all run, and the VIPs are at home."""
    yield pair
    pair.file.write_text(pair.original)
    pair.lab("up")
    for server in ("master1", "master2", "master3"):
        if drained(pair, server):
            pair.do("undrain", server)
    pair.do("up")
    if not held_by(pair, "lb1"):
        pair.do("handover", "--back")


def field(lab: Lab, node: str, server: str, number: int) -> str:
    return lab.on(node, STAT.format(server, number))


def drained(lab: Lab, server: str) -> list[str]:
    """The nodes whose haproxy gives a server no new connections, whether it runs or not."""
    ask = "echo 'show servers state' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"
    forced = f"{ask} | awk '$4 == \"{server}\" && $7 == 8'"
    return [node for node in NODES if lab.on(node, forced, check=False)]


def findings(document: Any, check: str = "drained") -> list[str]:
    return [each["detail"] for each in document["findings"] if each["check"] == check and not each["ok"]]


def test_work_on_a_server(home: Lab) -> None:
    """Drain, stop the server, start it, undrain: no connection fails; streams and watches go on elsewhere at once."""
    with traffic(home, *VIPS) as seen, watching(home, *VIPS) as watches:
        done = home.do("drain", "master1", "--wait", "1", "--shutdown")
        assert (done["changed"], done["drained"]["by"][:5]) == (["lb1", "lb2"], "root@")
        assert [each["open"] for node in done["nodes"] for each in node["connections"]] == [0, 0]
        before = field(home, "lb1", "master1", TOTAL)
        home.lab("stop", "master1")
        time.sleep(3)
        home.lab("start", "master1")
        time.sleep(1)
        assert field(home, "lb1", "master1", TOTAL) == before
        assert home.do("undrain", "master1")["changed"] == ["lb1", "lb2"]
        wait_for(lambda: field(home, "lb1", "master1", TOTAL) != before)
    assert (seen["failures"], turned_away(seen)) == ([], [])
    assert len(seen["broken"]) <= len(VIPS)
    assert max(ends(watches)) <= 1
    assert longest(watches) <= SOON
    assert home.do("undrain", "master1")["changed"] == []
    sound(home)


def test_it_lasts(home: Lab) -> None:
    """Reloads, a change, a handover and a reboot of the holder end no drain, and cost no connection."""
    record = home.do("drain", "master1")["drained"]
    home.lab("stop", "master1")
    with traffic(home, *VIPS) as seen:
        for node in NODES:
            home.on(node, "systemctl reload haproxy")
        assert drained(home, "master1") == ["lb1", "lb2"]
        home.edit("fall = 2", "fall = 3")
        assert [each["name"] for each in home.do("up")["changes"]] == ["/etc/haproxy/haproxy.cfg", "haproxy"] * 2
        assert drained(home, "master1") == ["lb1", "lb2"]
        home.do("handover", "--to", "lb2")
        home.lab("stop", "lb1")
        home.lab("start", "lb1")
        wait_for(lambda: drained(home, "master1") == ["lb1", "lb2"], 40)
    assert turned_away(seen) == []
    assert cut(seen, 2) == []
    home.lab("start", "master1")
    (told,) = findings(home.do("verify", "--wait", "30"))
    assert told.startswith(f"k8s-api/master1 is drained since {record['since'][:10]}")
    there = [each["drained"] for each in home.do("status")["servers"]]
    assert there == [record, None, None] * 2
    plan = home.do("plan")
    assert (plan["changes"], [each["server"] for each in plan["drained"]]) == ([], ["master1", "master1"])
    assert home.do("drain", "master1")["drained"] == record


def test_a_reinstalled_node_takes_it_over(home: Lab) -> None:
    """A node without a record gets that of the others, before it takes any client."""
    record = home.do("drain", "master2")["drained"]
    home.lab("stop", "lb2")
    home.lab("fresh", "lb2")
    home.lab("start", "lb2")
    key = home.on("lb2", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    home.do("rebuild", "lb2", "--host-key", key)
    assert drained(home, "master2") == ["lb1", "lb2"]
    assert home.on("lb2", f"cat {RECORD}") == home.on("lb1", f"cat {RECORD}")
    assert home.do("drain", "master2")["drained"] == record


def test_a_server_that_leaves_hosts_toml(home: Lab) -> None:
    """Its drain goes with it, and does not come back with it; one whose port changes stays drained, at the new port."""
    home.do("drain", "master3")
    home.edit('master3 = "192.168.1.23"', 'master3 = "192.168.1.23:6444"')
    home.lab("up")
    home.do("up")
    assert field(home, "lb1", "master3", 74) == "192.168.1.23:6444"
    assert drained(home, "master3") == ["lb1", "lb2"]
    home.edit('master3 = "192.168.1.23:6444"\n', "")
    assert "/var/lib/lbdeploy/haproxy-servers" in [each["name"] for each in home.do("up")["changes"]]
    home.file.write_text(home.original)
    home.lab("up")
    home.do("up")
    assert drained(home, "master3") == []
    assert findings(home.do("verify", "--wait", "30")) == []


def test_the_last_server_that_is_up(home: Lab) -> None:
    """It is refused, unless it is told to be; one that is down is drained at once, unless all others are drained."""
    home.lab("stop", "master3")
    wait_for(lambda: all(field(home, node, "master3", STATUS) == "DOWN" for node in NODES), 60)
    home.do("drain", "master1")
    refused = home.do("drain", "master2", code=1)["error"]
    why = "master2 is the last server of k8s-api that is up: master1 is drained, master3 is DOWN"
    assert refused["message"] == f"{why}\nlb2: {why}"
    assert refused["state"] == "nothing was changed"
    assert home.do("drain", "master3", "--wait", "60")["changed"] == ["lb1", "lb2"]
    home.do("undrain", "master3")
    home.do("undrain", "master1")
    home.do("drain", "master1")
    home.do("drain", "master2", "--force-last")
    last = home.do("drain", "master3", code=1)["error"]
    assert last["message"].startswith("master3 is the last server of k8s-api that is not drained: ")
    assert home.do("plan")["changes"] == []
    home.edit("fall = 2", "fall = 4")
    assert home.run("plan").code == 3
    home.edit('master3 = "192.168.1.23"\n', "")
    kept = home.do("up", code=1)["error"]
    assert kept["message"].startswith("k8s-api would lose master3, and its other servers are drained")
    assert kept["state"] == "nothing was changed"


def test_drains_at_once_leave_a_server(home: Lab) -> None:
    """Each saw the others' servers up, and waited for a run to end: the one that comes last is refused, everywhere."""
    for node in NODES:
        home.on(node, "systemd-run -q --collect flock /run/lbdeploy/lock sleep 6")
    servers = ("master1", "master2", "master3")
    drains = [begin(home, "--json", "drain", server, "--lock-wait", "30") for server in servers]
    ended = {server: each.communicate(timeout=60)[0] for server, each in zip(servers, drains, strict=True)}
    assert sorted(each.returncode for each in drains) == [0, 0, 1], ended
    (late,) = [server for server, each in zip(servers, drains, strict=True) if each.returncode]
    assert {server: drained(home, server) for server in servers} == {
        server: [] if server == late else list(NODES) for server in servers
    }
    error = json.loads(ended[late])["error"]
    assert f"{late} is the last server of k8s-api that is up: " in error["message"]
    assert error["state"] == "nothing was changed"


def test_a_node_that_can_not_be_reached(home: Lab) -> None:
    """The others do it, and the error says which; `verify` tells of the difference, and the same command ends it."""
    home.lab("cut", "lb2", "--network", "management")
    try:
        done = home.do("drain", "master1", code=4)
        assert done["changed"] == ["lb1"]
        assert done["error"]["state"].startswith("master1 is drained on lb1; on lb2 it is as it was")
    finally:
        home.lab("join", "lb2", "--network", "management")
    wait_for(lambda: held_by(home, "lb1"), 40)
    (told,) = findings(home.do("verify", "--wait", "30"))
    assert told.endswith("but not on lb2, where it gets connections")
    assert home.do("drain", "master1")["changed"] == ["lb2"]


def test_connections_that_do_not_end(home: Lab) -> None:
    """After the wait they are named, and the server stays drained; those of an old worker are closed, too."""
    with watching(home, *VIPS) as watches:
        home.on("lb1", "systemctl reload haproxy")
        late = home.do("drain", "master1", "--wait", "0.5", code=1)["error"]
        assert late["message"].startswith("open connections to master1 are left after 0.5 s: ")
        closed = home.do("drain", "master1", "--shutdown")
        assert [each["open"] for node in closed["nodes"] for each in node["connections"]] == [0, 0]
        time.sleep(1)
    assert max(ends(watches)) == 1
    assert longest(watches) <= SOON


def test_a_drain_that_somebody_ends_meanwhile(home: Lab) -> None:
    """Whoever waited for its connections to end is told, and does not take the server away."""
    with watching(home, *VIPS):
        waiting = begin(home, "--json", "drain", "master1", "--wait", "12")
        until(waiting, "wait for the open connections to master1 to end")
        home.do("undrain", "master1")
        error = json.loads(waiting.communicate(timeout=60)[0])["error"]
    assert (waiting.returncode, error["state"]) == (1, "it gets new connections there; none were closed")
    assert error["message"] == "somebody has ended the drain of master1 meanwhile, on lb1 and lb2"


def test_servers_are_waited_for(home: Lab) -> None:
    """`verify --wait` ends once those that are rising have risen; --wait-for, once all are up, or fails."""
    home.lab("stop", "master1")
    wait_for(lambda: all(field(home, node, "master1", STATUS) == "DOWN" for node in NODES), 60)
    late = home.do("verify", "--wait", "1", "--wait-for", "servers", code=6)
    assert late["error"]["message"].startswith("what was waited for has not come about: k8s-api/master1")
    assert home.do("verify", "--wait", "60", "--wait-for", "vips")["duration_s"] < 20
    home.lab("start", "master1")
    found = home.do("verify", "--wait", "60", "--wait-for", "all")
    assert {each["status"] for each in found["servers"]} == {"UP"}
    home.on("lb1", "systemctl reload haproxy")
    found = home.do("verify", "--wait", "60")
    assert {each["status"] for each in found["servers"]} == {"UP"}
