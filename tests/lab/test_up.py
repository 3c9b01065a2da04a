"""`up`, `plan` and `verify` on real nodes."""

from __future__ import annotations

import re
import time

import pytest
from clients import traffic
from harness import RELOADED, TOP, VIPS, Lab, asked, wait_for
from runs import begin, until
from strangers import stranger

FILES = (
    "/etc/haproxy/haproxy.cfg",
    "/etc/keepalived/keepalived.conf",
    "/etc/keepalived/check-haproxy",
    "/etc/keepalived/check-address",
    "/etc/keepalived/announce",
    "/etc/sysctl.d/zz-lbdeploy.conf",
    "/etc/systemd/system/haproxy.service.d/lbdeploy.conf",
    "/etc/systemd/system/keepalived.service.d/lbdeploy.conf",
)
PRINT = (
    "systemctl show -p MainPID,InvocationID haproxy keepalived; "
    # Not what they fork: until it is another program, such a process has the name of the one that forked it.
    "for unit in haproxy keepalived; do pgrep -a -P $(systemctl show -p MainPID --value $unit); done; "
    f"stat -c '%n %a %U %G %i %Y %Z' {' '.join(FILES)}; sysctl net.ipv4.ip_nonlocal_bind; "
    "ls -A /etc/haproxy /etc/keepalived /etc/sysctl.d /run/lbdeploy"
)

# dpkg's lock, held as another dpkg would: fcntl(2) with a struct flock.
HOLD_THE_LOCK = """\
use Fcntl;
my $lock = pack("s s x4 q q l x4", F_WRLCK, 0, 0, 0, 0);
open my $file, ">", "/var/lib/dpkg/lock-frontend" or die;
fcntl($file, F_SETLK, $lock) or die;
sleep 600;
"""


def fingerprint(lab: Lab) -> list[str]:
    """Processes, files with inode and times, and settings of both nodes."""
    return [lab.on(node, PRINT, check=False) for node in ("lb1", "lb2")]


def held_by(lab: Lab, node: str) -> bool:
    return all(lab.holder(vip) == [node] for vip in VIPS)


def statuses(lab: Lab, server: str) -> list[str]:
    """What the haproxys say of a server, asked as the seed does: `show stat` over the socket."""
    ask = "echo 'show stat' | socat stdio /run/haproxy/admin.sock | grep ',%s,' | cut -d, -f18"
    return [lab.on(node, ask % server) for node in ("lb1", "lb2")]


def finding(document: dict, check: str, ok: bool) -> list[dict]:
    return [each for each in document["findings"] if each["check"] == check and each["ok"] is ok]


