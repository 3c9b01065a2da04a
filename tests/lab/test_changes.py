"""What changing a live pair costs: a client connects to both VIPs every 20 ms while each change is made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from clients import cut, smooth, traffic, turned_away
from harness import RELOADED, TOP, VIPS, Lab, held_by, wait_for

TAKING = "VRRP elects anew"


@pytest.fixture
def live(session_lab: Lab) -> Iterator[Lab]:
    """The pair, converged and with the VIPs on lb1."""
    settle(session_lab)
    yield session_lab
    session_lab.file.write_text(session_lab.original)
    shutil.rmtree(session_lab.file.parent / "templates", ignore_errors=True)


def settle(lab: Lab) -> None:
    wait_for(lambda: lab.run("up", "--lock-wait", "60").code == 0, 90)
    wait_for(lambda: held_by(lab, "lb1"), 30)


def pids(lab: Lab) -> list[str]:
    return [lab.on(node, "systemctl show -p MainPID haproxy keepalived") for node in ("lb1", "lb2")]


EDITS: dict[str, tuple[str, str]] = {
    "a setting of haproxy": ("fall = 2", "fall = 3"),
    "a server removed": ('master3 = "192.168.1.23"\n', ""),
    "a server added": ('master2 = "192.168.1.22"\n', 'master2 = "192.168.1.22"\nmaster4 = "192.168.1.23"\n'),
    "the advert interval": ("advert_interval = 1", "advert_interval = 2"),
    "the health check": ("router_id = 101", "router_id = 101\ncheck_fall = 3\ncheck_rise = 3"),
    "preempt_delay": ("preempt_delay = 2", "preempt_delay = 3"),
    "the standby's priority": ("priority = 100", "priority = 110"),
    "a VIP added": ('vip = "192.168.0.10/24"', 'vip = ["192.168.0.10/24", "192.168.0.20/24"]'),
}


def test_a_change_that_a_reload_makes_costs_nothing(live: Lab) -> None:
    """Of any of these: no new connection fails, no stream breaks, no daemon restarts, the VIPs stay."""
    before = pids(live)
    found = {}
    for name, edit in EDITS.items():
        live.edit(*edit)
        with traffic(live, *VIPS) as seen:
            assert live.do("up")["changes"]
        found[name] = (seen["failures"] + seen["late"], seen["broken"])
        assert seen["probes"] > 50
    with traffic(live, *VIPS) as seen:
        live.file.write_text(live.original)
        assert live.do("up")["changes"]
    found["all back"] = (seen["failures"] + seen["late"], seen["broken"])
    assert found == dict.fromkeys([*EDITS, "all back"], ([], []))
    assert pids(live) == before
    assert held_by(live, "lb1")


def test_roles_are_swapped_without_a_failed_connection(live: Lab) -> None:
    """The plan says what it costs; the VIPs move once, after preempt_delay, and nobody is turned away."""
    live.edit("priority = 200", "priority = 50")
    [stage] = live.do("plan", code=3)["stages"]
    assert "the VIPs move to lb2 after preempt_delay (2 s)" in stage["cost"]
    with traffic(live, *VIPS) as seen:
        assert live.run("up").code == 0
        wait_for(lambda: held_by(live, "lb2"), 15)
        live.file.write_text(live.original)
        assert live.run("up").code == 0
        wait_for(lambda: held_by(live, "lb1"), 15)
    assert turned_away(seen) == []
    assert cut(seen, moves=2) == []


def test_a_new_virtual_router_id_is_taken_over_to(live: Lab) -> None:
    """Peers that don't know each other can't hand over; so one takes the VIPs before the other lets go.

    keepalived.conf names a script that comes with the same edit.
    """
    (live.file.parent / "alive.sh").write_text("#!/bin/sh\ntrue\n")
    live.edit("router_id = 101", 'router_id = 102\ntrack_scripts = { alive = { script = "alive.sh" } }')
    [stage] = live.do("plan", code=3)["stages"]
    assert TAKING in stage["cost"]
    assert stage["nodes"] == ["lb2", "lb1"]
    with traffic(live, *VIPS) as seen:
        assert live.run("up").code == 0
        wait_for(lambda: held_by(live, "lb1"), 20)
    smooth(seen, 2)


def test_vrrp_moves_to_another_network(live: Lab) -> None:
    """The adverts travel elsewhere from now on; SSH goes where hosts.toml says."""
    text = live.original.replace('network = "management"', 'network = "external"')
    live.file.write_text(text)
    with traffic(live, *VIPS) as seen:
        done = live.run("up")
        assert done.code == 0, done.err
        wait_for(lambda: held_by(live, "lb1"), 20)
    assert "interface ens33" in live.on("lb1", "cat /etc/keepalived/keepalived.conf")
    smooth(seen, 2)


@pytest.mark.slow
def test_vips_move_to_another_interface(live: Lab) -> None:
    """The nodes' network is on top of another device now: the holder lets the standby have the VIPs meanwhile."""
    for node in ("lb2", "lb1"):
        live.on(node, "ip link add link ens33 name front0 type macvlan mode bridge; ip link set front0 up")
    live.edit('interface = "ens33"', 'interface = "front0"')
    try:
        ways = [each["way"] for each in live.do("plan", "--ignore", "address", code=3)["stages"]]
        assert ways == ["reload", "away"]
        with traffic(live, *VIPS) as seen:
            done = live.run("up", "--ignore", "address")
            assert done.code == 0, done.err
            wait_for(lambda: held_by(live, "lb1"), 20)
            assert " front0 " in live.on("lb1", "ip -o addr show to 192.168.0.10")
            live.file.write_text(live.original)
            assert live.run("up").code == 0
            wait_for(lambda: held_by(live, "lb1"), 20)
            assert " ens33 " in live.on("lb1", "ip -o addr show to 192.168.0.10")
    finally:
        for node in ("lb2", "lb1"):
            live.on(node, "ip link del front0")
    assert turned_away(seen) == []
    assert cut(seen, moves=4) == []


