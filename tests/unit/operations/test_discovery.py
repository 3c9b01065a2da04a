"""`lbdeploy init`: from flags it asks nothing, on a terminal it asks until the answers are right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pexpect
import pytest
from builders import captured
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.init_flags import Flags
from lbdeploy.cli.commands.init_questions import Interview, Put
from lbdeploy.config import draft, json_schema, reader, writer
from lbdeploy.errors import ConnectError
from lbdeploy.operations import discovery

pytestmark = pytest.mark.terminal

BIN = Path(sys.executable).parent
NETWORKS = ("--network", "external=ens33", "--network", "management=ens32")
NODES = ("--node", "lb1=192.168.0.11,192.168.1.11", "--node", "lb2=192.168.0.12,192.168.1.12")
VIPS = ("--vip", "external=192.168.0.10/24", "--vip", "management=192.168.1.10/24")
SERVERS = ("--server", "master1=192.168.1.21", "--server", "master2=192.168.1.22:7443")
FLAGS = (*NETWORKS, *NODES, *VIPS, *SERVERS)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs lbdeploy in an empty folder, without a terminal."""

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LBDEPLOY_FILE": ""}
        argv = [str(BIN / "lbdeploy"), *args]
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL
        )
        assert "Traceback" not in done.stderr
        return done

    return call


def test_flags_make_a_file_that_check_accepts(run: Run, tmp_path: Path) -> None:
    """The file has what the flags say, and comments; lbdeploy and taplo find nothing wrong with it."""
    done = run("init", *FLAGS, "--name", "prod", "--user", "ops", "--router-id", "7")
    assert (done.returncode, done.stderr) == (0, "")
    cluster = reader.load(tmp_path / "hosts.toml")
    assert (cluster.name, cluster.ssh.user, cluster.vrrp.router_id, cluster.vrrp.network) == (
        "prod", "ops", 7, "management",
    )  # fmt: skip
    assert [(node.name, node.priority, node.host) for node in cluster.nodes] == [
        ("lb1", 200, "192.168.1.11"),
        ("lb2", 100, "192.168.1.12"),
    ]
    assert [str(vip.address) for vip in cluster.vips] == ["192.168.0.10/24", "192.168.1.10/24"]
    assert [(each.name, each.port) for _, each in cluster.servers()] == [("master1", 6443), ("master2", 7443)]
    assert "# the highest is the preferred MASTER" in (tmp_path / "hosts.toml").read_text()
    assert run("check").returncode == 0
    assert subprocess.run([BIN / "taplo", "lint", "hosts.toml"], cwd=tmp_path, check=False).returncode == 0


