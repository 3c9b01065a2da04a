"""Nodes agree on a change, and what is reported is so, whatever dies at whatever instant. See decision 53."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from chaos_judge import outages
from clients import traffic, turned_away
from harness import VIPS, Lab, sound, wait_for
from runs import active, begin, looks, until

from lbdeploy.node.remote import remote_text


@pytest.fixture
def pair(session_lab: Lab) -> Iterator[Lab]:
    assert session_lab.run("up", "--lock-wait", "60").code == 0
    wait_for(lambda: session_lab.holder(VIPS[0]) == ["lb1"], 20)
    yield session_lab
    session_lab.file.write_text(session_lab.original)
    shutil.rmtree(session_lab.file.parent / "templates", ignore_errors=True)
    session_lab.lab("up")


@pytest.mark.usefixtures("unnoticed")
@pytest.mark.parametrize("moment", ["lb2: reload keepalived", "lb2 changed"])
def test_a_unit_that_is_killed_is_undone_and_said_to_be_so(pair: Lab, moment: str) -> None:
    """SIGKILL of all of a change's processes on the node: systemd has it undone; exit 7, since it says so."""
    before = looks(pair)
    pair.edit("preempt_delay = 2", "preempt_delay = 4")
    process = begin(pair, "--json", "up")
    until(process, moment)
    process.send_signal(signal.SIGSTOP)  # or the change may be confirmed first
    pair.on("lb2", "systemctl kill -s KILL lbdeploy")
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 7, out
    assert "as before" in json.loads(out)["error"]["state"]
    wait_for(lambda: not active(pair, "lb2"), 5)
    assert looks(pair) == before
    assert pair.on("lb2", "tail -n 2 /var/lib/lbdeploy/journal").splitlines() == ["restored", "exit 1"]
    assert pair.on("lb2", "ls /etc/systemd/system | grep lbdeploy; ls /run/lbdeploy | grep -v lock", check=False) == ""


def test_down_whose_unit_is_killed_puts_back_what_it_took_away(pair: Lab) -> None:
    """SIGKILL on a node that is being left: its files and services are back, and `down` says what is done where."""
    before = looks(pair)[1]
    process = begin(pair, "--json", "down", "--yes")
    until(process, "lb2: stop haproxy")
    process.send_signal(signal.SIGSTOP)
    pair.on("lb2", "systemctl kill -s KILL lbdeploy")
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 7, out
    wait_for(lambda: not active(pair, "lb2"), 5)
    assert looks(pair)[1] == before
    sound(pair)


# keepalived, for whoever starts it by its name, as validating does, and not by its path, as systemd: after the
# rehearsal it waits for as long as there is a file, but no longer than half a minute.
LINGERING = """\
#!/bin/sh
echo "$*" >> /run/validated
for _ in $(seq 300); do
    [ -e /run/hold ] && [ "$(grep -c "^-t " /run/validated)" -gt 1 ] || break
    sleep 0.1
done
exec /usr/sbin/keepalived "$@"
"""


def lingering(lab: Lab, node: str = "lb2") -> None:
    """Have the node wait as it validates its new file, after the rehearsal."""
    lab.on(node, f"printf '%s' '{LINGERING}' > /usr/local/sbin/keepalived; chmod 755 /usr/local/sbin/keepalived")
    lab.on(node, ": > /run/hold")


def no_longer(lab: Lab, node: str = "lb2") -> None:
    lab.on(node, "rm -f /usr/local/sbin/keepalived /run/validated /run/hold")