def test_bare_nodes_become_a_working_pair_and_a_second_up_changes_nothing(session_lab: Lab) -> None:
    """The whole procedure of the seed on bare nodes, in one command, judged from the nodes and a client."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")
    pending = lab.do("plan", code=3)
    assert {"haproxy", "keepalived"} <= {each["name"] for each in pending["changes"] if each["kind"] == "package"}
    assert lab.on("lb1", "dpkg-query -W haproxy", check=False) == ""

    document = lab.do("up")
    assert document["ok"]
    assert [(each["address"], each["holders"]) for each in document["vips"]] == [(vip, ["lb1"]) for vip in VIPS]
    assert {each["status"] for each in document["servers"]} == {"UP"}
    assert len(document["servers"]) == 6
    assert held_by(lab, "lb1")
    assert " ens33" in lab.on("lb1", "ip -o addr show to 192.168.0.10")
    for vip in VIPS:
        assert lab.answers(vip) == "ok"
    for node in ("lb1", "lb2"):
        states = lab.on(
            node, f"{RELOADED}systemctl is-active haproxy keepalived; systemctl is-enabled haproxy keepalived"
        )
        assert states.split() == ["active", "active", "enabled", "enabled"]
        assert lab.on(node, "keepalived -t -f /etc/keepalived/keepalived.conf 2>&1") == ""
        assert lab.on(node, "haproxy -c -f /etc/haproxy/haproxy.cfg 2>&1") == "Configuration file is valid"
        assert lab.on(node, "cat /proc/sys/net/ipv4/ip_nonlocal_bind") == "1"

    generations = [lab.on(node, "ls /var/lib/lbdeploy/generations") for node in ("lb1", "lb2")]
    assert generations[0] == generations[1]  # of the same run
    before = fingerprint(lab)
    since = lab.on("lb1", "date +%s.%N")
    again = lab.do("up")
    assert again["changes"] == []
    assert fingerprint(lab) == before
    assert lab.do("plan")["changes"] == []
    assert lab.do("verify")["ok"]
    assert lab.on("lb1", f"journalctl -q _PID=1 --since @{since} | grep lbdeploy", check=False) == ""


def test_up_asks_where_that_is_wanted(pair: Lab) -> None:
    """The plan is shown first; no and Ctrl-C change nothing, and hold no lock; yes makes the change."""
    pair.edit('balance = "roundrobin"', 'balance = "leastconn"')
    before = fingerprint(pair)
    assert f"To make them: lbdeploy -f {pair.file} --lab up\n" in pair.run("plan").out
    for refusal, state in (("n\n", "Nothing was changed."), ("\x03", "error: interrupted")):
        refused = asked(pair, "Make these changes?", refusal, "up", "--ask")
        assert (refused.code, state in refused.err) == (130, True)
        assert ("error: " in refused.err) == (refusal == "\x03"), "no is no error"
        assert "+    balance leastconn" in refused.out
        assert fingerprint(pair) == before
    approved = asked(pair, "Make these changes?", "y\n", "up", "--ask")
    assert (approved.code, "Changed lb2 and lb1:" in approved.err) == (0, True)  # the holder last
    for node in ("lb1", "lb2"):
        assert "balance leastconn" in pair.on(node, "cat /etc/haproxy/haproxy.cfg")
    assert pair.do("plan")["changes"] == []


def test_a_vip_that_a_foreign_host_answers_for_is_not_taken(session_lab: Lab) -> None:
    """The first `up` refuses, names the foreigner's MAC, and changes nothing; --ignore goes on."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")
    link = lab.on("client", "ip -o -4 addr show to 192.168.0.0/24").split()[1]
    mac = lab.on("client", f"ip -br link show {link}").split()[2]
    lab.on("client", f"ip addr add 192.168.0.10/24 dev {link}")
    try:
        error = lab.do("up", code=1)["error"]
        assert "192.168.0.10 is in use" in error["message"]
        assert mac in error["message"]
        assert "--ignore vip-in-use" in error["fix"]
        assert lab.on("lb1", "dpkg-query -W haproxy", check=False) == ""
        assert lab.run("plan", "--ignore", "vip-in-use").code == 3
    finally:
        lab.on("client", f"ip addr del 192.168.0.10/24 dev {link}")
    assert lab.run("up").code == 0


