"""VRRP's options on nodes: what is tracked moves the VIPs, scripts are called, adverts go to the group and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import smooth, traffic
from floating_ip import CLAIM, PORT, TOKEN, FloatingIp, floating_ip
from harness import TOP, VIPS, Lab, held_by, wait_for

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
    states = [*("BACKUP", "MASTER") * 2, "FAULT", "BACKUP", "MASTER"]

    def told() -> list[list[str]]:
        return [line.split() for line in pair.on("lb1", f"cat {NOTIFIED}").splitlines()]

    wait_for(lambda: len(told()) >= len(states))  # keepalived runs the script when it has the VIPs already
    assert {(kind, name) for kind, name, *_ in told()} == {("INSTANCE", "VI_K8S_API")}
    assert [state for _, _, state, _ in told()] == states

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


CLAIMING = """preempt_delay = 2
notify_master = "scripts/claim.sh"
notify_retry = 1
notify_timeout = 2
"""
RELEASING = 'notify_backup = "scripts/release.sh"\n'


def notify(lab: Lab, node: str) -> Any:
    """What verify says of the script of a node; status has it among its warnings if it is no good news."""
    (found,) = (
        each
        for each in lab.run("--json", "verify").json["findings"]
        if (each["node"], each["check"]) == (node, "notify")
    )
    return found


def the_pages_script_says_whether_it_was_heard(lab: Lab, api: FloatingIp) -> None:
    """The example of docs/howto/floating-ip.md, where curl is; its secret is in a file, and in no argument."""
    page = (TOP / "docs/howto/floating-ip.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    secret = api.folder / "secret"
    secret.write_text(f'header = "Authorization: Bearer {TOKEN}"\n')
    script = example.replace("/etc/keepalived/floating-ip.curl", str(secret)).replace("--max-time 10", "--max-time 1")
    script = script.replace("https://api.example.com/v1/floating-ips/4711", f"http://192.168.1.21:{PORT}")
    (api.folder / "script").write_text(script)
    for mode, said in (("failing", "error: 500"), ("silent", "timed out"), ("well", "heard")):
        api.mode(mode)
        assert said in lab.on("client", f"sh {api.folder / 'script'} 2>&1 && echo heard", check=False)
    assert api.owner == "assign"
    api.forget()


def a_key_that_is_added_later_is_told_of_the_present_state(lab: Lab, api: FloatingIp) -> None:
    """No state changes meanwhile. The script that is there already is told again."""
    (lab.file.parent / "scripts/release.sh").write_text(f'#!/bin/sh\necho "$3" > {NOTIFIED}\n')
    api.forget()
    lab.edit(CLAIMING, CLAIMING + RELEASING)
    assert lab.run("up").code == 0
    wait_for(lambda: lab.on("lb2", f"cat {NOTIFIED}", check=False) == "BACKUP")
    wait_for(lambda: api.owner == "lb1")
    lab.edit(RELEASING, "")
    assert lab.run("up").code == 0
    lab.on("lb2", f"rm {NOTIFIED}")


def a_state_that_keepalived_does_not_have_is_told_of(lab: Lab, api: FloatingIp) -> None:
    """It is an error on the holder, and what verify says ends it."""
    lab.on("lb1", "/etc/keepalived/lbdeploy-tell-state BACKUP")
    wait_for(lambda: notify(lab, "lb1")["detail"] == "keepalived is MASTER, and the last state to be told was BACKUP")
    api.forget()
    lab.on("lb1", notify(lab, "lb1")["fix"].removeprefix("there: "))
    wait_for(lambda: notify(lab, "lb1")["ok"])
    assert api.owner == "lb1"


@pytest.mark.slow
def test_a_floating_ip_follows_the_vips_whatever_its_api_does(pair: Lab, tmp_path: Path) -> None:
    """The script is told by `up`, at each move, and when a master claims its VIPs again: until it succeeds."""
    (pair.file.parent / "scripts").mkdir(exist_ok=True)
    (pair.file.parent / "scripts/claim.sh").write_text(CLAIM)
    for node in ("lb1", "lb2"):
        pair.on(node, f"umask 077; echo {TOKEN} > /root/floating-ip-token")
    with floating_ip(pair, tmp_path) as api:
        the_pages_script_says_whether_it_was_heard(pair, api)
        pair.edit(DELAY, CLAIMING)
        assert pair.run("up").code == 0
        wait_for(lambda: api.owner == "lb1")
        assert pair.do("up")["changes"] == []
        assert notify(pair, "lb1")["detail"] == "its script was told of MASTER"
        a_key_that_is_added_later_is_told_of_the_present_state(pair, api)
        a_state_that_keepalived_does_not_have_is_told_of(pair, api)

        api.mode("failing")
        pair.on("lb1", "systemctl stop haproxy")
        wait_for(lambda: held_by(pair, "lb2"))
        wait_for(lambda: notify(pair, "lb2")["severity"] == "error")
        warnings = pair.do("status")["warnings"]
        assert "notify_master ends with 1" in next(each["detail"] for each in warnings if each["check"] == "notify")
        api.mode("silent")
        wait_for(lambda: "takes longer than 2 s" in notify(pair, "lb2")["detail"])
        assert api.owner == "lb1"
        api.mode("well")
        wait_for(lambda: api.owner == "lb2")
        wait_for(lambda: notify(pair, "lb2")["ok"])

        pair.on("lb1", "systemctl start haproxy")
        wait_for(lambda: held_by(pair, "lb1"), 30)
        wait_for(lambda: api.owner == "lb1")

        # The other node believes for a moment that there is no master, and the preferred one is master all the time.
        pair.on("lb1", "systemctl kill -s STOP keepalived")
        wait_for(lambda: api.owner == "lb2")
        pair.on("lb1", "systemctl kill -s CONT keepalived")
        wait_for(lambda: api.owner == "lb1")
        wait_for(lambda: held_by(pair, "lb1"))

        api.forget()
        pair.lab("stop", "lb2")
        pair.lab("start", "lb2")
        wait_for(lambda: notify(pair, "lb2")["ok"], 60)
        pair.on("lb1", "systemctl restart lbdeploy-notify")
        wait_for(lambda: api.owner == "lb1")

        pair.edit(CLAIMING, DELAY)
        assert pair.run("up").code == 0
        for node in ("lb1", "lb2"):
            assert pair.on(
                node, "systemctl cat lbdeploy-notify 2>&1; ls /etc/keepalived | grep lbdeploy-", check=False
            ).startswith("No files")
            assert TOKEN not in pair.on(node, "journalctl -q -u lbdeploy-notify -u keepalived -u lbdeploy", check=False)