@pytest.mark.parametrize("comes_back", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_standby_that_has_become_the_holder_meanwhile_keeps_the_vips(pair: Lab, comes_back: bool) -> None:
    """It would let go of them, as VRRP elects anew: it waits until they have gone back, or the change is undone."""
    before = looks(pair)
    pair.edit("router_id = 101", "router_id = 102")
    lingering(pair)
    process = begin(pair, "--json", "up")
    until(process, "lb2: validate")  # the rehearsal, after which it looks who holds the VIPs
    until(process, "lb2: validate")
    pair.on("lb1", "systemctl stop haproxy")
    wait_for(lambda: all(pair.holder(vip) == ["lb2"] for vip in VIPS), 10)
    with traffic(pair, *VIPS) as seen:  # from here on: what a haproxy that stops turns away is not the change's doing
        pair.on("lb2", "rm /run/hold")
        until(process, "wait for the VIPs")
        if comes_back:
            pair.on("lb1", "systemctl start haproxy")
        answer = json.loads(process.communicate(timeout=90)[0])
        no_longer(pair)
        if not comes_back:
            assert pair.holder(VIPS[0]) == ["lb2"]
            pair.on("lb1", "systemctl start haproxy")
    assert process.returncode == (0 if comes_back else 7), answer
    assert turned_away(seen) == []
    if comes_back:
        sound(pair)
    else:
        assert "the node that held them has lost them" in answer["error"]["message"]
        assert looks(pair) == before


# A command over another connection than the first one waits here, as a confirmation does that is still under way.
HOLD = """\
#!/bin/sh
[ -e /tmp/first ] || echo "$SSH_CONNECTION" > /tmp/first
[ "$SSH_CONNECTION" = "$(cat /tmp/first)" ] || while [ -e /tmp/hold ]; do sleep 0.05; done
exec /usr/bin/sudo "$@"
"""
CHANGES = {
    "router ID": ("router_id = 101", "router_id = 102"),
    "network": ('network = "management"', 'network = "external"'),
    "multicast": ("router_id = 101", 'router_id = 101\nmode = "multicast"'),
    "version": ("advert_interval = 1", "advert_interval = 0.5"),
    "VIPs": ('vip = "192.168.0.10/24"', 'vip = ["192.168.0.10/24", "192.168.0.20/24"]'),
}
CONF = "sha256sum < /etc/keepalived/keepalived.conf"
READY = "grep -qsx 'ready [0-9]*' /var/lib/lbdeploy/journal"
WAITS = "grep -qsx 'await [0-9]*' /var/lib/lbdeploy/journal"
CONFIRMED = "grep -qsx confirmed /var/lib/lbdeploy/journal"


@contextmanager
def holding_up(lab: Lab, node: str) -> Iterator[None]:
    """What confirms a change on the node is held up on its way, until /tmp/hold is removed there."""
    lab.on(node, f"cat > /usr/local/bin/sudo <<'END'\n{HOLD}END\nchmod 755 /usr/local/bin/sudo; : > /tmp/hold")
    try:
        yield
    finally:
        lab.on(node, "rm -f /tmp/hold /tmp/first /usr/local/bin/sudo")


@pytest.fixture
def held(pair: Lab) -> Iterator[Lab]:
    """The pair, where lb1's confirmation is held up."""
    with holding_up(pair, "lb1"):
        yield pair


@pytest.fixture
def both_held(held: Lab) -> Iterator[Lab]:
    """The pair, where both nodes' confirmations are held up."""
    with holding_up(held, "lb2"):
        yield held


HELD_UP = "pgrep -f '^/bin/sh /usr/local/bin/sudo' > /dev/null && echo yes"


def wait_to_be_confirmed(lab: Lab) -> None:
    """Wait until both nodes are held up."""
    wait_for(lambda: all(lab.on(node, HELD_UP, check=False) for node in ("lb1", "lb2")), 60)


def change_begun(lab: Lab, change: str) -> subprocess.Popen[str]:
    """An `up` that makes a change; the journals begin with it."""
    lab.edit(*CHANGES[change])
    for node in ("lb1", "lb2"):
        lab.on(node, ": > /var/lib/lbdeploy/journal")
    return begin(lab, "--json", "up")


def between(held: Lab, change: str) -> subprocess.Popen[str]:
    """An `up` at the instant at which lb2 has been told to keep its change, and lb1 has not."""
    process = change_begun(held, change)
    wait_for(lambda: held.on("lb2", f"{CONFIRMED} && echo yes", check=False), 60)
    return process


def agreed(lab: Lab, seconds: float = 30) -> list[bool]:
    """Whether each VIP comes to be on exactly one node; then whether the nodes have the new configuration.

    In time is the first of the looks that are the same from then on, however long a busy machine takes to make them.
    """
    steady: list[tuple[list[bool], list[int]]] = []
    since = time.monotonic()
    deadline = since + seconds
    while len(steady) < STEADY:
        assert since < deadline, steady
        looked = time.monotonic()
        changed = [old != lab.on(node, CONF) for node, old in BEFORE.items()]
        look = (changed, [len(lab.holder(vip)) for vip in VIPS])
        if steady[-1:] != [look] or len(set(changed)) > 1:
            steady, since = [], looked
        steady.append(look)
        time.sleep(0.5)
    assert steady[-1][1] == [1, 1]
    return steady[-1][0]


STEADY = 12  # looks, of half a second and more: longer than a node that hears nobody waits before it takes the VIPs
BEFORE: dict[str, str] = {}


def one_more(*changes: str) -> list[Any]:
    """Changes that go the same way as others that are tested."""
    return [pytest.param(change, marks=pytest.mark.slow) for change in changes]


@pytest.fixture(autouse=True)
def before(pair: Lab) -> None:
    """What the nodes have before the change."""
    BEFORE.update({node: pair.on(node, CONF) for node in ("lb1", "lb2")})


@pytest.mark.slow
def test_a_laptop_that_sleeps_between_two_beginnings_has_no_node_go_alone(pair: Lab) -> None:
    """Whoever is ready waits for the others; the laptop's lock is gone after 20 s, and each undoes what it had done."""
    before = looks(pair)
    lingering(pair)
    with traffic(pair, *VIPS) as seen:
        process = change_begun(pair, "VIPs")
        wait_for(lambda: pair.on("lb1", f"{READY} && echo yes", check=False), 60)
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: not active(pair, "lb1"), 30)
        no_longer(pair)
        wait_for(lambda: not active(pair, "lb2"), 30)
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 7, out
    assert "it was ready for the step on which all nodes must agree" in out
    assert (seen["failures"], seen["broken"]) == ([], [])
    assert looks(pair) == before