def test_a_virtual_router_id_that_a_foreign_router_speaks_for_is_not_taken(session_lab: Lab) -> None:
    """The first `up` names the address that the adverts come from, and starts no keepalived; --ignore goes on."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")
    with stranger(lab, 101) as address:
        error = lab.do("up", code=1)["error"]
        assert f"virtual router ID 101 is in use: adverts come from {address}" in error["message"]
        assert (
            lab.on("lb1", "systemctl is-active keepalived; ls /etc/keepalived/keepalived.conf", check=False)
            == "inactive"
        )
        assert lab.run("up", "--ignore", "vrid-in-use").code in (0, 6)
    wait_for(lambda: lab.run("verify").code == 0, 60)


def test_verify_tells_the_truth_before_during_and_after_a_stopped_haproxy(pair: Lab) -> None:
    """The VIPs move to the other node and come back, and verify says at each moment what is the case."""
    assert pair.do("verify")["ok"]
    pair.on("lb1", "systemctl stop haproxy")
    wait_for(lambda: held_by(pair, "lb2"))
    during = pair.do("verify", code=6)
    assert [each["holders"] for each in during["vips"]] == [["lb2"], ["lb2"]]
    assert any("haproxy is inactive" in each["detail"] for each in finding(during, "service", False))
    assert any("lb1 cannot take over" in each["detail"] for each in finding(during, "holder", True))
    assert all(pair.answers(vip) == "ok" for vip in VIPS)

    pair.on("lb1", "systemctl start haproxy")
    waiting = pair.do("verify")
    assert waiting["vips"][0]["holders"] == ["lb1"] or "preempt_delay" in finding(waiting, "holder", False)[0]["detail"]
    wait_for(lambda: held_by(pair, "lb1"))
    assert finding(pair.do("verify"), "holder", True)


def test_a_hung_haproxy_loses_the_vips(pair: Lab) -> None:
    """SIGSTOP leaves the process there and its socket open: the health check notices all the same."""
    pair.on("lb1", "kill -STOP $(pgrep -x haproxy)")
    try:
        wait_for(lambda: held_by(pair, "lb2"), 8)
        document = pair.do("verify", code=6)
        assert any("hangs" in each["detail"] for each in finding(document, "check", False))
        assert pair.answers(VIPS[0]) == "ok"
    finally:
        pair.on("lb1", "kill -CONT $(pgrep -x haproxy)")
    wait_for(lambda: held_by(pair, "lb1"))


def test_one_server_up_and_two_down_is_healthy_and_names_the_two(pair: Lab) -> None:
    """The seed's own example: the API answers through the VIP, and the operator learns which servers are missing."""
    pair.lab("stop", "master2")
    pair.lab("stop", "master3")
    wait_for(lambda: set(statuses(pair, "master2") + statuses(pair, "master3")) == {"DOWN"}, 40)
    document = pair.do("verify")
    down = finding(document, "server", False)
    assert [re.search(r"master\d", each["detail"])[0] for each in down] == ["master2", "master3"]
    assert all("L4CON" in each["detail"] and each["severity"] == "warning" for each in down)
    assert pair.answers(VIPS[1]) == "ok"

    pair.lab("stop", "master1")
    wait_for(lambda: set(statuses(pair, "master1")) == {"DOWN"}, 40)
    document = pair.do("verify", code=6)
    assert finding(document, "backend", False)
    assert len(finding(document, "api", False)) == 4


@pytest.mark.usefixtures("unnoticed")
def test_drift_is_shown_and_repaired_and_the_hand_edit_is_kept(pair: Lab) -> None:
    """A file edited by hand, a stopped and disabled service and a changed kernel setting."""
    pair.on("lb2", "echo '# by hand' >> /etc/haproxy/haproxy.cfg; systemctl disable -q --now keepalived 2>/dev/null")
    pair.on("lb2", "sysctl -q -w net.ipv4.ip_nonlocal_bind=0; chmod 600 /etc/keepalived/keepalived.conf")
    assert pair.run("verify").code == 6
    changes = pair.do("plan", code=3)["changes"]
    assert {each["node"] for each in changes} == {"lb2"}
    assert {(each["kind"], each["action"]) for each in changes} == {
        ("file", "update"), ("file", "chmod"), ("sysctl", "set"),
        ("service", "enable"), ("service", "start"), ("service", "reload"),
    }  # fmt: skip
    assert any("-# by hand" in each.get("diff", "") for each in changes)
    assert pair.run("up").code == 0
    assert "by hand" not in pair.on("lb2", "cat /etc/haproxy/haproxy.cfg")
    kept = "$(ls -d /var/lib/lbdeploy/generations/* | tail -1)/files"
    assert "by hand" in pair.on("lb2", f"cat {kept}/etc/haproxy/haproxy.cfg")
    assert pair.on("lb2", "stat -c %a /var/lib/lbdeploy /etc/keepalived/keepalived.conf").split() == ["700", "644"]
    assert pair.do("plan")["changes"] == []


