"""What may happen to a run in its middle. After each fault the same two things hold: see `sound`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import traffic
from harness import TOP, VIPS, Lab, sound, wait_for
from runs import active, begin, looks, until

# dpkg's lock, held as another dpkg would: fcntl(2) with a struct flock.
HOLD_THE_LOCK = """\
use Fcntl;
my $lock = pack("s s x4 q q l x4", F_WRLCK, 0, 0, 0, 0);
open my $file, ">", "/var/lib/dpkg/lock-frontend" or die;
fcntl($file, F_SETLK, $lock) or die;
"""
HOLDS = '[ "$(readlink "$f")" = /run/lbdeploy/lock ]'
CONFIGS = "/etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf"


@pytest.mark.parametrize("moment", ["apt-get install", pytest.param("start keepalived", marks=pytest.mark.slow)])
def test_a_killed_laptop_leaves_nodes_that_finish_by_themselves(session_lab: Lab, moment: str) -> None:
    """SIGKILL at a step of a first `up`: the step ends on the node, and the next run completes the cluster."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")
    process = begin(lab, "up")
    until(process, moment)
    process.kill()
    process.wait()
    locked = lab.run("up").code
    assert locked in (0, 5)
    wait_for(lambda: lab.run("up").code == 0, 60)
    sound(lab)


@pytest.fixture
def pair(session_lab: Lab) -> Iterator[Lab]:
    wait_for(lambda: session_lab.run("up").code == 0, 60)
    wait_for(lambda: session_lab.holder(VIPS[0]) == ["lb1"], 20)
    yield session_lab
    session_lab.file.write_text(session_lab.original)
    shutil.rmtree(session_lab.file.parent / "templates", ignore_errors=True)
    session_lab.lab("up")


@pytest.mark.usefixtures("unnoticed")
def test_a_full_disk_leaves_the_old_file(pair: Lab) -> None:
    """Where the new file has no room, the old one stays, and the error says how much is free."""
    pair.on(
        "lb2",
        "cp -a /etc/haproxy /root/kept; mount -t tmpfs -o size=64k tmpfs /etc/haproxy; cp -a /root/kept/. /etc/haproxy",
    )
    pair.on("lb2", "head -c 99999 /dev/zero > /etc/haproxy/fill", check=False)
    before = pair.on("lb2", f"sha256sum {CONFIGS}")
    try:
        pair.edit("fall = 2", "fall = 6")
        assert "/etc/haproxy has only 0 KiB free" in pair.do("up", code=1)["error"]["message"]
        error = pair.do("up", "--ignore", "disk", code=7)["error"]
        assert "0 free" in error["message"]
        assert pair.on("lb2", f"sha256sum {CONFIGS}") == before
        assert pair.on("lb2", "ls -A /etc/haproxy | grep new", check=False) == ""
    finally:
        pair.on("lb2", "umount /etc/haproxy; rm -r /root/kept")


@pytest.mark.usefixtures("unnoticed")
def test_dpkg_that_was_interrupted_is_seen_and_repaired(pair: Lab) -> None:
    """A package that was unpacked and never configured is shown in the plan, and configured by `up`."""
    pair.on("lb2", "cp /etc/apt/sources.list.d/* /root/ 2>/dev/null; apt-get -q update 2>&1; dpkg --purge socat 2>&1")
    pair.on("lb2", "cd /root && apt-get -q download socat 2>&1 && dpkg --unpack socat_*.deb 2>&1")
    changes = pair.do("plan", code=3)["changes"]
    assert ("lb2", "dpkg", "repair") in [(each["node"], each["name"], each["action"]) for each in changes]
    assert pair.run("up").code == 0
    assert pair.on("lb2", "dpkg-query -W -f '${db:Status-Status}' socat") == "installed"
    half = "sed -i '/^Package: keepalived$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/'"
    pair.on("lb2", f"{half} /var/lib/dpkg/status")  # as a dpkg leaves it that was killed while it unpacked
    assert pair.run("up").code == 0
    assert pair.on("lb2", "dpkg-query -W -f '${db:Status-Status}' keepalived") == "installed"