@pytest.mark.parametrize("package", [pytest.param("haproxy", marks=pytest.mark.slow), "keepalived"])
def test_a_package_is_reinstalled_on_both_nodes(live: Lab, package: str) -> None:
    """Debian restarts the daemon: so the holder hands the VIPs over first, and takes them back afterwards."""
    stages = live.do("plan", "--reinstall", package, code=3)["stages"]
    assert [(each["nodes"], each["way"]) for each in stages] == [(["lb2"], "away"), (["lb1"], "away")]
    assert "open connections are cut" in stages[1]["cost"]
    with traffic(live, *VIPS) as seen:
        done = live.run("up", "--reinstall", package)
        assert done.code == 0, done.err
        wait_for(lambda: held_by(live, "lb1"), 20)
    assert turned_away(seen) == []
    assert cut(seen, moves=2) == []
    assert live.do("plan")["changes"] == []


# A newer version of the package that is installed, in a repository of one.
NEWER = """\
set -e
mkdir -p /root/newer && cd /root/newer && apt-get -q download haproxy >/dev/null 2>&1
dpkg-deb -R haproxy_*.deb unpacked && rm haproxy_*.deb
sed -i 's/^Version: .*/&.lbdeploy1/' unpacked/DEBIAN/control
dpkg-deb -b unpacked haproxy.deb >/dev/null && rm -r unpacked
{ cat <<END
$(dpkg-deb -f haproxy.deb)
Filename: ./haproxy.deb
Size: $(stat -c %s haproxy.deb)
SHA256: $(sha256sum haproxy.deb | cut -d' ' -f1)
END
} > Packages
echo 'deb [trusted=yes] file:/root/newer ./' > /etc/apt/sources.list.d/newer.list
apt-get -q update >/dev/null 2>&1
"""