def test_a_changed_server_is_reloaded_standby_first_and_nothing_restarts(pair: Lab) -> None:
    """A setting of haproxy changes on the standby node first, then on the holder, by reload: the VIPs stay."""
    pids = [pair.on(node, "systemctl show -p MainPID haproxy keepalived") for node in ("lb1", "lb2")]
    pair.edit("fall = 2", "fall = 3")
    assert pair.do("plan", code=3)["order"] == [["lb2"], ["lb1"]]
    with traffic(pair, *VIPS) as seen:
        done = pair.run("up")
    assert seen["failures"] == []
    assert done.code == 0, done.err
    assert done.err.index("lb2: reload haproxy") < done.err.index("lb1: reload haproxy")
    assert [pair.on(node, "systemctl show -p MainPID haproxy keepalived") for node in ("lb1", "lb2")] == pids
    assert "fall 3" in pair.on("lb1", "cat /etc/haproxy/haproxy.cfg")
    assert held_by(pair, "lb1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("advert_interval = 1", "advert_interval = 2"),
        ('vip = "192.168.0.10/24"', 'vip = ["192.168.0.10/24", "192.168.0.20/24"]'),
    ],
)
def test_what_peers_must_agree_on_changes_on_all_nodes_together(pair: Lab, old: str, new: str) -> None:
    """Node by node, the peers would stop hearing each other, and both would hold the VIPs."""
    with traffic(pair, *VIPS) as seen:
        pair.edit(old, new)
        alone = pair.do("up", "--limit", "lb2", code=1)["error"]
        assert "leaves out lb1" in alone["message"]
        assert pair.do("plan", code=3)["order"] == [["lb2", "lb1"]]
        document = pair.do("up")
        assert all(each["holders"] == ["lb1"] for each in document["vips"])
        time.sleep(4)
        assert held_by(pair, "lb1")
    assert seen["probes"] > 100
    assert seen["failures"] == []


@pytest.mark.usefixtures("unnoticed")
def test_a_change_for_all_that_one_node_refuses_reaches_none(pair: Lab) -> None:
    """Half of it would leave two nodes that do not hear each other."""
    sums = [pair.on(node, f"sha256sum {' '.join(FILES)}") for node in ("lb1", "lb2")]
    templates = pair.file.parent / "templates"
    templates.mkdir()
    text = (TOP / "templates" / "keepalived.conf.j2").read_text()
    (templates / "keepalived.conf.j2").write_text(text + "{% if node.name == 'lb1' %}nonsense\n{% endif %}")
    pair.edit("advert_interval = 1", "advert_interval = 2")
    error = pair.do("up", code=7)["error"]
    assert error["node"] == "lb1"
    assert "nonsense" in error["message"]
    assert [pair.on(node, f"sha256sum {' '.join(FILES)}") for node in ("lb1", "lb2")] == sums
    assert held_by(pair, "lb1")


@pytest.mark.usefixtures("unnoticed")
def test_a_run_that_died_between_writing_and_reloading_is_repaired(pair: Lab) -> None:
    """A service is stale while its file is newer than its last load, whoever wrote it."""
    pair.on("lb2", "touch /etc/haproxy/haproxy.cfg")
    changes = pair.do("plan", code=3)["changes"]
    assert [(each["node"], each["name"], each["action"]) for each in changes] == [("lb2", "haproxy", "reload")]
    assert pair.run("up").code == 0
    assert pair.do("plan")["changes"] == []