def test_taplo_checks_the_file_by_the_schema_that_its_first_line_names(run: Run, tmp_path: Path) -> None:
    """A mistake that is made later is one that an editor shows."""
    run("init", *FLAGS)
    path = tmp_path / "hosts.toml"
    assert path.read_text().startswith(f"#:schema {json_schema.FILE_NAME}\n")
    path.write_text(path.read_text().replace("router_id = 101", "router_id = 1010"))
    done = subprocess.run([BIN / "taplo", "lint", path.name], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "1010 is greater than the maximum of 255" in done.stderr


def test_several_vips_nodes_and_families(run: Run, tmp_path: Path) -> None:
    """A network may have several VIPs, of both families; priorities fall from node to node."""
    nodes = [f"--node=lb{n}=192.0.2.1{n}" for n in range(1, 5)]
    vips = ("--vip", "net=192.0.2.10/24", "--vip", "net=2001:db8::10/64")
    assert run("init", "--network", "net=bond0.17", *nodes, *vips, "--server", "2001:db8::21").returncode == 0
    cluster = reader.load(tmp_path / "hosts.toml")
    assert [node.priority for node in cluster.nodes] == [200, 167, 134, 100]
    assert [str(vip.ip) for vip in cluster.vips] == ["192.0.2.10", "2001:db8::10"]
    assert [each.name for _, each in cluster.servers()] == ["master1"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((*NETWORKS, *NODES, *VIPS), "frontends.k8s-api.servers: is empty"),
        ((*NETWORKS, *VIPS, *SERVERS), "nodes: is missing"),
        ((*NETWORKS, *NODES[:2], *VIPS, *SERVERS), "nodes: at least two nodes are needed; add a second"),
        ((*NETWORKS, *NODES, *SERVERS), 'no network has a VIP; add vip = "ADDRESS/PREFIX"'),
        ((*NODES, *VIPS, *SERVERS), "the nodes' addresses are on no network"),
        ((*FLAGS, "--network", "external=ens34"), "external is named twice"),
        ((*FLAGS, "--node", "lb1=192.168.0.13,192.168.1.13"), "lb1 is named twice"),
        ((*FLAGS, "--vip", "extern=192.168.0.9/24"), "there is no network extern"),
        ((*FLAGS, "--node", "lb3=192.168.0.13"), "lb3 needs one address for each network"),
        ((*FLAGS, "--node", "lb3"), "lb3 is not NAME=VALUE"),
        ((*FLAGS, "--server", "master1=192.168.1.29"), "master1 is named twice"),
        ((*FLAGS, "--server", "master3=master3.example.org"), "names are not resolved"),
        ((*FLAGS, "--vrrp", "managment"), "did you mean management?"),
        ((*FLAGS, "--name", "not plain"), "is not a plain name"),
        ((*NETWORKS, *NODES, "--vip", "external=192.168.0.10", *SERVERS), "has no prefix length"),
    ],
)
def test_bad_flags_write_nothing(run: Run, tmp_path: Path, flags: tuple[str, ...], told: str) -> None:
    """What is wrong is told with what would be right: exit 2, no file."""
    done = run("init", *flags)
    assert done.returncode == 2
    assert told in done.stderr + " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_every_problem_of_the_flags_is_told_at_once(run: Run) -> None:
    """Nobody has to correct flags one by one."""
    error = run("init", *NETWORKS, *NODES, "--vip", "external=192.168.0.10", "--server", "m1=m1").stderr
    assert "networks.external.vip:" in error
    assert "frontends.k8s-api.servers.m1:" in error


def test_a_file_that_is_there_is_left_alone(run: Run, tmp_path: Path) -> None:
    """Only --force overwrites, and a schema that is there stays as it is."""
    path = tmp_path / "hosts.toml"
    path.write_text("mine")
    (tmp_path / json_schema.FILE_NAME).write_text("mine, too")
    done = run("init", *FLAGS)
    assert (done.returncode, path.read_text()) == (2, "mine")
    assert "next: run the same command with --force, which overwrites hosts.toml; or with --output FILE" in done.stderr
    assert run("init", *FLAGS, "--force").returncode == 0
    assert reader.load(path).name == "k8s-api"
    assert (tmp_path / json_schema.FILE_NAME).read_text() == "mine, too"
    assert run("init", *FLAGS, "--output", "other.toml").returncode == 0
    assert {each.name for each in tmp_path.iterdir()} == {"hosts.toml", "other.toml", json_schema.FILE_NAME}
    assert "with --force, which overwrites other.toml" in run("init", *FLAGS, "--output", "other.toml").stderr


def test_a_link_is_followed_when_it_is_overwritten(run: Run, tmp_path: Path) -> None:
    """A file that is kept elsewhere stays there; a link that leads nowhere is not overwritten by chance."""
    link, kept = tmp_path / "hosts.toml", tmp_path / "kept.toml"
    link.symlink_to(kept)
    assert run("init", *FLAGS).returncode == 2
    assert run("init", *FLAGS, "--force").returncode == 0
    assert link.is_symlink()
    assert reader.load(kept).name == "k8s-api"


def test_a_file_that_can_not_be_written_is_an_error(run: Run, tmp_path: Path) -> None:
    """A folder that is not there: what happened, and exit 2."""
    done = run("init", *FLAGS, "--output", "nowhere/hosts.toml")
    assert (done.returncode, "can't be written" in done.stderr, list(tmp_path.iterdir())) == (2, True, [])


