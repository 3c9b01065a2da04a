"""More than two nodes: one is added to a live pair, one is taken away, and each has its turn."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clients import smooth, traffic
from harness import TOP, VIPS, Lab, wait_for

THIRD = '\n[nodes.lb3]\nexternal = "192.168.0.13"\nmanagement = "192.168.1.13"\npriority = 250\n'
CONF = "/etc/keepalived/keepalived.conf"


class Trio(Lab):
    """A lab of three nodes; hosts.toml has two of them, or all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.two, self.three = self.original.replace(THIRD, ""), self.original

    def of(self, text: str) -> None:
        self.file.write_text(text)

    def holding(self, vip: str) -> list[str]:
        nodes = ("lb1", "lb2", "lb3")
        return [node for node in nodes if f" {vip}/" in self.on(node, "ip -4 -o addr", check=False)]

    def on_one(self, node: str) -> bool:
        return all(self.holding(vip) == [node] for vip in VIPS)


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    """Two of three nodes are a pair; the third one is bare."""
    file = tmp_path_factory.mktemp("trio") / "hosts.toml"
    text = (TOP / "hosts.toml").read_text().replace("preempt_delay = 30", "preempt_delay = 2")
    file.write_text(text.replace("\n[vrrp]", f"{THIRD}\n[vrrp]"))
    trio = Trio(file)
    try:
        trio.lab("up")
        trio.of(trio.two)
        trio.do("up")
        yield trio
    finally:
        trio.of(trio.three)
        trio.lbdeploy("lab", "down")


def settle(trio: Trio, node: str) -> None:
    wait_for(lambda: trio.on_one(node), 30)
    assert trio.run("verify", "--wait", "30").code == 0


def test_a_third_node_is_added_and_takes_the_vips_without_a_failed_connection(trio: Trio) -> None:
    """Its peers are told of it first, so that it hears the holder; preferred, it takes the VIPs later."""
    trio.of(trio.three)
    with traffic(trio, *VIPS) as seen:
        document = trio.do("up")
        wait_for(lambda: trio.on_one("lb3"), 30)
    assert [each["nodes"] for each in trio.do("plan", code=0)["stages"]] == []
    assert {each["node"] for each in document["changes"]} == {"lb1", "lb2", "lb3"}
    smooth(seen, 1)
    for node, peers in (("lb1", ("13", "12")), ("lb2", ("13", "11")), ("lb3", ("11", "12"))):
        conf = trio.on(node, f"sed -n '/unicast_peer/,/}}/p' {CONF}")
        assert re.findall(r"(\S+) min_ttl 255 ", conf) == [f"192.168.1.{each}" for each in peers]
    assert trio.on("lb3", f"keepalived -t -f {CONF} 2>&1; echo $?") == "0"


def test_each_of_three_has_its_turn(trio: Trio) -> None:
    """A change goes through all, the holder last; handovers go to any; a drill's taker is the next."""
    settle(trio, "lb3")
    trio.of(trio.three.replace('balance = "roundrobin"', 'balance = "leastconn"'))
    with traffic(trio, *VIPS) as seen:
        plan = trio.do("plan", code=3)
        assert trio.do("up")["ok"]
    assert [each["nodes"] for each in plan["stages"]] == [["lb2"], ["lb1"], ["lb3"]]
    assert seen["failures"] == seen["broken"] == []
    with traffic(trio, *VIPS) as seen:
        assert trio.do("handover", "--to", "lb2")["to"] == "lb2"
        assert trio.on_one("lb2")
        trio.do("handover", "--back")
        wait_for(lambda: trio.on_one("lb3"), 30)
    smooth(seen, 2)
    settle(trio, "lb3")
    drill = trio.do("drill", "haproxy", "--hold", "3")
    assert (drill["from"], drill["to"]) == ("lb3", "lb1")
    assert drill["failed"] < 2 * 50 * 1.2
    settle(trio, "lb3")