@pytest.mark.parametrize("change", ["router ID", "VIPs", *one_more("network", "multicast", "version")])
def test_a_laptop_that_dies_between_two_confirmations_leaves_nodes_that_agree(held: Lab, change: str) -> None:
    """SIGKILL where one node knows that its change stays, and the other does not: within 30 s both have the same."""
    process = between(held, change)
    process.kill()
    process.communicate()
    assert len(set(agreed(held))) == 1
    held.on("lb1", "pkill -x sleep; rm /tmp/hold")
    wait_for(lambda: not active(held, "lb1") and not active(held, "lb2"), 10)
    assert held.run("up").code == 0
    assert held.do("up")["changes"] == []


@pytest.mark.slow
@pytest.mark.parametrize("change", ["router ID", "VIPs"])
def test_a_laptop_that_sleeps_between_two_confirmations_tells_what_came_of_it(held: Lab, change: str) -> None:
    """75 s: the nodes agree long before it wakes; then it says what they say."""
    process = between(held, change)
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    kept = agreed(held)
    assert len(set(kept)) == 1
    time.sleep(75 - (time.monotonic() - began))
    held.on("lb1", "rm /tmp/hold")
    process.send_signal(signal.SIGCONT)
    out, _ = process.communicate(timeout=90)
    assert process.returncode == (0 if kept[0] else 7), out
    assert held.run("up").code == 0
    assert held.do("up")["changes"] == []


@pytest.mark.parametrize("change", ["router ID", *one_more("version")])
def test_a_unit_that_is_killed_between_two_confirmations_has_its_peer_undo_the_change(held: Lab, change: str) -> None:
    """Its node undoes the change, and so does the one that had kept it: exit 7, since both say so."""
    process = change_begun(held, change)
    wait_for(lambda: held.on("lb1", f"{WAITS} && systemctl kill -s STOP lbdeploy && echo yes", check=False), 60)
    wait_for(lambda: held.on("lb2", f"{CONFIRMED} && echo yes", check=False), 60)
    held.on("lb1", "systemctl kill -s KILL lbdeploy")
    assert agreed(held) == [False, False]
    held.on("lb1", "rm /tmp/hold")
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 7, out
    assert json.loads(out)["error"]["state"] in ("lb1 and lb2: as before", "lb2 and lb1: as before")
    sound_again(held)