def test_the_file_option_and_json_are_honoured(run: Run, tmp_path: Path) -> None:
    """-f names the file to write, and --json prints one document that names it, too."""
    done = run("-f", "prod.toml", "--json", "init", *FLAGS)
    document = json.loads(done.stdout)
    assert (document["ok"], document["path"]) == (True, str(tmp_path / "prod.toml"))
    assert "lbdeploy -f prod.toml check" in done.stderr


def test_without_a_terminal_it_does_not_ask(run: Run, tmp_path: Path) -> None:
    """No flags and no terminal: it says which flags, instead of waiting."""
    done = run("init")
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert "--network, --node, --vip and --server" in done.stderr


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    """`lbdeploy init` on a terminal, in an empty folder; the nodes of the answers are this machine, and refuse it."""
    empty = tmp_path / "home"
    empty.mkdir()
    env = {**os.environ, "LBDEPLOY_FILE": "", "HOME": str(empty), "TERM": "dumb", "NO_COLOR": "1"}
    process = pexpect.spawn(
        str(BIN / "lbdeploy"), ["init"], encoding="utf-8", cwd=str(tmp_path), env=env, timeout=20, dimensions=(24, 200)
    )
    yield process
    process.close(force=True)


def answer(process: pexpect.spawn[str], question: str, text: str, complaint: str = "") -> None:
    """Wait for the question, answer it, and see what is said about the answer."""
    process.expect(question + "[^\n]*: $")
    process.sendline(text)
    if complaint:
        process.expect_exact(complaint)
        process.expect_exact("right: ")


def test_questions_are_asked_until_the_answers_are_right(terminal: pexpect.spawn[str], tmp_path: Path) -> None:
    """Each bad answer is told what would be right, and asked again; the file is then a good one."""
    answer(terminal, "Name of the cluster", "two words", "'two words' is not a plain name")
    answer(terminal, "Name of the cluster", "")
    answer(terminal, "Login", "9ops", "'9ops' is not a login name")
    answer(terminal, "Login", "")
    answer(terminal, "Nodes", "127.0.0.11", "two different nodes are needed")
    answer(terminal, "Nodes", "a=127.0.0.11 a=127.0.0.12", "a is named twice")
    answer(terminal, "Nodes", "127.0.0.11, lb-2=127.0.0.12")
    terminal.expect("lb-2: 127.0.0.12 can't be reached|lb-2: the key")
    answer(terminal, "Look again", "")
    answer(terminal, "Networks", "external", "external is not NAME=VALUE")
    answer(terminal, "Networks", "external=en*", "'en*' is not an interface name")
    answer(terminal, "Networks", "external=ens33 management=ens32")
    answer(terminal, "Addresses of lb1", "192.168.0.11", "lb1 needs one address for each network")
    answer(terminal, "Addresses of lb1", "192.168.0.11 127.0.0.11")
    answer(terminal, "Addresses of lb-2", "192.168.0.11 127.0.0.12", "192.168.0.11 is already the address of node lb1")
    answer(terminal, "Addresses of lb-2", "192.168.0.12 127.0.0.12")
    answer(terminal, "VIP on external", "192.168.0.10", "'192.168.0.10' has no prefix length")
    answer(terminal, "VIP on external", "192.168.2.10/24", "is not in 192.168.2.0/24, the network of its VIP")
    answer(terminal, "VIP on external", "")
    answer(terminal, "VIP on management", "", "no network has a VIP yet")
    answer(terminal, "VIP on management", "127.0.0.10/24", "can't be a VIP")
    answer(terminal, "VIP on management", "127.0.0.10/24 x/24", "is not a VIP")
    terminal.sendintr()
    terminal.expect_exact("nothing was changed")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert [each.name for each in tmp_path.iterdir()] == ["home"]