@pytest.mark.parametrize(
    ("template", "text", "says"),
    [
        ("keepalived.conf.j2", "global_defs {\n  nonsense here\n}\n", "nonsense"),
        ("haproxy.cfg.j2", "global\n  daemon\nnonsense\n", "nonsense"),
    ],
)
@pytest.mark.usefixtures("unnoticed")
def test_an_invalid_file_is_refused_on_the_node_and_nothing_changes(
    pair: Lab, template: str, text: str, says: str
) -> None:
    """What the node's own validator refuses takes nobody's place, and the validator's lines are shown."""
    before = [each.splitlines()[:4] for each in fingerprint(pair)]
    sums = [pair.on(node, f"sha256sum {' '.join(FILES)}") for node in ("lb1", "lb2")]
    templates = pair.file.parent / "templates"
    templates.mkdir()
    (templates / template).write_text(text)
    document = pair.do("up", code=7)
    assert says in document["error"]["message"]
    assert document["error"]["node"] in ("lb1", "lb2")
    assert [pair.on(node, f"sha256sum {' '.join(FILES)}") for node in ("lb1", "lb2")] == sums
    assert [each.splitlines()[:4] for each in fingerprint(pair)] == before
    assert held_by(pair, "lb1")


@pytest.mark.usefixtures("unnoticed")
def test_a_wrong_interface_is_refused_and_the_names_that_exist_are_offered(pair: Lab) -> None:
    """Nothing is changed on any node."""
    pair.edit('interface = "ens33"', 'interface = "ens99"')
    before = fingerprint(pair)
    for command in ("plan", "up"):
        error = pair.do(command, code=1)["error"]
        assert "ens99" in error["message"]
        assert "ens32, ens33" in error["fix"]
    assert fingerprint(pair) == before


def test_a_dead_node_is_named_and_the_living_one_is_still_judged(pair: Lab) -> None:
    """Power lost on the holder: the other takes over; verify says who holds the VIPs and whom it could not ask."""
    pair.lab("stop", "lb1")
    wait_for(lambda: all(" " + vip in pair.on("lb2", "ip -o addr") for vip in VIPS))
    document = pair.do("verify", code=4)
    assert [each["holders"] for each in document["vips"]] == [["lb2"], ["lb2"]]
    assert finding(document, "reach", False)[0]["node"] == "lb1"
    assert document["error"]["node"] == "lb1"
    assert pair.do("up", code=1)["error"]["node"] == "lb1"
    assert pair.run("up", "--limit", "lb2").code == 0
    pair.lab("start", "lb1")
    wait_for(lambda: held_by(pair, "lb1"), 30)
    assert pair.do("verify", "--wait", "20")["ok"]


@pytest.mark.usefixtures("unnoticed")
def test_a_second_run_at_once_says_who_is_at_work(pair: Lab) -> None:
    """A change that is under way on a node locks it, for as long as it goes on."""
    who = "lbdeploy: eve@laptop (process 7), since noon"
    pair.on("lb2", f"systemd-run -q --unit=lbdeploy --description='{who}' sleep 60")
    try:
        pair.edit("fall = 2", "fall = 4")
        error = pair.do("up", code=5)["error"]
        assert "eve@laptop" in error["message"]
        assert "since" in error["message"]
    finally:
        pair.on("lb2", "systemctl stop lbdeploy")
    assert pair.run("up").code == 0


@pytest.mark.usefixtures("unnoticed")
def test_a_busy_apt_is_waited_for_and_its_holder_named(pair: Lab) -> None:
    """Somebody else's apt delays the run; it does not fail it."""
    pair.on("lb2", "systemctl stop keepalived; dpkg --purge socat 2>&1")
    pair.on("lb2", f"cat > /root/hold.pl <<'END'\n{HOLD_THE_LOCK}END")
    pair.on("lb2", "systemd-run -q --collect --unit=holder perl /root/hold.pl")
    try:
        run = begin(pair, "up")
        said = until(run, "lb2: wait for the lock of apt and dpkg, held by process ")
    finally:
        pair.on("lb2", "systemctl stop holder")
    assert re.search(r"process \d+ \(perl\)", said)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err