def test_a_vip_that_a_killed_keepalived_has_left_behind_goes_with_its_change(held: Lab) -> None:
    """The keepalived that starts again, with the old file, does not know it: the node that undoes the change does."""
    process = change_begun(held, "VIPs")
    wait_for(lambda: held.on("lb1", f"{WAITS} && systemctl kill -s STOP lbdeploy && echo yes", check=False), 60)
    wait_for(lambda: held.holder("192.168.0.20") == ["lb1"])
    held.on("lb1", "systemctl kill -s KILL keepalived lbdeploy")
    assert agreed(held) == [False, False]
    held.on("lb1", "rm /tmp/hold")
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 7, out
    assert held.holder("192.168.0.20") == []
    sound_again(held)


@pytest.mark.parametrize("change", ["router ID", *one_more("network", "version")])
def test_a_node_that_loses_its_power_between_two_confirmations_follows_its_peer(held: Lab, change: str) -> None:
    """The other one has kept the change; as the node starts, it hears that, and keeps it, too."""
    process = change_begun(held, change)
    wait_for(lambda: held.on("lb1", f"{WAITS} && systemctl kill -s STOP lbdeploy && echo yes", check=False), 60)
    wait_for(lambda: held.on("lb2", f"{CONFIRMED} && echo yes", check=False), 60)
    changed = held.file.read_text()
    held.file.write_text(held.original)
    held.lab("stop", "lb1")
    process.kill()
    process.communicate()
    time.sleep(15)
    held.lab("start", "lb1")
    held.file.write_text(changed)
    held.on("lb1", "systemctl is-system-running --wait", check=False)
    assert agreed(held) == [True, True]
    wait_for(lambda: not active(held, "lb1") and not active(held, "lb2"), 10)
    assert held.on("lb1", "ls /etc/systemd/system | grep lbdeploy", check=False) == ""
    assert held.run("up").code == 0
    assert held.do("up")["changes"] == []


@pytest.mark.parametrize("change", ["router ID", *one_more("multicast", "network")])
def test_a_laptop_that_dies_while_both_hold_the_vips_costs_no_connection(pair: Lab, change: str) -> None:
    """The standby has taken them, the holder is not changed yet: the standby lets go, and clients find the holder."""
    with traffic(pair, *VIPS) as seen:
        process = change_begun(pair, change)
        until(process, "waiting until lb2 also holds the VIPs")
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: "lb2" in pair.holder(VIPS[0]), 15)
        process.kill()
        process.communicate()
        assert agreed(pair) == [False, False]
        time.sleep(2)
    assert turned_away(seen) == []
    lost = [each["at"] for each in [*seen["failures"], *seen["late"]]]
    assert all(end - begin < 0.5 for begin, end in outages(lost)), lost
    sound_again(pair)


@pytest.mark.parametrize("change", one_more("multicast", "router ID"))
def test_a_standby_that_dies_as_both_hold_the_vips_costs_no_more_than_a_holder_that_dies(
    pair: Lab, change: str
) -> None:
    """To the holder's keepalived nothing has happened. Clients would ask the dead node for 8 s."""
    with traffic(pair, *VIPS) as seen:
        process = change_begun(pair, change)
        until(process, "waiting until lb2 also holds the VIPs")
        process.send_signal(signal.SIGSTOP)  # the holder is not changed yet
        wait_for(lambda: "lb2" in pair.holder(VIPS[0]), 15)
        pair.lab("stop", "lb2")
        time.sleep(10)
        process.send_signal(signal.SIGCONT)
        answer = json.loads(process.communicate(timeout=120)[0])
        wait_for(lambda: pair.holder(VIPS[0]) == pair.holder(VIPS[1]) == ["lb1"], 30)
        time.sleep(2)
    assert answer["exit_code"] in {1, 7}, answer
    lost = [each["at"] for each in [*seen["failures"], *seen["late"]]]
    assert all(end - begin < 3.7 for begin, end in outages(lost)), outages(lost)
    pair.lab("start", "lb2")
    pair.on("lb2", "systemctl is-system-running --wait", check=False)
    sound_again(pair)