def test_answers_make_a_file(terminal: pexpect.spawn[str], tmp_path: Path) -> None:
    """From the first question to a file that check accepts."""
    answer(terminal, "Name", "")
    answer(terminal, "Login", "ops")
    answer(terminal, "Nodes", "lb1=127.0.0.11 lb2=127.0.0.12")
    answer(terminal, "Look again", "n")
    answer(terminal, "Networks", "lan=ens33")
    answer(terminal, "Addresses of lb1", "192.168.0.11")
    answer(terminal, "Addresses of lb2", "192.168.0.12")
    answer(terminal, "VIP on lan", "192.168.0.10/24")
    answer(terminal, "Virtual router ID", "x", "x is not a number")
    answer(terminal, "Virtual router ID", "256", "256 is too large")
    answer(terminal, "Virtual router ID", "")
    answer(terminal, "API servers", "192.168.0.10", "is a VIP: connections would go in circles")
    answer(terminal, "API servers", "192.168.0.21 m2=192.168.0.22:7443")
    terminal.expect_exact("Next: lbdeploy check")
    terminal.expect(pexpect.EOF)
    cluster = reader.load(tmp_path / "hosts.toml")
    assert [node.host for node in cluster.nodes] == ["127.0.0.11", "127.0.0.12"]
    assert [(each.name, each.port) for _, each in cluster.servers()] == [("master1", 6443), ("m2", 7443)]
    assert (cluster.vrrp.router_id, cluster.ssh.user) == (101, "ops")


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?", fullmatch=True)


@given(NAMES, NAMES, NAMES)
def test_whatever_the_names_are_the_file_has_them(network: str, node: str, server: str) -> None:
    """Names that are no bare keys of TOML are quoted; what is written is read back."""
    made: draft.Draft = {"cluster": {"name": node}, "networks": {network: {"interface": "ens33", "vip": "10.0.0.1/8"}}}
    made |= {"nodes": {node: {network: "10.0.0.2", "priority": 200, "interfaces": {network: "ens34"}}}}
    draft.set_vrrp(made, network, 1)
    draft.set_servers(made, 6443, {server: "10.0.0.3"})
    import tomllib

    assert tomllib.loads(writer.text(made)) == made


def seen(text: str, configured: str = "", heard: str = "") -> discovery.DiscoveredHost:
    return discovery.read(f"{text}\n{discovery.CONFIGURED}\n{configured}\n{discovery.HEARD}\n{heard}\n")


def test_networks_are_proposed_that_all_nodes_are_on() -> None:
    """Subnets on which each node has an address of its own, VIPs and container bridges left aside."""
    master, backup = seen(captured("ip_a/seed_master")), seen(captured("ip_a/seed_backup"))
    found = discovery.shared({"lb1": master, "lb2": backup})
    assert [each.interface for each in found] == ["ens32", "ens33"]
    assert {name: str(address) for name, (_, address) in found[0].members.items()} == {
        "lb1": "192.168.1.11/24",
        "lb2": "192.168.1.12/24",
    }
    assert found[0].is_at({"lb1": "192.168.1.11", "lb2": "lb2.example.org"})
    bridge = "3: docker0: <UP,LOWER_UP> mtu 1500\n    inet 172.17.0.1/16 scope global docker0\n"
    assert discovery.shared({"a": seen(bridge), "b": seen(bridge)}) == []


def test_interfaces_may_have_other_names_on_other_nodes() -> None:
    """What most nodes call it is the network's interface."""
    text = (
        "2: {}: <UP,LOWER_UP> mtu 1500\n    inet 10.0.0.{}/24 scope global x\n    inet6 2001:db8::{}/64 scope global\n"
    )
    found = discovery.shared({str(n): seen(text.format(name, n, n)) for n, name in enumerate(("a", "b", "b"), 1)})
    assert [(each.interface, each.members["1"][0]) for each in found] == [("b", "a")]
    assert found[0].like.version == 4


