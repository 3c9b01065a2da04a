"""What a node, on which somebody else may be root, can do to its peers by what it stores."""

from __future__ import annotations

from harness import Lab, asked

STORED = "/var/lib/lbdeploy"
# A run of the year 2999, whose hosts.toml has a server of the attacker's; the files are the node's own.
FORGE = f"""\
cd {STORED}/generations
cp -a "$(ls -d * | tail -n 1)" 29990101T000000.000Z
echo 999 > 29990101T000000.000Z/number
sed 's/192.168.1.21/192.168.1.66/' ../hosts.toml > 29990101T000000.000Z/hosts.toml
"""
CONFIGURATIONS = "cat /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf"


def test_a_forged_generation_reaches_no_peer(pair: Lab) -> None:
    """`rollback` refuses, names the node, and changes nothing; the last run that both know is undone by its name."""
    pair.edit("fall = 2", "fall = 3")
    pair.do("up")
    before = pair.on("lb1", CONFIGURATIONS)
    pair.on("lb2", FORGE)
    error = pair.do("rollback", code=1)["error"]
    assert "is not the same on all nodes: that on lb2 differs" in error["message"]
    assert (error["state"], pair.on("lb1", CONFIGURATIONS)) == ("nothing was changed", before)
    assert asked(pair, "Go on?", "n\r", "rollback").code == 130
    assert pair.on("lb1", CONFIGURATIONS) == before
    run = pair.do("rollback", "--list")["runs"][1]
    assert run["nodes"] == ["lb1", "lb2"]
    assert pair.do("rollback", "--to", run["id"])["rolled_back"] == run["id"]
    for node in ("lb1", "lb2"):
        assert "fall 2" in pair.on(node, CONFIGURATIONS)
        assert "192.168.1.66" not in pair.on(node, CONFIGURATIONS)


def test_a_laptop_whose_clock_is_ahead_does_not_have_two_runs_undone(pair: Lab) -> None:
    """The nodes count their generations; the time in a run's name orders nothing."""
    for seconds in (3, 4):
        pair.file.write_text(pair.original.replace("preempt_delay = 2", f"preempt_delay = {seconds}"))
        pair.do("up")
    last, ahead = (each["id"] for each in pair.do("rollback", "--list")["runs"][:2])
    for node in ("lb1", "lb2"):
        pair.on(node, f"mv {STORED}/generations/{ahead} {STORED}/generations/2999{ahead[4:]}")
    assert [each["id"] for each in pair.do("rollback", "--list")["runs"][:2]] == [last, f"2999{ahead[4:]}"]
    assert pair.do("rollback")["rolled_back"] == last
    assert "preempt_delay 3" in pair.on("lb1", CONFIGURATIONS)


def test_a_node_whose_address_was_mistyped_is_not_to_be_taken_down(pair: Lab) -> None:
    """The old address answers, the new one does not: the message asks whether the old one was meant."""
    pair.edit('management = "192.168.1.12"', 'management = "192.168.1.112"')
    error = pair.do("up", code=1)["error"]
    assert "lb2's address has changed in hosts.toml to 192.168.1.112, which can't be reached" in error["message"]
    assert "did you mean 192.168.1.12?" in error["fix"]
    assert "down --limit" not in error["fix"]
    assert error["state"] == "nothing was changed"
