"""The observing script, run by a real shell here, and read back."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, CAPTURED, SEED, captured, cluster
from clusters import with_options
from goldens import GOOD, SCRIPT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdeploy.common.shell import Raw, cmd
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster, Metrics
from lbdeploy.errors import RemoteError
from lbdeploy.node import health_probes, keepalived_state
from lbdeploy.node.health_probes import greet, internet, local
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.observation import LAST_RUN, NodeProbeScript, Observation, ProbeScript
from lbdeploy.node.parsers import parse_answered, parse_greeted, parse_ip_a
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources import File, Packages, Service, Sysctl
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.package import PackageState
from lbdeploy.planning.desired import desired

# Nothing is asked of this machine's own network: what the node says comes from captured outputs.
HEALTH = {
    "ip a": cmd("cat", CAPTURED / "ip_a/bookworm_lab_master.txt"),
    "show stat": cmd("cat", CAPTURED / "show_stat/bookworm_down.txt"),
    "neighbours": Raw("echo '192.168.0.10 dev ens33 lladdr 02:00:00:00:00:01 REACHABLE'"),
    "vips": Raw("printf '%s\\n' '192.168.0.10 6443 16' '192.168.1.10 6443' 'own k8s-api 16'"),
    "lacks": Raw("echo nonlocal-bind"),
    "hosts": Raw("echo '# hosts.toml'"),
    "handover": Raw("echo 101 1795711.123456789"),
    LAST_RUN: cmd("true"),
    "room": Raw("printf '%s\\n' '   Avail  IFree File' '7168592 458110 /var/lib/dpkg' '123 - /etc/haproxy'"),
}


def probe(of: Cluster, resources: list[Resource[Any]]) -> NodeProbeScript:
    made = NodeProbeScript(of, of.preferred, resources)
    # A probe that is new must be replaced here before any test runs it: it might ask the wire.
    assert set(made.probes) - {resource.id for resource in resources} == {"now", "apt", *HEALTH}
    made.probes |= HEALTH
    return made


def run(script: str, shell: str = "sh") -> str:
    """What the script prints, fed to a shell as on a node, decoded as from a node."""
    done = subprocess.run([shell, "-s"], check=True, capture_output=True, input=script.encode())
    assert done.stderr == b""
    return done.stdout.decode(errors="surrogateescape")


def test_one_script_observes_everything(seed: Cluster, tmp_path: Path) -> None:
    """Every resource's state, the links, the servers and the VIPs' answers come out of one run of one script."""
    (tmp_path / "file").write_text("a\nb")
    file, missing = File(str(tmp_path / "file"), ""), File(str(tmp_path / "none"), "")
    kernel = Sysctl("kernel.ostype", "Linux")
    seen = probe(seed, [file, missing, kernel])
    found = seen.read(run(seen.script()))
    assert found.node is seed.preferred
    assert (found.states[file.id].kind, found.states[file.id].content) == ("file", "a\nb")
    assert found.states[missing.id].kind == "missing"
    assert found.states[kernel.id] == "Linux"
    assert found.now == pytest.approx(float(subprocess.check_output(["date", "+%s"])), abs=5)
    assert found.holds(ip_address("192.168.0.10")) == ["ens33"]
    assert [(str(each.ip), each.mac) for each in found.neighbours] == [("192.168.0.10", "02:00:00:00:00:01")]
    assert [server.server for server in found.servers if server.up] == ["master1"]
    assert found.haproxy_answers
    assert found.lacks == {"nonlocal-bind"}
    assert [each.ok for each in found.answered] == [True, False]
    assert (found.priority_offset, found.offset_since, found.priority) == (101, 1795711.123456789, 254)
    assert found.own == {"k8s-api": True}
    assert [(room.folder, room.kib) for room in found.room] == [("/var/lib/dpkg", 7168592), ("/etc/haproxy", 123)]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_is_asked_once_is_what_each_probe_would_have_asked(seed: Cluster, tmp_path: Path, shell: str) -> None:
    """systemctl is started once for all units, and stat for all files; a file that comes later is still found."""
    for name in ("a", "a file 644 x:y 1", "link"):
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / "late").symlink_to("a")
    asked = tmp_path / "asked"
    tell = (
        'for each; do case $each in *.service) printf "LoadState=%s\\nActiveState=active\\n\\n" "$each" ;; esac; done'
    )
    fakes = f'systemctl() {{ echo "$#" >> {asked}; {tell}; }}\nstat() {{ echo stat >> {asked}; command stat "$@"; }}\n'
    files = [File(str(tmp_path / name), "") for name in ("none", "a", "link", "late")]
    daemons = [Service("haproxy", (files[1].path, files[0].path)), Service("keepalived")]
    seen = ProbeScript(seed.preferred, [*files, *daemons], {})
    answers = seen.answers(run(fakes + seen.script(), shell))
    states = {each.id: each.read(answers[each.id]) for each in seen.resources}
    assert [states[each.id].kind for each in files] == ["missing", "file", "file", "link"]
    assert [states[each.id].content for each in files] == ["", "a\n", "link\n", "a\n"]
    assert [states[each.id].load for each in daemons] == ["haproxy.service", "keepalived.service"]
    assert states["service haproxy"].newest == states[files[1].id].changed > 0
    assert asked.read_text().split() == ["6", "stat", "stat"]  # again only for what was not there


def test_what_the_probes_print_is_sent_in_few_pieces(seed: Cluster) -> None:
    """Each write of the script would be a packet of its own."""
    made = ProbeScript(seed.preferred, [], {str(number): Raw("echo 'a\\b'; echo") for number in range(50)})
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # a message for each write
    with here:
        with there:
            subprocess.run(["sh", "-s"], check=True, input=made.script().encode(), stdout=there)
        pieces = [*iter(lambda: here.recv(65536), b"")]
    assert len(pieces) == 1 + sum(map(len, pieces)) // 4096
    assert made.answers(b"".join(pieces).decode())["49"].output == run("echo 'a\\b'; echo")


def test_a_unit_that_systemctl_said_nothing_of_is_asked_about_again(seed: Cluster) -> None:
    """It may have been killed after the first one."""
    told = 'case $# in 5) printf "ActiveState=active\\n" ;; *) printf "ActiveState=inactive\\n\\n" ;; esac'
    seen = ProbeScript(seed.preferred, [Service("haproxy"), Service("keepalived")], {})
    answers = seen.answers(run(f"systemctl() {{ {told}; }}\n{seen.script()}"))
    assert [each.read(answers[each.id]).active for each in seen.resources] == ["inactive", "active"]


def test_a_silent_haproxy_is_noticed(seed: Cluster) -> None:
    """Without an answer on its socket, haproxy does not answer, and there are no servers to tell of."""
    seen = probe(seed, [])
    seen.probes["show stat"] = Raw("false")
    found = seen.read(run(seen.script()))
    assert (found.haproxy_answers, found.servers) == (False, ())


@pytest.mark.parametrize("there", [True, False])
def test_a_node_without_apt_is_noticed(seed: Cluster, there: bool) -> None:
    """Whether there is an apt-get is known by the status of looking for it."""
    seen = probe(seed, [])
    seen.probes["apt"] = Raw("true" if there else "false")
    assert seen.read(run(seen.script())).apt is there


def test_a_probe_can_not_disturb_the_others(seed: Cluster) -> None:
    """A probe that fails, exits, prints errors or reads its input leaves the following ones alone."""
    seen = probe(seed, [Sysctl("kernel.ostype", "Linux")])
    # Long enough that a shell that reads its script from a pipe has not read all of it when the first probe runs.
    bad, long = Raw("cat; echo oops >&2; cd /; exec 1>&-; exit 7"), Raw(f": {100_000 * 'x'}")
    seen.probes = {"bad": bad, "long": long, **seen.probes}
    marks = seen.read(run(seen.script())).marks
    assert (marks["bad"].output, marks["bad"].status) == ("", 7)
    assert marks["sysctl kernel.ostype"].output == "Linux\n"


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_whole_script_is_valid_shell(seed: Cluster, shell: str) -> None:
    """The script for a node's own resources is accepted by the shells that may read it."""
    script = NodeProbeScript(seed, seed.preferred, desired(seed, seed.preferred)).script()
    done = subprocess.run([shell, "-n"], check=False, capture_output=True, input=script.encode())
    assert (done.returncode, done.stderr) == (0, b"")