def test_router_ids_are_known_with_where_they_were_met() -> None:
    """From keepalived.conf and from the wire."""
    one = seen(
        "",
        "    virtual_router_id 101\n# virtual_router_id 9",
        "51 192.168.1.5 eth0\n52 fe80::1 eth0\nthrough 51 192.168.1.5\n999 x y\nnonsense",
    )
    assert one.heard == {(51, ip_address("192.168.1.5")), (52, ip_address("fe80::1"))}
    used = discovery.router_ids({"lb1": one, "lb2": seen("")})
    assert set(used) == {51, 52, 101}
    assert (used[101], used[51]) == ("in the keepalived.conf of lb1", "heard from 192.168.1.5")


@given(st.text())
def test_a_host_may_say_anything(text: str) -> None:
    """What can't be read is passed over."""
    found = seen(text, text, text)
    discovery.shared({"a": found, "b": found})
    assert all(0 <= each < 1000 for each in discovery.router_ids({"a": found}))


def test_the_script_is_one_that_a_shell_can_read() -> None:
    """POSIX sh, with the listener for perl in it; nothing is run here."""
    assert subprocess.run(["sh", "-n"], input=discovery.script(), text=True, check=False).returncode == 0
    listener = re.escape("perl -e ")
    assert re.search(listener, discovery.script())


BRIEF = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536
    inet 127.0.0.1/8 scope host lo
2: ens33: <BROADCAST,UP,LOWER_UP> mtu 1500
    inet 192.168.0.11/24 scope global ens33
3: ens32: <BROADCAST,UP,LOWER_UP> mtu 1500
    inet 192.168.1.11/24 scope global ens32
"""


class Asker(Interview):
    """Answers the proposal, or what the test says, to each question; keeps what was proposed."""

    def __init__(self, answers: dict[str, str], **flags: object) -> None:
        defaults = {"name": "prod", "user": None, "router_id": None, "port": 6443, "vrrp": None}
        given = dict.fromkeys(("network", "node", "vip", "server"), ()) | defaults | flags
        super().__init__(App(), Flags(**given))  # type: ignore[arg-type]
        self.answers = answers
        self.proposed: dict[str, str | None] = {}

    def _ask(self, question: str, put: Put, default: str | None = None) -> None:
        self.proposed[question] = default
        put(self.made, next((text for words, text in self.answers.items() if words in question), default or ""))


@pytest.fixture
def one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two nodes, one answers."""
    found = {"lb1": seen(BRIEF), "lb2": ConnectError("can't be reached", node="lb2")}
    monkeypatch.setattr("lbdeploy.cli.commands.init_questions.discover", lambda *_: found)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)


ANSWERS = {"Nodes": "lb1=192.168.1.11 lb2=192.168.1.12", "of lb2": "192.168.0.12 192.168.1.12",
           "VIP on external": "192.168.0.10", "servers": "192.168.1.21"}  # fmt: skip


@pytest.mark.usefixtures("one_of_two")
def test_a_node_that_can_not_be_reached_leaves_the_proposals_of_the_other() -> None:
    """Its own addresses are asked for; networks and prefix lengths are the other's."""
    asker = Asker(ANSWERS)
    made = asker.draft()
    assert asker.proposed["Networks: NAME=INTERFACE ..."] == "external=ens33 management=ens32"
    assert asker.proposed["Addresses of lb1 on external, management"] == "192.168.0.11 192.168.1.11"
    assert asker.proposed["Addresses of lb2 on external, management"] is None
    assert made["networks"]["external"] == {"interface": "ens33", "vip": "192.168.0.10/24"}
    assert reader.complaints(made) == []


@pytest.mark.usefixtures("one_of_two")
def test_the_vrrp_network_of_the_flags_is_proposed() -> None:
    """As the other flags are."""
    asker = Asker(ANSWERS, vrrp="external")
    assert asker.draft()["vrrp"]["network"] == "external"
    assert asker.proposed["Network for VRRP: external, management"] == "external"
