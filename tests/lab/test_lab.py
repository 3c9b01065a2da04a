"""The lab itself, on real nodes: `up`, the ways to break and repair what runs, and `down`, also after crashes."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LabError
from lbdeploy.events import silent
from lbdeploy.lab import commands as lab
from lbdeploy.lab.host.netns import inside
from lbdeploy.lab.host.paths import Place, place_of
from lbdeploy.lab.host.processes import processes
from lbdeploy.lab.machine.ssh_probe import ssh_answers

pytestmark = [pytest.mark.lab, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

HOSTS = """
[cluster]
name = "labtest"
[networks.front]
interface = "ens33"
vip = ["10.20.0.10/24", "fd20::10/64"]
[networks.back]
interface = "ens32"
vip = "10.21.0.10/24"
[nodes.a]
front = "10.20.0.11"
back = "10.21.0.11"
priority = 200
interfaces = { front = "enp1s0" }
[nodes.b]
front = "10.20.0.12"
back = "10.21.0.12"
host = "b.example.org"
priority = 100
[vrrp]
network = "back"
router_id = 7
[frontends.api]
port = 6443
[frontends.api.servers]
SERVER = "10.21.0.21"
outside = "10.99.0.1:7443"
six = "[fd20::21]:6443"
[frontends.web]
port = 443
[frontends.web.servers]
SERVER = "10.21.0.21"
"""

Shell = Callable[..., str]


def cluster_in(directory: Path, server: str = "one", more: str = "") -> Cluster:
    directory.mkdir(exist_ok=True)
    path = directory / "hosts.toml"
    path.write_text(HOSTS.replace("SERVER", server).replace('six = "', more + 'six = "'))
    return reader.load(path)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A lab that the tests of this module share; each leaves it whole."""
    cluster = cluster_in(tmp_path_factory.mktemp("pair"))
    lab.up(cluster, silent)
    yield cluster
    lab.down(cluster, silent)


@pytest.fixture
def place(pair: Cluster) -> Place:
    return place_of(pair.name, pair.path)


@pytest.fixture
def shell(pair: Cluster, capfd: pytest.CaptureFixture[str]) -> Shell:
    """Runs a shell command in a host of the shared lab; what it prints."""

    def run(where: str, command: str, *, code: int | None = 0) -> str:
        capfd.readouterr()
        answer = lab.exec_(pair, where, [command])
        out, err = capfd.readouterr()
        assert code in (None, answer), f"{command}: {answer}: {out}{err}"
        return out

    return run


def addresses(shell: Shell, node: str) -> dict[str, list[str]]:
    links = json.loads(shell(node, "ip -j address show scope global"))
    found = {
        link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a] for link in links if link
    }
    return {name: each for name, each in found.items() if each}


def soon(condition: Callable[[], bool], limit: float = 20.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def opener(place: Place) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=str(place.dir / "ca.pem"))
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def get(place: Place, url: str) -> tuple[int, str]:
    """Status and body that the lab's client gets."""

    def fetch() -> tuple[int, str]:
        try:
            with opener(place).open(url, timeout=3) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return inside(place.namespace_file("client"), fetch)


def answers(place: Place, address: str) -> bool:
    return ssh_answers(place.namespace_file("operator"), address, 22)