@pytest.mark.usefixtures("unnoticed")
def test_a_blackholed_connection_is_noticed_in_time(pair: Lab) -> None:
    """Packets vanish in mid-apply, with no reset: exit 4 within the deadline, and the node completes by itself."""
    slow_dpkg(pair, "lb2", 20)
    process = begin(pair, "--json", "up")
    until(process, "apt-get install")
    time.sleep(1)
    try:
        pair.lab("cut", "lb2")
        cut = time.monotonic()
        out, _ = process.communicate(timeout=40)
        took = time.monotonic() - cut
        assert process.returncode == 4, out
        assert took < 16
        assert '"type": "Lost"' in out
    finally:
        pair.lab("join", "lb2")
        quick_dpkg(pair, "lb2")
    wait_for(lambda: pair.run("up").code == 0, 90)


def slow_dpkg(lab: Lab, node: str, seconds: int) -> None:
    """From now on unpacking a package takes so long, in a place where it can be interrupted."""
    slow = f'#!/bin/sh\\ncase $* in *--unpack*) sleep {seconds} ;; esac\\nexec /usr/bin/dpkg.real "$@"\\n'
    lab.on(node, "dpkg --purge socat 2>&1; [ -e /usr/bin/dpkg.real ] || mv /usr/bin/dpkg /usr/bin/dpkg.real")
    lab.on(node, f"printf '{slow}' > /usr/bin/dpkg; chmod 755 /usr/bin/dpkg")


def quick_dpkg(lab: Lab, node: str) -> None:
    lab.on(node, "[ ! -e /usr/bin/dpkg.real ] || mv /usr/bin/dpkg.real /usr/bin/dpkg")


