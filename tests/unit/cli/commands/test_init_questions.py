"""`init` that asks, on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.init_flags import Flags
from lbdeploy.cli.commands.init_questions import Interview, Put
from lbdeploy.config import reader
from lbdeploy.config.model import Ssh
from lbdeploy.errors import ConnectError
from lbdeploy.events import Emit
from lbdeploy.operations import discovery
from lbdeploy.ssh.greeting import Greeting, Question

pytestmark = pytest.mark.terminal


BIN = Path(sys.executable).parent


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
    answer(terminal, "VIP on external", "192.168.2.10/24", "no node has an address there")
    answer(terminal, "VIP on external", "")
    answer(terminal, "VIP on management", "", "no network has a VIP yet")
    answer(terminal, "VIP on management", "127.0.0.10/24", "can't be a VIP")
    answer(terminal, "VIP on management", "127.0.0.10/24 x/24", "is not a VIP")
    terminal.expect("VIP on management[^\n]*: $")  # a Ctrl-C between two questions is told in other words
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


def seen(text: str, configured: str = "", heard: str = "") -> discovery.DiscoveredHost:
    return discovery.read(f"{text}\n{discovery.CONFIGURED}\n{configured}\n{discovery.HEARD}\n{heard}\n")


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
    monkeypatch.setattr("lbdeploy.operations.servers.readiness.heard_by", answering())
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)


def answering(*statuses: int) -> Callable[..., list[Greeting]]:
    """What stands in the place of asking the API servers: they answer with these."""

    def heard_by(
        hosts: Mapping[str, str], ssh: Ssh, emit: Emit, servers: Mapping[str, str], port: int
    ) -> list[Greeting]:
        assert (hosts, servers, port) == ({"lb1": "192.168.1.11"}, {"master1": "192.168.1.21"}, 6443)
        who = Question("", "master1", "192.168.1.21", port)
        return [Greeting(who, "greeted", status=each) for each in statuses]

    return heard_by


@pytest.mark.usefixtures("one_of_two")
@pytest.mark.parametrize(
    ("statuses", "check"),
    [
        ((), {"check": "tcp"}),
        ((200, 500), {"check": "tcp"}),
        ((200, 200), {"check": "https"}),
        ((401,), {"check": "https", "check_status": [200, 401]}),
    ],
)
def test_the_check_is_what_the_servers_pass(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statuses: tuple[int, ...],
    check: dict[str, Any],
) -> None:
    """As the nodes that can be logged into find them; it is said."""
    monkeypatch.setattr("lbdeploy.operations.servers.readiness.heard_by", answering(*statuses))
    made = Asker(ANSWERS).draft()
    own = made["frontends"]["k8s-api"]
    assert {key: own[key] for key in own if key.startswith("check")} == check
    assert list(own)[-1] == "servers"
    assert reader.problems(made) == []
    assert ("API servers: they pass" in capsys.readouterr().err) == (check["check"] == "https")


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
    assert reader.problems(made) == []


@pytest.mark.usefixtures("one_of_two")
def test_the_vrrp_network_of_the_flags_is_proposed() -> None:
    """As the other flags are."""
    asker = Asker(ANSWERS, vrrp="external")
    assert asker.draft()["vrrp"]["network"] == "external"
    assert asker.proposed["Network for VRRP: external, management"] == "external"