def test_a_package_is_upgraded_on_both_nodes(live: Lab) -> None:
    """What apt has newer is planned only when asked for, and gets onto the nodes without a failed connection.

    A haproxy that was stopped is started by dpkg, before lbdeploy comes to it.
    """
    for node in ("lb2", "lb1"):
        live.on(node, NEWER)
    try:
        assert live.do("plan")["changes"] == []
        live.on("lb2", "systemctl stop haproxy")
        changes = live.do("plan", "--upgrade", code=3)["changes"]
        assert [(each["node"], each["name"], each["action"]) for each in changes] == [
            ("lb2", "haproxy", "upgrade"), ("lb2", "haproxy", "start"), ("lb1", "haproxy", "upgrade"),
        ]  # fmt: skip
        with traffic(live, *VIPS) as seen:
            done = live.run("up", "--upgrade")
            assert done.code == 0, done.err
            wait_for(lambda: held_by(live, "lb1"), 20)
        assert turned_away(seen) == []
        assert cut(seen, moves=2) == []
        for node in ("lb1", "lb2"):
            assert live.on(node, "dpkg-query -W -f '${Version}' haproxy").endswith(".lbdeploy1")
        assert live.do("plan")["changes"] == []
    finally:
        for node in ("lb2", "lb1"):
            live.on(node, "rm -rf /root/newer /etc/apt/sources.list.d/newer.list; apt-get -q update >/dev/null 2>&1")


def test_an_upgrade_or_a_hold_by_somebody_else_is_shown_and_taken_note_of(live: Lab) -> None:
    """A package that is not as lbdeploy left it is no reason for alarm, but for a word."""
    live.on("lb2", "apt-mark hold socat; sed -i 's/^socat .*/socat 0.1/' /var/lib/lbdeploy/packages")
    changes = live.do("plan", code=3)["changes"]
    assert [(each["node"], each["name"], each["action"]) for each in changes] == [
        ("lb2", "socat", "unhold"), ("lb2", "socat", "record"),
    ]  # fmt: skip
    verified = live.do("verify")
    found = [each for each in verified["findings"] if not each["ok"]]
    assert {each["severity"] for each in found} == {"warning"}
    assert len(found) == 2
    assert live.run("up").code == 0
    assert live.on("lb2", "apt-mark showhold") == ""
    assert live.do("plan")["changes"] == []


def test_vips_that_are_about_to_move_are_waited_for(live: Lab) -> None:
    """The preferred node has just come back as VRRP is to elect anew: in mid-change, it would not be the standby."""
    live.edit("preempt_delay = 2", "preempt_delay = 10")
    live.do("up")
    live.on("lb1", "systemctl stop keepalived")
    wait_for(lambda: live.holder(VIPS[0]) == ["lb2"])
    live.edit("router_id = 101", "router_id = 103")
    with traffic(live, *VIPS) as seen:
        live.on("lb1", "systemctl start keepalived")
        wait_for(lambda: "Entering BACKUP" in live.on("lb1", "journalctl -q -u keepalived -n 3"))
        done = live.run("up")
    assert done.code == 0, done.err
    assert "waiting until lb1 has the VIPs: it is about to take them, by its higher priority" in done.err
    assert turned_away(seen) == []
    wait_for(lambda: held_by(live, "lb1"), 30)
    live.edit("router_id = 103", "router_id = 101")
    live.edit("preempt_delay = 10", "preempt_delay = 2")
    live.do("up")


def test_rollback_undoes_the_last_run_and_can_be_undone(live: Lab) -> None:
    """The files of the run before come back by the same way, on all nodes, and no connection fails."""
    live.edit("fall = 2", "fall = 3")
    live.edit('vip = "192.168.0.10/24"', 'vip = ["192.168.0.10/24", "192.168.0.20/24"]')
    assert live.run("up").code == 0
    with traffic(live, *VIPS) as seen:
        document = live.do("rollback")
        assert len(document["changes"]) == 10
        assert "fall 2" in live.on("lb1", "cat /etc/haproxy/haproxy.cfg")
        assert live.holder("192.168.0.20") == []
        assert live.do("rollback")["ok"]
        wait_for(lambda: held_by(live, "lb1", "192.168.0.20"))
    assert seen["failures"] == []
    assert live.do("plan")["changes"] == []