@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from(["begin 0", " end 0", "NONCE", "\n", "x"])).map(lambda x: "".join(x).encode())
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_come_back_as_they_are(seed: Cluster, tmp_path: Path, content: bytes) -> None:
    """Any content makes the round trip unharmed, among all the others, and changes nothing about them."""
    (tmp_path / "first").write_bytes(content)
    (tmp_path / "second").write_text("second")
    first, second = File(str(tmp_path / "first"), ""), File(str(tmp_path / "second"), "")
    seen = probe(seed, [first, second])
    found = seen.read(run(seen.script()))
    assert found.states[first.id].content.encode(errors="surrogateescape") == content
    assert found.states[second.id].content == "second"


def test_content_that_imitates_the_marks_fools_nobody(seed: Cluster, tmp_path: Path) -> None:
    """A file that holds what an earlier observation printed, marks included, is read as a file."""
    path = tmp_path / "file"
    path.write_text("harmless")
    file, kernel = File(str(path), ""), Sysctl("kernel.ostype", "Linux")
    before = probe(seed, [file, kernel])
    path.write_text(run(before.script()).replace("Linux", "Plan 9"))
    seen = probe(seed, [file, kernel])
    found = seen.read(run(seen.script()))
    assert found.states[file.id].content == path.read_text()
    assert found.states[kernel.id] == "Linux"