def traces(place: Place) -> list[str]:
    """Whatever is left of a lab on this machine."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    running = [" ".join(process.argv) for process in processes()]
    cgroups = [
        str(path)
        for base in ("systemd", "unified", ".")
        for path in Path("/sys/fs/cgroup", base).glob("lbdeploy-lab/*")
    ]
    everything = [*mounts, *running, *cgroups, *place.namespaces(), *map(str, Path("/run/systemd/nspawn").rglob("*"))]
    return [each for each in everything if place.id in each] + ([str(place.dir)] if place.dir.exists() else [])


def test_a_node_has_the_addresses_and_interfaces_of_the_file(shell: Shell) -> None:
    assert addresses(shell, "a") == {"enp1s0": ["10.20.0.11/24"], "ens32": ["10.21.0.11/24"]}
    assert addresses(shell, "b") == {"ens33": ["10.20.0.12/24"], "ens32": ["10.21.0.12/24"]}


def test_up_again_changes_nothing(pair: Cluster) -> None:
    before = lab.status(pair)
    assert before.state == "up"
    assert lab.up(pair, silent) == before


def test_a_node_is_a_bare_debian(shell: Shell) -> None:
    assert shell("a", "systemctl is-system-running --wait").strip() == "running"
    assert shell("a", "ls /var/lib/apt/lists | grep -v -e lock -e partial", code=1) == ""
    for tool in ("haproxy", "keepalived", "socat"):
        shell("a", f"dpkg -s {tool} >/dev/null 2>&1", code=1)


def test_a_node_can_install_the_packages_without_a_network(shell: Shell) -> None:
    shell("b", "apt-get update 2>&1")
    plan = shell("b", "apt-get install --simulate haproxy keepalived socat")
    assert all(f"Inst {package} " in plan for package in ("haproxy", "keepalived", "socat"))


def test_nothing_has_a_way_out(shell: Shell, place: Place) -> None:
    for where in ("a", "one", "client", "operator"):
        assert "default" not in shell(where, "ip route; ip -6 route")
    links = subprocess.run(["ip", "-o", "address"], capture_output=True, text=True, check=True).stdout
    assert "10.20.0." not in links
    assert "10.21.0." not in links


def test_servers_answer_at_all_their_addresses_and_ports(shell: Shell, place: Place) -> None:
    for where, name in (("10.21.0.21:6443", "one"), ("10.21.0.21:443", "one"), ("10.99.0.1:7443", "outside")):
        assert get(place, f"https://{where}/readyz") == (200, "ok")
        assert json.loads(get(place, f"https://{where}/version")[1])["server"] == name
    assert get(place, "https://[fd20::21]:6443/livez") == (200, "ok")
    code, body = get(place, "http://10.21.0.21:6443/")
    assert (code, body) == (400, "Client sent an HTTP request to an HTTPS server.\n")
    for address in ("10.21.0.21/6443", "10.99.0.1/7443", "fd20::21/6443"):
        shell("a", f"timeout 2 bash -c 'exec 3<>/dev/tcp/{address}'")


def test_a_watch_goes_on_until_the_client_leaves(place: Place) -> None:
    def watch() -> list[str]:
        with opener(place).open("https://10.21.0.21/api?watch=true", timeout=2) as stream:
            return [json.loads(stream.readline())["server"] for _ in range(5)]

    assert inside(place.namespace_file("client"), watch) == ["one"] * 5


LOGIN = """
import subprocess, sys
from pathlib import Path
from lbdeploy.config.reader import load
from lbdeploy.lab import commands as lab
ssh = lab.enter(load(Path(sys.argv[1])))
for host in ("a", "b.example.org", "10.20.0.12"):
    subprocess.run(["ssh", "-F", str(ssh.config_file), host, "hostname; sudo -n id -un"], check=True)