def test_the_preferred_of_three_is_rebuilt(trio: Trio) -> None:
    """The next one has the VIPs meanwhile; its peers are not touched, and their return is not noticed either."""
    settle(trio, "lb3")
    trio.lab("fresh", "lb3")
    wait_for(lambda: trio.on_one("lb1"), 30)
    since = [trio.on(node, "systemctl show -p MainPID,ExecReload keepalived haproxy") for node in ("lb1", "lb2")]
    key = trio.on("lb3", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    with traffic(trio, *VIPS) as seen:
        document = trio.do("rebuild", "lb3", "--host-key", key, "--wait")
    smooth(seen, 1)
    assert {each["node"] for each in document["changes"]} == {"lb3"}
    assert [each["holders"] for each in document["vips"]] == [["lb3"], ["lb3"]]
    assert [
        trio.on(node, "systemctl show -p MainPID,ExecReload keepalived haproxy") for node in ("lb1", "lb2")
    ] == since
    assert trio.do("plan")["changes"] == []


@pytest.mark.slow
def test_with_multicast_too_a_node_that_was_taken_out_is_told_of(trio: Trio) -> None:
    """It has the VIPs, and nobody sends to it by name: who there was is in the last run's file, on the nodes."""
    settle(trio, "lb3")
    trio.of(trio.three.replace("preempt_delay = 2\n", 'preempt_delay = 2\nmode = "multicast"\n'))
    trio.do("up")
    settle(trio, "lb3")
    trio.edit(THIRD, "")
    (found,) = (each for each in trio.do("verify", code=6)["findings"] if each["check"] == "former-peer")
    assert found["detail"] == (
        "lb3 (192.168.1.13) is no longer in hosts.toml, but listens for VRRP: it may have the VIPs, or take them"
    )
    for command in ("plan", "up"):
        assert trio.do(command, code=1)["error"]["message"] == found["detail"]
    trio.of(trio.three)
    trio.do("up")


def test_a_node_that_was_only_taken_out_of_the_file_is_no_second_holder(trio: Trio) -> None:
    """`up` refuses before anything is changed; after `down --limit` it goes on, and clients notice neither."""
    settle(trio, "lb3")
    before = trio.on("lb1", f"stat -c %y {CONF}")
    trio.of(trio.two)
    for command in ("plan", "up"):
        error = trio.do(command, code=1)["error"]
        assert "lb3 (192.168.1.13) is no longer in hosts.toml" in error["message"]
        assert "--lab down --limit lb3" in error["fix"]
    assert trio.on("lb1", f"stat -c %y {CONF}") == before
    assert trio.on_one("lb3")
    with traffic(trio, *VIPS) as seen:
        trio.of(trio.three)
        trio.do("down", "--limit", "lb3", "--yes")
        trio.of(trio.two)
        done = trio.run("up")
    assert done.code == 0, done.err
    assert "fine if lbdeploy down --limit lb3 was run" in done.err
    smooth(seen, 1)
    assert trio.on("lb1", f"grep -c 192.168.1.13 {CONF} || :") == "0"
    assert trio.on_one("lb1")
    assert trio.run("verify").code == 0


@pytest.mark.slow
def test_a_node_that_can_not_be_reached_is_told_of(trio: Trio) -> None:
    """It may come back: what it will do then is said, and runs go on, but for those that are about that very node."""
    trio.of(trio.three)
    trio.do("up")
    settle(trio, "lb3")
    trio.lab("stop", "lb3")
    wait_for(lambda: trio.on_one("lb1"), 30)
    assert trio.do("handover", "--to", "lb3", code=4)["error"]["node"] == "lb3"
    said = trio.do("rebuild", "lb2", code=6)["error"]["message"]
    assert said.startswith("lb2 is a member again, but the cluster is not healthy: lb3: 192.168.1.13 can't be reached")
    trio.of(trio.two)
    done = trio.run("up")
    assert done.code == 0, done.err
    assert "lb3 (192.168.1.13) is no longer in hosts.toml, and does not answer" in done.err
    assert "reinstall it, or stop keepalived there first" in done.err
    assert trio.on_one("lb1")