def test_what_is_said_before_the_script_is_passed_over(seed: Cluster) -> None:
    """A lecture of sudo's or a banner does not disturb the reading."""
    seen = probe(seed, [])
    assert seen.read("We trust you have received the usual lecture\n" + run(seen.script())).haproxy_answers


@pytest.mark.parametrize("cut", [0, 1, 50, -1, -30])
def test_an_observation_that_is_not_whole_is_refused(seed: Cluster, cut: int) -> None:
    """Where the connection ended early, nothing is concluded from what did arrive."""
    seen = probe(seed, [Sysctl("kernel.ostype", "Linux")])
    with pytest.raises(RemoteError) as caught:
        seen.read(run(seen.script())[:cut].rstrip("\n0"))
    assert caught.value.node == "lb1"


def test_packages_and_services_are_read_from_their_answers(seed: Cluster) -> None:
    """The answers of dpkg and systemd reach the resources that asked."""
    packages, service = Packages(("haproxy",)), Service("haproxy")
    seen = probe(seed, [packages, service])
    seen.probes[packages.id] = cmd("cat", CAPTURED / "dpkg_query/bookworm_removed.txt")
    seen.probes[service.id] = cmd("cat", CAPTURED / "systemctl_show/bookworm_stopped.txt")
    found = seen.read(run(seen.script()))
    assert isinstance(found.states[packages.id], PackageState)
    assert "haproxy" not in found.states[packages.id].versions
    assert found.states[service.id].active == "inactive"


def test_an_address_may_be_on_several_interfaces(seed: Cluster) -> None:
    """Every interface that has an address is told, whatever the prefix length there."""
    text = captured("ip_a/seed_master")
    observation = Observation(seed.preferred, 0.0, {}, links=parse_ip_a(text))
    assert observation.holds(ip_interface("192.168.0.10/32").ip) == ["ens33"]
    doubled = parse_ip_a(text + "4: x: <UP,LOWER_UP>\n    inet 192.168.0.10/32 scope global x\n")
    assert replace(observation, links=doubled).holds(ip_address("192.168.0.10")) == ["ens33", "x"]
    assert observation.holds(ip_address("192.168.0.1")) == []


def test_every_frontend_is_asked_on_every_vip(tmp_path: Path) -> None:
    """The asking script names each pair of VIP and port, and asks nothing where keepalived does not run."""
    found = cluster(tmp_path, BIG)
    script = NodeProbeScript(found, found.preferred, []).probes["vips"]
    own = [(f"own {name}", "1", f"/run/haproxy/{name}.sock".encode().hex()) for name in ("api", "ingress")]
    assert greeted(script)[-2:] == own
    vips = ("203.0.113.10", "2001:db8:17::10", "fd00:1::10")
    assert asked(script) == [f"{vip} {port}" for vip in vips for port in (6443, 443)]
    if not Path("/run/keepalived.pid").exists() and not Path("/run/keepalived/keepalived.pid").exists():
        assert run(script) == ""