"""


def test_ssh_logs_in_from_the_operators_namespace_by_name_and_by_address(pair: Cluster) -> None:
    done = subprocess.run([sys.executable, "-c", LOGIN, str(pair.path)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["a", "root", "b", "root", "b", "root"], done.stderr


def endpoints(place: Place) -> list[list[object]]:
    """What the lab's cluster names as its API servers, as kubectl would get it."""
    code, body = get(place, "https://10.99.0.1:7443/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
    assert code == 200
    found = [(each["endpoints"], each["ports"][0]["port"]) for each in json.loads(body)["items"]]
    return [[address, port] for several, port in found for one in several for address in one["addresses"]]


def test_the_operators_kubeconfig_is_root_only(pair: Cluster, place: Place) -> None:
    path = Path(str(lab.status(pair).kubeconfig))
    assert path == lab.kubeconfig(pair)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "server: https://10.20.0.10:6443" in path.read_text()
    assert len(json.loads(get(place, "https://10.99.0.1:7443/api/v1/nodes")[1])["items"]) == 3


def test_a_stopped_server_refuses_and_a_draining_one_says_so(pair: Cluster, shell: Shell, place: Place) -> None:
    lab.stop(pair, "one", silent)
    shell("a", "timeout 2 bash -c 'exec 3<>/dev/tcp/10.21.0.21/6443' 2>/dev/null", code=1)
    assert lab.status(pair).state == "partly"
    assert endpoints(place) == [["10.99.0.1", 7443], ["fd20::21", 6443]]
    lab.start(pair, "10.21.0.21", silent)
    assert endpoints(place) == [["10.21.0.21", 6443], ["10.99.0.1", 7443], ["fd20::21", 6443]]
    lab.drain(pair, "one")
    assert get(place, "https://10.21.0.21/readyz")[0] == 500
    assert get(place, "https://10.21.0.21/livez")[0] == 200
    lab.undrain(pair, "one")
    assert get(place, "https://10.21.0.21/readyz")[0] == 200


def test_a_cut_cable_stays_cut_until_it_is_joined(pair: Cluster, shell: Shell, place: Place) -> None:
    lab.cut(pair, "b", "back")
    assert not answers(place, "10.21.0.12")
    soon(lambda: answers(place, "10.20.0.12"))
    assert "NO-CARRIER" in shell("b", "ip link show ens32")
    shell("b", "systemctl reboot")
    soon(lambda: answers(place, "10.20.0.12"))
    assert not answers(place, "10.21.0.12")
    lab.join(pair, "b")
    soon(lambda: answers(place, "10.21.0.12"))


def test_a_deaf_cable_keeps_its_carrier(pair: Cluster, shell: Shell, place: Place) -> None:
    lab.cut(pair, "b", "back", carrier=True)
    assert not answers(place, "10.21.0.12")
    assert "LOWER_UP" in shell("b", "ip link show ens32")
    lab.stop(pair, "b", silent)
    lab.start(pair, "b", silent)
    soon(lambda: answers(place, "10.20.0.12"))
    assert not answers(place, "10.21.0.12")
    lab.join(pair, "b", "back")
    soon(lambda: answers(place, "10.21.0.12"))


def test_a_node_without_power_is_silent_and_comes_back_with_its_disk(pair: Cluster, shell: Shell, place: Place) -> None:
    shell("b", "touch /root/kept; ip address add 10.20.0.10/24 dev ens33; sysctl -qw net.ipv4.ip_nonlocal_bind=1")
    lab.stop(pair, "b", silent)
    shell("a", "ping -c 1 -W 1 10.20.0.10", code=1)
    assert lab.status(pair).nodes[1].state == "off"
    with pytest.raises(LabError, match="b is off"):
        lab.exec_(pair, "b", ["true"])
    lab.start(pair, "b", silent)
    shell("b", "test -e /root/kept")
    assert addresses(shell, "b")["ens33"] == ["10.20.0.12/24"]
    assert shell("b", "sysctl -n net.ipv4.ip_nonlocal_bind").strip() == "0"


def test_a_reboot_keeps_the_addresses_and_only_them(pair: Cluster, shell: Shell, place: Place) -> None:
    before = lab.status(pair).nodes[0].pid
    shell("a", "touch /root/kept; ip address add 10.20.0.10/24 dev enp1s0; systemctl reboot")
    soon(lambda: lab.status(pair).nodes[0].pid not in (None, before) and answers(place, "10.21.0.11"))
    assert addresses(shell, "a") == {"enp1s0": ["10.20.0.11/24"], "ens32": ["10.21.0.11/24"]}
    shell("a", "test -e /root/kept")


def test_a_fresh_node_has_an_empty_disk_and_an_unknown_key(pair: Cluster, shell: Shell, place: Place) -> None:
    known, key = (place.dir / "known_hosts").read_text(), lab.status(pair).nodes[1].host_key
    shell("b", "touch /root/lost")
    lab.fresh(pair, "b", silent)
    shell("b", "test ! -e /root/lost")
    assert lab.status(pair).nodes[1].host_key != key
    assert (place.dir / "known_hosts").read_text() == known


def test_up_mends_what_crashed(pair: Cluster, place: Place) -> None:
    status = lab.status(pair)
    nspawn = next(p.pid for p in processes() if "systemd-nspawn" in p.argv[0] and any(place.id in a for a in p.argv))
    for pid in (nspawn, status.servers[0].pid):
        os.kill(pid or 0, signal.SIGKILL)
    lab.cut(pair, "b")
    assert lab.up(pair, silent).state == "up"


def test_up_follows_the_file_and_leaves_the_rest_alone(pair: Cluster) -> None:
    before = {host.name: host.pid for host in lab.status(pair).hosts}
    changed = cluster_in(pair.path.parent, more='two = "10.21.0.22"\n')
    assert lab.status(changed).state == "changed"
    assert not lab.is_current(changed)
    after = {host.name: host.pid for host in lab.up(changed, silent).hosts}
    assert after.pop("two")
    assert {name: after[name] for name in ("a", "b")} == {name: before[name] for name in ("a", "b")}
    lab.up(cluster_in(pair.path.parent), silent)
    assert not place_of(pair.name, pair.path).namespace_file("two").exists()


def test_up_follows_ports_and_addresses(tmp_path: Path) -> None:
    cluster = cluster_in(tmp_path / "moving")
    place = place_of(cluster.name, cluster.path)
    try:
        lab.up(cluster, silent)
        text = cluster.path.read_text().replace("10.99.0.1:7443", "10.99.0.1:7444").replace("10.21.0.12", "10.21.0.13")
        cluster.path.write_text(text)
        lab.up(reader.load(cluster.path), silent)
        assert get(place, "https://10.99.0.1:7444/readyz") == (200, "ok")
        done = subprocess.run([sys.executable, "-c", LOGIN, str(cluster.path)], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        lab.down(cluster, silent)


def test_labs_do_not_see_each_other(pair: Cluster, place: Place, tmp_path: Path) -> None:
    other = cluster_in(tmp_path / "other", server="uno")
    try:
        lab.up(other, silent)
        for where, name in ((place_of(other.name, other.path), "uno"), (place, "one")):
            assert json.loads(get(where, "https://10.21.0.21/version")[1])["server"] == name
    finally:
        lab.down(other, silent)
    assert traces(place_of(other.name, other.path)) == []
    assert lab.status(pair).state == "up"


UP = """
import sys
from pathlib import Path
from lbdeploy.config.reader import load
from lbdeploy.lab import commands as lab
lab.up(load(Path(sys.argv[1])), print)
"""


@pytest.mark.parametrize("delay", [0.25, 0.35, 0.5])
def test_up_and_down_work_after_up_was_killed(tmp_path: Path, delay: float) -> None:
    cluster = cluster_in(tmp_path / "killed")
    with subprocess.Popen([sys.executable, "-c", UP, str(cluster.path)], stdout=subprocess.PIPE, text=True) as begun:
        time.sleep(delay)
        begun.kill()
    try:
        assert lab.up(cluster, silent).state == "up"
    finally:
        lab.down(cluster, silent)
    assert traces(place_of(cluster.name, cluster.path)) == []


def test_down_removes_what_a_killed_up_left(tmp_path: Path) -> None:
    cluster = cluster_in(tmp_path / "killed")
    with subprocess.Popen([sys.executable, "-c", UP, str(cluster.path)], stdout=subprocess.PIPE, text=True) as begun:
        assert begun.stdout
        begun.stdout.readline()
        begun.kill()
    lab.down(cluster, silent)
    assert traces(place_of(cluster.name, cluster.path)) == []
    lab.down(cluster, silent)


def test_two_ups_at_once_take_turns(tmp_path: Path) -> None:
    cluster = cluster_in(tmp_path / "twice")
    states: list[str] = []
    both = [threading.Thread(target=lambda: states.append(lab.up(cluster, silent).state)) for _ in range(2)]
    try:
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert states == ["up", "up"]
    finally:
        lab.down(cluster, silent)


def test_a_listener_of_the_machine_is_not_reachable_from_inside(place: Place) -> None:
    def connect(port: int) -> None:
        socket.create_connection(("127.0.0.1", port), 0.5).close()

    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(OSError, match="refused"):
        inside(place.namespace_file("operator"), lambda: connect(listener.getsockname()[1]))


def test_a_lab_that_is_not_up_says_how_to_start_it(tmp_path: Path) -> None:
    cluster = cluster_in(tmp_path / "never")
    assert lab.status(cluster).state == "down"
    for attempt in (lambda: lab.exec_(cluster, "a", ["true"]), lambda: lab.stop(cluster, "a", silent)):
        with pytest.raises(LabError, match="not up") as caught:
            attempt()
        assert caught.value.fix == "lbdeploy lab up"
    assert not place_of(cluster.name, cluster.path).dir.exists()