RESTORED = "grep -qsx restored /var/lib/lbdeploy/journal && echo yes"
STEPS_BACK = "Entering BACKUP STATE"
FAULTY = "Entering FAULT STATE"


def test_a_holder_whose_standby_has_undone_its_change_does_not_begin_its_own(pair: Lab) -> None:
    """The standby's unit is killed as both hold the VIPs, and the holder's task has begun: nobody else would serve."""
    lingering(pair, "lb1")
    try:
        with traffic(pair, *VIPS) as seen:
            process = change_begun(pair, "router ID")
            until(process, "waiting until lb2 also holds the VIPs")
            until(process, "lb1: validate")
            began = pair.on("lb2", "systemctl kill -s KILL lbdeploy; date +%s.%N")
            wait_for(lambda: pair.on("lb2", RESTORED, check=False), 30)
            no_longer(pair, "lb1")
            answer = json.loads(process.communicate(timeout=90)[0])
            time.sleep(2)
    finally:
        no_longer(pair, "lb1")
    assert answer["exit_code"] == 7, answer
    assert STEPS_BACK not in pair.on("lb1", f"journalctl -q -u keepalived --since @{began}")
    assert turned_away(seen) == []
    lost = [each["at"] for each in [*seen["failures"], *seen["late"]]]
    assert all(end - begin < 0.5 for begin, end in outages(lost)), lost
    sound_again(pair)


def test_a_holder_whose_standby_has_let_go_of_the_vips_does_not_begin_its_own_change(pair: Lab) -> None:
    """Its haproxy is stopped as both hold the VIPs, and the holder's task has begun: that costs what a move does."""
    lingering(pair, "lb1")
    try:
        with traffic(pair, *VIPS) as seen:
            process = change_begun(pair, "multicast")
            until(process, "waiting until lb2 also holds the VIPs")
            until(process, "lb1: validate")
            began = pair.on("lb2", "date +%s.%N; systemctl stop haproxy")
            wait_for(
                lambda: FAULTY in pair.on("lb2", f"journalctl -q --sync; journalctl -u keepalived --since @{began}")
            )
            no_longer(pair, "lb1")
            answer = json.loads(process.communicate(timeout=90)[0])
            time.sleep(2)
    finally:
        no_longer(pair, "lb1")
        pair.on("lb2", "systemctl start haproxy")
    assert answer["exit_code"] == 7, answer
    assert "which was to have the VIPs meanwhile, has let go of them" in answer["error"]["message"]
    assert STEPS_BACK not in pair.on("lb1", f"journalctl -q -u keepalived --since @{began}")
    lost = [each["at"] for each in [*seen["failures"], *seen["late"]]]
    assert all(end - begin < 3.7 for begin, end in outages(lost)), outages(lost)
    sound_again(pair)


def test_a_standby_that_undoes_its_change_serves_until_the_holder_does_again(pair: Lab) -> None:
    """Its unit is killed just as the holder, which elects anew, has let go of the VIPs: they are on nobody else."""
    with traffic(pair, *VIPS) as seen:
        process = change_begun(pair, "router ID")
        until(process, "waiting until lb2 also holds the VIPs")
        wait_for(lambda: pair.holder(VIPS[0]) == ["lb2"], 30)
        pair.on("lb2", "systemctl kill -s KILL lbdeploy")
        answer = json.loads(process.communicate(timeout=90)[0])
        wait_for(lambda: pair.holder(VIPS[0]) == pair.holder(VIPS[1]) == ["lb1"], 30)
        time.sleep(2)
    assert answer["exit_code"] == 7, answer
    assert turned_away(seen) == []
    lost = [each["at"] for each in [*seen["failures"], *seen["late"]]]
    assert all(end - begin < 0.5 for begin, end in outages(lost)), lost
    sound_again(pair)


