"""VRRP's options on nodes: what is tracked moves the VIPs, scripts are called, adverts go to the group and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import smooth, traffic
from harness import VIPS, Lab, held_by, wait_for

NOTIFIED = "/run/notified"
DELAY = "preempt_delay = 2\n"
TRACKING = """preempt_delay = 1
notify = "scripts/notify.sh"
[vrrp.track_files.uplink]
file = "/run/uplink"
weight = -150
[vrrp.track_scripts.route]
script = "scripts/check-route.sh"
rise = 1
"""
BAD = """[vrrp.track_scripts.bad]
script = "scripts/bad.sh"
"""
SCRIPTS = {
    "bad": "#!/bin/sh\nexit 1\n",
    "notify": f'#!/bin/sh\necho "$@" >> {NOTIFIED}\n',
    "check-route": "#!/bin/sh\n[ ! -e /run/no-route ]\n",
}
# What is on the wire between the nodes, from the node itself, with no program of lbdeploy's.
LISTEN = (
    "perl -e 'use Socket; socket(S, PF_INET, SOCK_RAW, 112); alarm 3;"
    " for (1..2) { recv(S, $p, 2048, 0); print inet_ntoa(substr($p, 16, 4)), qq{\\n} }'"
)


@pytest.fixture
def scripts(pair: Lab) -> Iterator[Path]:
    """The folder with the operator's scripts, beside hosts.toml."""
    folder = pair.file.parent / "scripts"
    folder.mkdir(exist_ok=True)
    for name, text in SCRIPTS.items():
        (folder / f"{name}.sh").write_text(text)
    yield folder
    for node in ("lb1", "lb2"):
        pair.on(node, f"rm -f /run/uplink /run/no-route {NOTIFIED}")


def track(lab: Lab) -> list[dict[str, Any]]:
    """What verify says of who holds the VIPs and what is tracked; it must find nothing wrong."""
    return [each for each in lab.do("verify")["findings"] if each["check"] in ("holder", "track")]


def test_what_is_tracked_moves_the_vips(pair: Lab, scripts: Path) -> None:
    """By a weight without a failed connection, by a failure as quickly as by haproxy's; verify calls neither wrong."""
    pair.edit(DELAY, TRACKING)
    with traffic(pair, *VIPS) as seen:
        pair.do("up")
    smooth(seen, 0)
    assert pair.do("up")["changes"] == []

    with traffic(pair, *VIPS) as seen:
        pair.on("lb1", "echo 1 > /run/uplink")
        wait_for(lambda: held_by(pair, "lb2"))
        why, warning = track(pair)
        assert why["detail"] == "lb2 holds the VIPs; lb1 has priority 50, with what it tracks: -150"
        assert (warning["node"], warning["severity"]) == ("lb1", "warning")
        assert [each["check"] for each in pair.do("status")["warnings"]] == ["track"]
        pair.do("handover", "--to", "lb1")
        assert held_by(pair, "lb1")
        pair.do("handover", "--back")
        assert held_by(pair, "lb2")
        pair.on("lb1", "rm /run/uplink")
        wait_for(lambda: held_by(pair, "lb1"))
    smooth(seen, 4)

    pair.on("lb1", "touch /run/no-route")
    wait_for(lambda: held_by(pair, "lb2"))
    why, warning = track(pair)
    assert "lb1 cannot take over: its keepalived is in FAULT state" in why["detail"]
    pair.on("lb1", "rm /run/no-route")
    wait_for(lambda: held_by(pair, "lb1"))
    told = [line.split() for line in pair.on("lb1", f"cat {NOTIFIED}").splitlines()]
    assert {(kind, name) for kind, name, *_ in told} == {("INSTANCE", "VI_K8S_API")}
    assert [state for _, _, state, _ in told] == [*("BACKUP", "MASTER") * 2, "FAULT", "BACKUP", "MASTER"]

    (scripts / "notify.sh").write_text(SCRIPTS["notify"] + "# more\n")
    loaded = pair.on("lb1", "systemctl show -p ExecReload keepalived")
    changes = pair.do("up")["changes"]
    assert {(each["name"], each["action"]) for each in changes} == {("/etc/keepalived/lbdeploy-notify", "update")}
    assert pair.on("lb1", "systemctl show -p ExecReload keepalived") == loaded
    (scripts / "check-route.sh").write_text("#!/opt/none\n")
    assert "this node has no /opt/none" in pair.do("up", code=7)["error"]["message"]
    pair.edit("[vrrp.track_files.uplink]", BAD + "[vrrp.track_files.uplink]")
    (scripts / "check-route.sh").write_text(SCRIPTS["check-route"])
    with traffic(pair, *VIPS) as seen:
        assert "keepalived is in FAULT state" in pair.do("up", code=7)["error"]["message"]
        pair.file.write_text(pair.original)
        pair.do("up")
    smooth(seen, 0)
    assert pair.on("lb1", "ls /etc/keepalived/lbdeploy-* 2>/dev/null", check=False) == ""
    pair.do("rollback")
    assert pair.on("lb2", "stat -c %a:%U /etc/keepalived/lbdeploy-track-route") == "700:root"


@pytest.mark.slow
def test_adverts_go_to_the_group_and_back(pair: Lab) -> None:
    """Both ways the plan says that VRRP elects anew, and no new connection fails; doctor hears what there is.

    The state that the seed's procedure writes costs its node the delay, as check says, and nothing else.
    """
    pair.edit(DELAY, f'{DELAY}initial_state = "MASTER"\n')
    with traffic(pair, *VIPS) as seen:
        changes = pair.do("up")["changes"]
    smooth(seen, 0)
    assert {each["node"] for each in changes if each["name"] == "keepalived"} == {"lb1", "lb2"}
    assert pair.on("lb1", "grep -E '^ +(state|preempt)' /etc/keepalived/keepalived.conf") == "state MASTER"
    pair.do("handover", "--to", "lb2")
    pair.do("handover", "--back")
    assert held_by(pair, "lb1")
    pair.file.write_text(pair.original)
    there, mode = (DELAY, f'{DELAY}mode = "multicast"\n', "224.0.0.18"), 'mode = "multicast"\n'
    for old, new, goal in (there, (mode, "", "192.168.1.12")):
        pair.edit(old, new)
        (stage,) = pair.do("plan", code=3)["stages"]
        assert (stage["way"], stage["nodes"]) == ("reelect", ["lb2", "lb1"])
        with traffic(pair, *VIPS) as seen:
            pair.do("up")
            wait_for(lambda: held_by(pair, "lb1"))
        smooth(seen, 2)
        assert set(pair.on("lb2", LISTEN).split()) == {goal}
        assert pair.run("doctor").code == 0