@pytest.mark.parametrize(
    ("answer", "ok"), [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 403 Forbidden\r\n\r\n", False), (b"", False)]
)
def test_the_probe_asks_for_metrics(rich: Cluster, answer: bytes, ok: bool) -> None:
    """What it prints is read as whether they came; the script asks for the metrics of the node's own haproxy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answering, args=(listener, answer), daemon=True).start()
        metrics = Metrics("management", listener.getsockname()[1])
        node = replace(rich.preferred, addresses={**rich.preferred.addresses, "management": ip_address("127.0.0.1")})
        probe = NodeProbeScript(replace(rich, metrics=metrics), node, [])
        probe.probes = {key: each if key == "metrics" else Raw(":") for key, each in probe.probes.items()}
        text = subprocess.run(["sh", "-s"], check=True, capture_output=True, input=probe.script().encode()).stdout
    assert probe.read(text.decode()).metrics == (f"127.0.0.1 port {metrics.port}", ok)
    assert "metrics" not in NodeProbeScript(replace(rich, metrics=None), node, []).probes


def asked(script: Raw) -> list[str]:
    """The addresses and ports that a probe asks, in order."""
    return [text for text, _, _ in greeted(script) if not text.startswith("own ")]


def greeted(script: Raw) -> list[tuple[str, str, str]]:
    """What a probe greets: what is printed of it, its address family, and its address, in hexadecimal."""
    _, _, command = script.partition("|| exit 0\n")
    words = shlex.split(command)[5:]
    return [*zip(words[::3], words[1::3], words[2::3], strict=True)]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_each_address_gets_its_own_answer_in_time(shell: str) -> None:
    """They are asked at once, by one program: one that says nothing, or is not there, takes nobody else's answer."""
    with socket.create_server(("127.0.0.1", 0)) as talks, socket.create_server(("127.0.0.1", 0)) as silent:
        ports = [talks.getsockname()[1], silent.getsockname()[1]]
        with socket.create_server(("127.0.0.1", 0)) as gone:
            ports.append(gone.getsockname()[1])
        threading.Thread(target=answering, args=(talks, b"\x16\x03"), daemon=True).start()
        here = ip_address("127.0.0.1")
        began = time.monotonic()
        told = run(greet((f"{here} {port}", *internet(here, port)) for port in (ports[2], ports[1], ports[0])), shell)
    assert time.monotonic() - began < 10
    assert [(each.port, each.first_byte) for each in parse_answered(told)] == [
        (ports[2], ""), (ports[1], ""), (ports[0], "16")
    ]  # fmt: skip


def test_a_local_socket_that_is_not_there_is_not_told_of(tmp_path: Path) -> None:
    """Its haproxy.cfg has none: that is no failure. One that nobody listens at any more gives no answer."""
    with socket.socket(socket.AF_UNIX) as talks, socket.socket(socket.AF_UNIX) as left:
        for name, each in (("talks", talks), ("left", left)):
            each.bind(str(tmp_path / name))
        talks.listen()
        threading.Thread(target=answering, args=(talks, b"\x16\x03"), daemon=True).start()
        told = run(greet((f"own {name}", *local(str(tmp_path / name))) for name in ("none", "left", "talks")))
    assert parse_greeted(told) == {"left": False, "talks": True}


def test_ipv6_is_greeted_too() -> None:
    """Where this machine has it."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    here = ip_address("::1")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as talks:
        threading.Thread(target=answering, args=(talks, b"\x16\x03"), daemon=True).start()
        port = talks.getsockname()[1]
        told = run(greet([(f"{here} {port}", *internet(here, port))]))
    assert [(each.port, each.first_byte) for each in parse_answered(told)] == [(port, "16")]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_no_probe_takes_another_ones_process_for_keepalived(shell: str) -> None:
    """What a service's probe finds stays in the shell that all probes run in."""
    told = f"units='' files='' settings=''\n{remote_text('observe.sh')}shown='MainPID={os.getpid()}'\nunits=x.service\n"
    for before in ("pid=$$", "process=$$", f"{told}service x > /dev/null"):
        assert run(f"{before}\n(\n{keepalived_state.PROBE}\n) || echo none", shell) == "none\n"


@pytest.mark.parametrize("answer", [b"# pxname,svname\nk8s-api,FRONTEND\n", b"", None])
def test_haproxys_socket_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None) -> None:
    """What it says is printed, however long it is; nothing of one that hangs, or that is not there."""
    monkeypatch.setattr(health_probes, "HAPROXY_SOCKET", path := str(tmp_path / "admin.sock"))
    script = f"{health_probes.show_stat()} || true"
    assert run(script) == ""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        if answer is not None:
            threading.Thread(target=answering, args=(listener, answer * 10_000), daemon=True).start()
        assert run(f"exec 2> /dev/null\n{script}") == (answer or b"").decode() * 10_000