@pytest.mark.usefixtures("unnoticed")
def test_an_unreachable_mirror_is_a_clear_error_and_services_run_on(pair: Lab) -> None:
    """What is missing can't be installed; what runs goes on running."""
    pair.on("lb2", "dpkg --purge socat 2>&1; mv /etc/apt/sources.list.d /etc/apt/away; mkdir /etc/apt/sources.list.d")
    pair.on(
        "lb2", "cp /etc/apt/sources.list /root/kept 2>/dev/null; : > /etc/apt/sources.list; rm -rf /var/lib/apt/lists/*"
    )
    try:
        error = pair.do("up", code=1)["error"]
        assert error["node"] == "lb2"
        assert "apt-get" in error["message"] + error.get("fix", "")
        assert "socat" in error["message"]
        assert pair.on("lb2", "systemctl is-active haproxy keepalived").split() == ["active", "active"]
    finally:
        pair.on("lb2", "rmdir /etc/apt/sources.list.d; mv /etc/apt/away /etc/apt/sources.list.d")
        pair.on("lb2", "cp /root/kept /etc/apt/sources.list 2>/dev/null || rm /etc/apt/sources.list", check=False)
    assert pair.run("up").code == 0


@pytest.mark.usefixtures("unnoticed")
def test_odd_logins_do_not_matter(pair: Lab) -> None:
    """A chatty .bashrc and a foreign locale change nothing."""
    pair.on(
        "lb2",
        "printf 'echo Welcome\\necho Welcome >&2\\nexport LANG=ja_JP.eucJP LC_ALL=ja_JP.eucJP\\n' > /home/ops/.bashrc",
    )
    try:
        assert pair.do("verify")["ok"]
        pair.edit("fall = 2", "fall = 5")
        assert pair.run("up").code == 0
    finally:
        pair.on("lb2", "rm /home/ops/.bashrc")


@pytest.mark.usefixtures("unnoticed")
def test_sudo_that_wants_a_password_gets_it_from_the_environment(pair: Lab) -> None:
    """Without it: one clear error, exit 4. A wrong one: the same. It is never in a process list."""
    rule = pair.on("lb2", "grep -rl NOPASSWD /etc/sudoers.d")
    pair.on("lb2", f"echo ops:s3cret | chpasswd; sed -i.kept 's/NOPASSWD: *//' {rule}; mv {rule}.kept /root/")
    try:
        error = pair.do("verify", code=4)["error"]
        assert (error["node"], error["type"]) == ("lb2", "Sudo")
        wrong = pair.run("--json", "verify", env={"LBDEPLOY_SUDO_PASSWORD": "wr0ng"})
        assert wrong.code == 4
        assert "wr0ng" not in wrong.out + wrong.err
        right = pair.run("-v", "verify", env={"LBDEPLOY_SUDO_PASSWORD": "s3cret"})
        assert right.code == 0, right.err
        assert "s3cret" not in right.out + right.err
    finally:
        pair.on("lb2", f"cp /root/$(basename {rule}).kept {rule}")


@pytest.mark.usefixtures("unnoticed")
def test_an_unknown_and_a_changed_host_key_are_refused(pair: Lab) -> None:
    """Nothing is sent to a node whose key is not the known one; both fingerprints are shown, of every such node."""
    known = pair.on("operator", "cat " + pair.known_hosts)
    try:
        pair.known_hosts_text("")
        unknown = pair.do("verify", code=4)["error"]
        assert unknown["type"] == "HostKey"
        assert "unknown" in unknown["message"]
        first, second = (line.split()[-1] for line in known.splitlines()[:2])
        pair.known_hosts_text(known.replace(first, "@").replace(second, first).replace("@", second) + "\n")
        changed = pair.do("up", code=4)["error"]
        assert "has changed" in changed["message"]
        assert changed["message"].count("SHA256:") == 2 * 2
    finally:
        pair.known_hosts_text(known + "\n")
    assert pair.run("verify").code == 0


def test_a_node_that_reboots_comes_back_as_it_was(pair: Lab) -> None:
    """Services, files, kernel settings and VIPs are there again after a reboot, without lbdeploy."""
    pair.on("lb1", "systemctl reboot", check=False)
    wait_for(lambda: held_by(pair, "lb2"), 30)
    wait_for(lambda: held_by(pair, "lb1"), 60)
    assert pair.do("verify", "--wait", "20")["ok"]
    assert pair.do("plan")["changes"] == []