def test_a_standby_whose_unit_is_stopped_says_that_it_goes_back(both_held: Lab) -> None:
    """All its processes get SIGTERM. Deaf and mute, it would keep the VIPs beside a holder that has kept its change."""
    before = looks(both_held)
    with traffic(both_held, *VIPS) as seen:
        process = change_begun(both_held, "router ID")
        wait_to_be_confirmed(both_held)
        both_held.on("lb2", "systemctl stop lbdeploy")
        wait_for(lambda: all(both_held.on(node, RESTORED, check=False) for node in ("lb1", "lb2")), 30)
        for node in ("lb1", "lb2"):
            both_held.on(node, "rm /tmp/hold")
        answer = json.loads(process.communicate(timeout=90)[0])
        assert agreed(both_held) == [False, False]
    assert answer["exit_code"] == 7, answer
    assert looks(both_held) == before
    assert turned_away(seen) == []
    lost = [each["at"] for each in [*seen["failures"], *seen["late"]]]
    assert all(end - begin < 0.5 for begin, end in outages(lost)), lost
    sound_again(both_held)


# What a node says that has undone an earlier run's change, for 300 s: by VRRP's protocol, from where its adverts came.
SAYS = """\
mkdir -p /run/planted
echo undone > /run/planted/run.says
printf '%s\\n' 0123456789abcdef lb2 '' '' 192.168.0.11 192.168.1.11 > /run/planted/heeds
cat > /run/planted/agree.pl <<'END'
{program}
END
systemd-run -q --unit planted-words sh -c 'perl /run/planted/agree.pl /run/planted/run < /run/planted/heeds; exit'"""


def test_words_of_an_earlier_run_are_no_adverts(pair: Lab) -> None:
    """Where only the address of the adverts changes, all that comes from there would be taken for old ones."""
    pair.on("lb2", SAYS.format(program=remote_text("agree.pl")))
    try:
        wait_for(lambda: pair.on("lb2", "cat /run/planted/run.heard", check=False))
        pair.edit(*CHANGES["network"])
        done = pair.run("up")
    finally:
        pair.on("lb2", "systemctl stop planted-words; rm -r /run/planted")
    assert done.code == 0, done.err
    sound_again(pair)


def test_a_standby_that_has_undone_its_change_behind_a_cut_cable_is_heard_when_it_is_back(both_held: Lab) -> None:
    """The holder has kept its own, which the standby's does not hear then: it would take the VIPs, too."""
    earlier = says_undone(both_held)
    with traffic(both_held, *VIPS) as seen:
        process = change_begun(both_held, "version")
        wait_to_be_confirmed(both_held)
        both_held.lab("cut", "lb2")
        both_held.on("lb1", "rm /tmp/hold")
        wait_for(lambda: both_held.on("lb2", RESTORED, check=False), 60)
        time.sleep(3)  # what it says at its end, nobody has heard
        assert both_held.on("lb1", f"{CONFIRMED} && echo yes", check=False)
        assert not both_held.on("lb1", RESTORED, check=False)
        began = both_held.on("lb2", "rm /tmp/hold; date +%s.%N")
        both_held.lab("join", "lb2")
        assert agreed(both_held) == [False, False]
        answer = json.loads(process.communicate(timeout=120)[0])
    assert answer["exit_code"] in {1, 7}
    assert "Entering MASTER" not in both_held.on("lb2", f"journalctl -q -u keepalived --since @{began}")
    assert [*seen["failures"], *seen["late"], *seen["broken"]] == []
    wait_for(lambda: says_undone(both_held) <= earlier, 20)
    sound_again(both_held)


def says_undone(lab: Lab) -> set[str]:
    """The runs of which lb2 still says that it has undone its change: of earlier tests, some for 300 s."""
    return set(lab.on("lb2", "ls /run/lbdeploy | grep undone", check=False).split())


def sound_again(lab: Lab) -> None:
    """As hosts.toml was at first, with the next `up`."""
    lab.file.write_text(lab.original)
    sound(lab)