@pytest.mark.parametrize(("mode", "sent"), [("644", False), ("755", False), ("600", True), ("640", True)])
def test_what_is_as_it_should_be_is_not_sent(seed: Cluster, tmp_path: Path, mode: str, sent: bool) -> None:
    """Its digest is compared; but of what not all may read, which may hold a password, no digest is told."""
    path = tmp_path / "file"
    path.write_bytes(content := b"a\xff\n" * 1000)
    file = File(str(path), content.decode(errors="surrogateescape"), mode)
    seen = ProbeScript(seed.preferred, [file], {})
    told = run(seen.script())
    assert ("a\udcff" in told) is sent
    assert (sha256(content).hexdigest() in seen.script()) is not sent
    state = seen.states(seen.answers(told))[file.id]
    assert (state.kind, state.content) == ("file", file.content)
    path.write_text("same\n")
    state = seen.states(seen.answers(run(seen.script())))[file.id]
    assert state.content == "same\n"


def test_what_is_no_file_is_not_waited_for(seed: Cluster, tmp_path: Path) -> None:
    """A pipe in a file's place: whoever reads it waits for somebody to write."""
    os.mkfifo(tmp_path / "pipe")
    seen = ProbeScript(seed.preferred, [file := File(str(tmp_path / "pipe"), "")], {})
    assert seen.states(seen.answers(run(seen.script())))[file.id].kind == "other"


def answering(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(1024)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1024):  # closed with something unread, the answer would be lost
            pass


def test_frontends_are_asked_where_they_listen(rich: Cluster) -> None:
    """A frontend of one network is not asked on the VIPs of another."""
    assert asked(NodeProbeScript(rich, rich.preferred, []).probes["vips"]) == [
        "192.168.0.10 6443", "192.168.0.10 443", "192.168.0.10 22623",
        "192.168.1.10 6443", "192.168.1.10 443", "192.168.1.10 22623",
    ]  # fmt: skip
    alone = replace(rich, frontends=rich.frontends[1:2])
    assert asked(NodeProbeScript(alone, rich.preferred, []).probes["vips"]) == ["192.168.0.10 443"]
    assert alone.targets == ((ip_address("192.168.0.10"), 443),)


def test_what_keepalived_reports_counts_for_priorities_only_where_more_than_haproxy_is_tracked(tmp_path: Path) -> None:
    """It is also asked where a script is told of its state; configured priorities are what counts there."""
    (tmp_path / "claim").write_text(SCRIPT)
    of = cluster(tmp_path, GOOD.replace("[vrrp]\n", '[vrrp]\nnotify_master = "claim"\n'))
    script = NodeProbeScript(of, of.preferred, [])
    asked = dict.fromkeys(script.probes, Raw("true"))
    script.probes = asked | HEALTH | {"now": Raw("date +%s"), "vrrp": Raw("echo MASTER")}
    seen = script.read(run(script.script()))
    assert (seen.reported.state, seen.keepalived) == ("MASTER", KeepalivedState())


def test_keepalived_is_only_asked_where_more_than_haproxy_is_tracked(tmp_path: Path) -> None:
    """Whoever does not use it does not pay for it."""
    assert "vrrp" not in NodeProbeScript(reader.load(SEED), reader.load(SEED).preferred, []).probes
    of = with_options(tmp_path)
    assert "vrrp" in NodeProbeScript(of, of.preferred, []).probes