@pytest.mark.parametrize(
    ("moment", "together"),
    [
        ("lb2: reload keepalived", False), ("lb1: write", False),
        ("lb2: reload keepalived", True), ("lb2 and lb1 changed", True),
        pytest.param("lb2: validate", False, marks=pytest.mark.slow),
        pytest.param("lb2 changed", False, marks=pytest.mark.slow),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unnoticed")
def test_a_laptop_that_dies_leaves_no_unconfirmed_change(pair: Lab, moment: str, together: bool) -> None:
    """SIGKILL: a node that nobody confirms puts back what it had; no connection fails, and the next `up` goes on."""
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    if together:
        pair.edit("advert_interval = 1", "advert_interval = 2")
    process = begin(pair, "up")
    until(process, moment)
    process.kill()
    process.wait()
    second = pair.run("--json", "up")
    if second.code == 5:
        assert "its operator has disconnected" in second.json["error"]["message"]
    wait_for(lambda: all(not active(pair, node) for node in ("lb1", "lb2")), 60)


@pytest.mark.usefixtures("unnoticed")
def test_what_a_node_may_still_undo_is_not_taken_for_done(pair: Lab) -> None:
    """The next `up`, while nodes wait for a laptop that died, finds nothing to do: exit 5, or it waits and does it."""
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    pair.edit("advert_interval = 1", "advert_interval = 2")
    process = begin(pair, "up")
    until(process, "lb2 and lb1 changed")
    process.send_signal(signal.SIGSTOP)
    planned = pair.run("plan")
    assert "lb1: a change is under way, and may still be undone: " in planned.err
    verified = pair.do("verify")["findings"]
    found = [each for each in verified if "may still be undone" in each["detail"]]
    assert [(each["node"], each["severity"]) for each in found] == [("lb1", "warning"), ("lb2", "warning")]
    for node in ("lb1", "lb2"):  # or they have undone it, some seconds later, before the next one comes
        pair.on(node, "systemctl kill -s STOP lbdeploy")
    process.kill()
    process.wait()
    assert "its operator has disconnected" in pair.do("up", code=5)["error"]["message"]
    for node in ("lb1", "lb2"):
        pair.on(node, "systemctl kill -s CONT lbdeploy")
    decided = pair.do("verify", "--wait", "60", "--wait-for", "vips", code=6)["findings"]
    assert not any("may still be undone" in each["detail"] for each in decided)
    done = pair.do("up", "--lock-wait", "60")
    assert {each["node"] for each in done["changes"]} == {"lb1", "lb2"}
    for node in ("lb1", "lb2"):
        assert "advert_int 2" in pair.on(node, "cat /etc/keepalived/keepalived.conf")


@pytest.mark.usefixtures("unnoticed")
def test_a_laptop_that_slept_leaves_alone_what_others_have_done_since(pair: Lab) -> None:
    """Its change of lb1 was undone, so it goes back on lb2, too; but by then another run has changed that."""
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    asleep = begin(pair, "--json", "up")
    until(asleep, "lb1 changed")
    asleep.send_signal(signal.SIGSTOP)
    for node in ("lb1", "lb2"):  # as after 20 s without a word
        pair.on(node, f"for f in /proc/[0-9]*/fd/9; do {HOLDS} && kill $(echo $f | cut -d/ -f3); done; true")
    pair.edit("preempt_delay = 4", "preempt_delay = 5")
    pair.do("up", "--limit", "lb2", "--lock-wait", "60")
    asleep.send_signal(signal.SIGCONT)
    error = json.loads(asleep.communicate(timeout=60)[0])["error"]
    assert "preempt_delay 5" in pair.on("lb2", "cat /etc/keepalived/keepalived.conf")
    assert asleep.returncode == 1
    assert "lb2 was to undo its change, too: another run has had the lock since: " in error["state"]


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.usefixtures("unnoticed")
def test_a_rollback_never_undoes_one_run_more(pair: Lab, *, dies: bool) -> None:
    """It waits for a run that is no generation yet, and then may stay or be undone: the one before stays, too."""
    pair.edit("fall = 2", "fall = 3")
    pair.do("up")
    pair.edit("fall = 3", "fall = 4")
    process = begin(pair, "up")
    until(process, "lb2 changed")
    process.send_signal(signal.SIGSTOP)
    back = begin(pair, "--json", "rollback", "--lock-wait", "60")
    until(back, "waiting for the lock")
    process.send_signal(signal.SIGKILL if dies else signal.SIGCONT)
    error = json.loads(back.communicate(timeout=60)[0])["error"]
    assert (back.returncode, error["state"]) == (1, "nothing was changed")
    assert "--lab rollback --list shows the runs" in error["fix"]
    process.communicate(timeout=30)
    for node in ("lb1", "lb2"):
        assert f"fall {3 if dies else 4}" in pair.on(node, "cat /etc/haproxy/haproxy.cfg")


@pytest.mark.usefixtures("unnoticed")
def test_a_change_that_cuts_the_connection_is_undone_by_the_node(pair: Lab) -> None:
    """The node's answers go nowhere any more: it gets no confirmation, and puts back what it had. Exit 7."""
    operator = pair.on("operator", "ip -4 -o addr show to 192.168.1.0/24").split()[3].partition("/")[0]
    before = looks(pair)
    templates = pair.file.parent / "templates"
    templates.mkdir()
    text = (TOP / "templates" / "keepalived.conf.j2").read_text()
    (templates / "keepalived.conf.j2").write_text(f"{text}\nstatic_ipaddress {{\n    {operator}/32 dev lo\n}}\n")
    error = pair.do("up", code=7)["error"]
    assert error["node"] == "lb2"
    assert "as before" in error["state"]
    assert looks(pair) == before
    shutil.rmtree(templates)


@pytest.mark.usefixtures("unnoticed")
def test_a_change_after_which_nobody_can_log_in_is_undone(pair: Lab) -> None:
    """The old connection lives on, and would have said that all is well: only a new one can tell."""
    before = looks(pair)
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    there = "grep -q 'preempt_delay 4' /etc/keepalived/keepalived.conf"
    hold = f"until {there}; do sleep 0.02; done; systemctl stop ssh.socket ssh"
    pair.on("lb2", f'systemd-run -q --collect --unit=nologin sh -c "{hold}"')
    try:
        error = pair.do("up", code=7)["error"]
        assert "no new SSH connection" in error["message"]
        assert looks(pair) == before
    finally:
        pair.on("lb2", "systemctl stop nologin; systemctl start ssh", check=False)


@pytest.mark.usefixtures("unnoticed")
def test_ctrl_c_once_stops_after_the_node_in_change(pair: Lab) -> None:
    """The node is brought to an end and confirmed; the next one is not begun."""
    pair.edit("preempt_delay = 2", "preempt_delay = 5")
    process = begin(pair, "up")
    until(process, "lb2: reload keepalived")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "Ctrl-C again leaves at once" in said
    assert "lb2 changed; lb1 left as it was" in said
    assert "preempt_delay 5" in pair.on("lb2", "cat /etc/keepalived/keepalived.conf")
    assert "preempt_delay 2" in pair.on("lb1", "cat /etc/keepalived/keepalived.conf")
    assert not active(pair, "lb2")


@pytest.mark.usefixtures("unnoticed")
def test_ctrl_c_twice_leaves_and_says_what_the_node_does(pair: Lab) -> None:
    """At once: what is under way on the node is named, and how to look at it."""
    slow_dpkg(pair, "lb2", 15)
    try:
        process = begin(pair, "up")
        until(process, "apt-get install")
        process.send_signal(signal.SIGINT)
        until(process, "leaves at once")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=5)
        assert process.returncode == 130
        assert "lb2 goes on by itself with: apt-get install socat" in said
        log = said.partition("sudo tail -f ")[2].partition(")")[0].split()[0]
        assert "apt-get install" in pair.on("lb2", f"cat {log}")
    finally:
        wait_for(lambda: not active(pair, "lb2"), 90)
        quick_dpkg(pair, "lb2")


@pytest.mark.usefixtures("unnoticed")
def test_of_two_runs_at_once_one_wins(pair: Lab) -> None:
    """The other exits 5, and names who, from where, since when and with what command; or waits, where told to."""
    slow_dpkg(pair, "lb2", 600)
    go_on = "pkill -xf 'sleep 600'"
    try:
        first = begin(pair, "up")
        until(first, "lb2: ")
        until(first, "apt-get")
        pair.edit("preempt_delay = 2", "preempt_delay = 3")
        error = pair.do("up", code=5)["error"]
        assert re.search(
            r"\w+@\S+ \(process \d+\), since 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC: lbdeploy .*up", error["message"]
        )
        assert "--lock-wait" in error["fix"]
        waiting = begin(pair, "up", "--lock-wait", "60")
        until(waiting, "waiting for the lock")
        pair.on("lb2", go_on)
        _, said = waiting.communicate(timeout=170)
        assert waiting.returncode == 0, said
        first.communicate(timeout=60)
        assert first.returncode == 0
        assert "preempt_delay 3" in pair.on("lb2", "cat /etc/keepalived/keepalived.conf")
    finally:
        pair.on("lb2", go_on, check=False)
        quick_dpkg(pair, "lb2")


@pytest.mark.usefixtures("unnoticed")
def test_a_node_that_starts_again_in_mid_run_is_waited_for(pair: Lab) -> None:
    """It is noticed, and the run goes on to the end when the node is back."""
    slow_dpkg(pair, "lb2", 10)
    pair.edit("preempt_delay = 2", "preempt_delay = 3")
    process = begin(pair, "up")
    until(process, "apt-get install")
    pair.on("lb2", "mv /usr/bin/dpkg.real /usr/bin/dpkg; systemctl reboot", check=False)
    _, said = process.communicate(timeout=150)
    assert process.returncode == 0, said
    assert "lb2 rebooted" in said
    assert "preempt_delay 3" in pair.on("lb2", "cat /etc/keepalived/keepalived.conf")


@pytest.mark.usefixtures("unnoticed")
def test_what_a_power_cut_left_is_recognised_and_repaired(pair: Lab) -> None:
    """The journal outlives it: `plan` and `verify` name the run and its last step, `up` repairs."""
    slow_dpkg(pair, "lb2", 30)
    pair.edit("preempt_delay = 2", "preempt_delay = 3")
    process = begin(pair, "up")
    until(process, "apt-get install")
    pair.lab("stop", "lb2")
    process.kill()
    process.wait()
    pair.lab("start", "lb2")
    quick_dpkg(pair, "lb2")
    repairs = [each for each in pair.do("plan", code=3)["changes"] if each["action"] == "repair"]
    assert any(each["name"] == "lbdeploy" and "apt-get install" in each["reason"] for each in repairs)
    assert any("interrupted" in each["detail"] for each in pair.do("verify", code=6)["findings"] if not each["ok"])
    wait_for(lambda: pair.run("up").code == 0, 60)


def test_a_peer_that_is_down_is_left_out_where_that_is_safe(pair: Lab) -> None:
    """The live node is the last: it is changed only when told to. What is left out is said, exit 1."""
    pair.lab("stop", "lb1")
    wait_for(lambda: pair.holder("192.168.0.10")[-1:] == ["lb2"], 20)
    nothing = pair.do("up", code=1)
    assert nothing["error"]["node"] == "lb1"
    assert "skipped" in nothing["error"]["message"]
    pair.edit("preempt_delay = 2", "preempt_delay = 3")
    planned = pair.do("plan", code=4)
    assert planned["error"]["node"] == "lb1"
    assert {each["node"] for each in planned["changes"]} == {"lb2"}
    (foretold,) = planned["refused"]
    assert (foretold["node"], foretold["message"][:30]) == ("lb2", "no other node could take over ")
    refused = pair.do("up", code=1)["error"]
    assert "no other node could take over while lb2 is changed" in refused["message"]
    assert "--force-last" in refused["fix"]
    assert "preempt_delay 2" in pair.on("lb2", "cat /etc/keepalived/keepalived.conf")
    with traffic(pair, *VIPS) as seen:
        forced = pair.do("up", "--force-last", code=1)
    assert {each["node"] for each in forced["changes"]} == {"lb2"}
    assert seen["failures"] == []
    back = pair.do("rollback", "--limit", "lb2", code=1)["error"]  # with `up` as advice, the change would be made again
    assert re.search(r"lbdeploy -f \S+ --lab rollback --limit lb2 --to \S+ --force-last$", back["fix"])
    pair.lab("start", "lb1")
    wait_for(lambda: pair.run("up").code == 0, 60)
    sound(pair)


def test_a_new_pair_of_which_one_does_not_start_is_told_as_it_is(bare: Lab) -> None:
    """The other one goes back, that one keeps all but its keepalived, and `up` goes on from there."""
    fails = "/run/systemd/system/keepalived.service.d/fails.conf"
    bare.on("lb2", f"mkdir -p {fails[:-11]}; printf '[Service]\\nExecStartPre=/bin/false\\n' > {fails}")
    bare.on("lb2", "systemctl daemon-reload")
    error = bare.do("up", code=1)["error"]
    kept = "lb2 keeps its change, but for: enable keepalived, start keepalived"
    assert error["state"] == f"lb1 is as before; {kept}; packages that were installed stay"
    assert error["fix_command"][-1] == "up"
    runs = {name: bare.on(name, "systemctl is-active haproxy keepalived", check=False) for name in ("lb1", "lb2")}
    assert runs == {"lb1": "inactive\ninactive", "lb2": "active\ninactive"}
    bare.on("lb2", f"rm {fails}; systemctl daemon-reload")
    bare.do("up")
    sound(bare)


def test_a_node_in_the_middle_of_its_boot_is_waited_for(pair: Lab) -> None:
    """As systemd is about to start its daemons, `up` begins once it has: it refuses nothing, and plans no start."""
    slow = "/run/systemd/system/haproxy.service.d/slow.conf"
    pair.on("lb2", f"mkdir -p {slow[:-10]}; printf '[Service]\\nExecStartPre=/bin/sleep 6\\n' > {slow}")
    pair.on("lb2", "systemctl daemon-reload; systemctl stop keepalived haproxy")
    pair.edit("advert_interval = 1", "advert_interval = 2")
    pair.on("lb2", "systemctl start --no-block haproxy keepalived")
    changes = pair.do("up")["changes"]
    assert {(each["node"], each["action"]) for each in changes} == {
        (node, action) for node in ("lb1", "lb2") for action in ("update", "reload")
    }
    pair.on("lb2", f"rm {slow}; systemctl daemon-reload")
    sound(pair)


@pytest.mark.usefixtures("unnoticed")
def test_planted_links_and_odd_values_lead_nowhere(pair: Lab) -> None:
    """What an unprivileged user plants where everybody may write is not used; values that are commands are refused."""
    pair.on("lb2", "su ops -s /bin/sh -c 'ln -s /root/stolen /tmp/lbdeploy; ln -s /root/stolen /var/tmp/lbdeploy; "
            "ln -s /root/stolen /dev/shm/lbdeploy-handover'")  # fmt: skip
    pair.edit("preempt_delay = 2", "preempt_delay = 3")
    assert pair.run("up").code == 0
    assert pair.on("lb2", "ls /root/stolen 2>&1", check=False).endswith("No such file or directory")
    assert pair.on("lb2", "find /run/lbdeploy /var/lib/lbdeploy ! -user root") == ""
    assert pair.on("lb2", "stat -c %a /run/lbdeploy /var/lib/lbdeploy").split() == ["700", "700"]
    for value in ('"$(touch /root/x)"', '"a;b"', '"{{ 1 }}"', '"a\\nb"', '"it\'s"'):
        pair.file.write_text(pair.original.replace('name = "k8s-api"', f"name = {value}"))
        assert pair.do("up", code=2)["error"]["type"] == "HostsFile"
    pair.file.write_text(pair.original)


@pytest.mark.usefixtures("unnoticed")
def test_a_fish_login_changes_nothing(pair: Lab) -> None:
    """The login shell is whatever it is: here one that speaks no POSIX, and is noisy."""
    shell = '#!/bin/sh\\necho Welcome to fish\\n[ "$1" = -c ] && shift && exec /bin/sh -c "$1"\\nexec /bin/sh\\n'
    pair.on(
        "lb2",
        f"printf '{shell}' > /usr/local/bin/oddsh; chmod 755 /usr/local/bin/oddsh; usermod -s /usr/local/bin/oddsh ops",
    )
    try:
        pair.edit("preempt_delay = 2", "preempt_delay = 3")
        assert pair.run("up").code == 0
    finally:
        pair.on("lb2", "usermod -s /bin/bash ops")


def logs() -> set[Path]:
    """What lbdeploy has written of its runs here."""
    return set(Path(os.environ["XDG_STATE_HOME"]).rglob("*.log"))


@pytest.mark.usefixtures("unnoticed")
def test_secrets_are_nowhere_to_be_seen(pair: Lab) -> None:
    """A password for sudo, while a run is under way: not among processes, in logs, in the output, or in files."""
    rule = pair.on("lb2", "grep -rl NOPASSWD /etc/sudoers.d")
    pair.on("lb2", f"echo ops:s3cret | chpasswd; cp {rule} /root/rule; sed -i 's/NOPASSWD: *//' {rule}")
    slow_dpkg(pair, "lb2", 3)
    try:
        before = logs()
        process = begin(pair, "-vv", "--json", "up", LBDEPLOY_SUDO_PASSWORD="s3cret")
        until(process, "apt-get install")
        assert "s3cret" not in pair.on("lb2", "ps axwwe")
        assert "s3cret" not in Path(f"/proc/{process.pid}/cmdline").read_text()
        out, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "s3cret" not in out + said
        assert "apt-get" in said
        (log,) = logs() - before
        assert log.stat().st_mode & 0o777 == 0o600
        assert "apt-get" in log.read_text()
        assert "s3cret" not in log.read_text()
        assert (
            pair.on(
                "lb2", "grep -rls s3cret /run/lbdeploy /var/lib/lbdeploy /var/log; journalctl -q -g s3cret", check=False
            )
            == ""
        )
    finally:
        pair.on("lb2", f"cp /root/rule {rule}")
        quick_dpkg(pair, "lb2")


@pytest.mark.usefixtures("unnoticed")
def test_somebody_elses_apt_for_ever_is_given_up_on(pair: Lab) -> None:
    """Who holds the lock is named, and nothing was changed."""
    pair.on("lb2", "dpkg --purge socat 2>&1")
    pair.on("lb2", f"cat > /root/hold.pl <<'END'\n{HOLD_THE_LOCK}sleep 600;\nEND")
    pair.on("lb2", "systemd-run -q --collect --unit=hold perl /root/hold.pl")
    try:
        done = pair.run("--json", "up", env={"LBDEPLOY_APT_WAIT": "3"})
        assert done.code == 1
        assert re.search(r"not free for 3 s: it is held by process \d+ \(perl\)", done.json["error"]["message"])
    finally:
        pair.on("lb2", "systemctl stop hold")


@pytest.mark.usefixtures("unnoticed")
def test_no_room_is_said_before_anything_is_written(pair: Lab) -> None:
    """`plan` and `up` refuse, name the folder and what is free."""
    pair.on("lb2", "mount -t tmpfs -o size=64k tmpfs /var/lib/lbdeploy")
    try:
        pair.edit("preempt_delay = 2", "preempt_delay = 3")
        for command in ("plan", "up"):
            error = pair.do(command, code=1)["error"]
            assert "/var/lib/lbdeploy has only" in error["message"]
            assert error["state"] == "nothing was changed"
    finally:
        pair.on("lb2", "umount /var/lib/lbdeploy")


@pytest.mark.parametrize("together", [False, True])
def test_a_node_that_lost_its_power_undoes_what_was_not_confirmed(pair: Lab, together: bool) -> None:
    """As it starts, before its daemons do: its peers, which have undone theirs, would not hear it otherwise."""
    node = "lb1" if together else "lb2"
    before = looks(pair)
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    if together:
        pair.edit("advert_interval = 1", "advert_interval = 2")
    process = begin(pair, "up")
    until(process, "lb2 and lb1 changed" if together else f"{node}: reload keepalived")
    process.send_signal(signal.SIGSTOP)
    pair.lab("stop", node)
    process.kill()
    process.communicate()
    pair.lab("start", node)
    pair.on(node, "systemctl is-system-running --wait", check=False)
    wait_for(lambda: not active(pair, "lb1") and not active(pair, "lb2"), 60)
    assert looks(pair) == before
    assert "restored" in pair.on(node, "cat /var/lib/lbdeploy/journal")
    assert pair.on(node, "ls /etc/systemd/system | grep lbdeploy", check=False) == ""
    wait_for(lambda: all(pair.holder(vip) == ["lb1"] for vip in VIPS), 30)
    sound(pair)


@pytest.mark.parametrize(
    ("program", "does", "said"),
    [
        ("date", r"printf '\033]0;taken over\007soon\n'", "what it answered can't be read (date): "),
        ("ip", "yes | head -c 20000000", "it was given up: its answer is longer than 8 MiB"),
        pytest.param(
            "ip",
            "while :; do printf x; sleep 1; done",
            "it was given up: its answer takes longer than 60 s",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_one_bad_answer_is_that_nodes_error(pair: Lab, program: str, does: str, said: str) -> None:
    """Garbage, a flood, a drip: the node is named, the other one reported, and nothing hangs or steers the terminal."""
    # The flood ends: keepalived's check scripts run `ip`, too, and an endless one takes a core for each of them.
    place = f"/usr/local/sbin/{program}"
    pair.on("lb2", f"printf '%s\\n' '#!/bin/sh' {shlex.quote(does)} > {place}; chmod 755 {place}")
    try:
        began = time.monotonic()
        done = pair.run("--json", "verify")
        assert time.monotonic() - began < 90
        found = {finding["node"]: finding for finding in done.json["findings"] if finding["check"] == "reach"}
        assert said in found["lb2"]["detail"], found
        assert any(finding["node"] == "lb1" and finding["ok"] for finding in done.json["findings"])
        assert done.code == 4
        assert "\x1b" not in done.out + done.err
        if program == "date":
            status = pair.run("status")
            assert status.code == 4
            assert "MASTER" in status.out
            assert said in status.out.replace("\n", " ")
            refused = pair.run("up")
            assert refused.code != 0
            assert "Traceback" not in refused.err
            assert "a mistake in lbdeploy" not in refused.err
    finally:
        pair.on("lb2", f"rm {place}")
    assert pair.run("verify").code == 0