def test_after_a_rollback_nodes_differ_on_purpose_and_it_says_so(live: Lab) -> None:
    """Health and drift are two things: `verify` says that the cluster works, and to undo the change in hosts.toml."""
    live.edit("fall = 2", "fall = 3")
    live.do("up")
    done = live.run("rollback")
    assert done.code == 0
    assert "hosts.toml still has the change" in done.out
    assert "Next: lbdeploy verify" not in done.out
    error = live.do("verify", code=6)["error"]
    assert error["message"].startswith("the cluster is healthy, but not as hosts.toml says: ")
    assert error["fix"].startswith("the last run was a rollback: also undo the change in hosts.toml")
    live.file.write_text(live.original)
    assert live.do("verify")["ok"]


def test_a_run_before_the_last_one_is_gone_back_to_by_its_name(live: Lab) -> None:
    """Five generations are kept; each is a run that can be undone, with all that came after it."""
    for seconds in range(3, 9):
        live.file.write_text(live.original.replace("preempt_delay = 2", f"preempt_delay = {seconds}"))
        assert live.run("up").code == 0
    runs = live.do("rollback", "--list")["runs"]
    assert len(runs) == 5
    assert all(each["nodes"] == ["lb1", "lb2"] for each in runs)
    assert "lbdeploy" in runs[0]["about"]
    assert live.run("rollback", "--to", runs[-1]["id"]).code == 0
    for node in ("lb1", "lb2"):
        assert "preempt_delay 3" in live.on(node, "cat /etc/keepalived/keepalived.conf")
    assert live.do("rollback", "--to", "20200101T000000.000Z", code=2)["error"]["fix"].startswith("one of: ")


def test_hand_edited_text_is_in_the_generation_and_comes_back(live: Lab) -> None:
    """`up` replaces it, and keeps it."""
    live.on("lb2", "echo '# by hand' >> /etc/haproxy/haproxy.cfg")
    assert live.run("up").code == 0
    assert "by hand" not in live.on("lb2", "cat /etc/haproxy/haproxy.cfg")
    assert live.run("rollback").code == 0
    assert "by hand" in live.on("lb2", "cat /etc/haproxy/haproxy.cfg")


def reject(text: str) -> str:
    return text.replace("    timeout client", "    tcp-request connection reject\n    timeout client")


def nowhere(text: str) -> str:
    return text.replace("    balance", "    bind unix@/run/nowhere/x.sock\n    balance")


def only_on(node: str, change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: f'{{% if node.name == "{node}" %}}{change(text)}{{% else %}}{text}{{% endif %}}'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (reject, "does not answer on this node's own haproxy"),
        (nowhere, "did not accept the new configuration"),
        (only_on("lb1", nowhere), "did not accept the new configuration"),
    ],
    ids=["the VIP would not answer", "the reload fails", "the reload fails on the holder"],
)
def test_a_change_that_fails_is_undone_and_nobody_notices(live: Lab, change: Callable[[str], str], says: str) -> None:
    """Exit 7: files, modes, services and processes are as before, on all nodes, though one had been changed."""
    look = (
        "stat -c '%n %a %U' /etc/haproxy/* /etc/keepalived/*; cat /etc/haproxy/haproxy.cfg /etc/keepalived/*; "
        f"{RELOADED}systemctl show -p MainPID,ActiveState,UnitFileState haproxy keepalived"
    )
    before = [live.on(node, look) for node in ("lb1", "lb2")]
    templates = live.file.parent / "templates"
    templates.mkdir()
    (templates / "haproxy.cfg.j2").write_text(change((TOP / "templates" / "haproxy.cfg.j2").read_text()))
    live.edit("fall = 2", "fall = 3")
    with traffic(live, *VIPS) as seen:
        error = live.do("up", code=7)["error"]
    assert says in error["message"]
    assert "as before" in error["state"]
    assert [live.on(node, look) for node in ("lb1", "lb2")] == before
    assert seen["failures"] == []
    assert seen["broken"] == []
