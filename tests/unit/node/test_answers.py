"""Whatever a node answers, it is data: read, or an error of that node's, and never a mistake of lbdeploy's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, NOW, captured, cluster, observe
from garbage import anything, garbled, pieces
from hypothesis import given, settings
from hypothesis import strategies as st
from watching import watched

from lbdeploy.cli.report.live.screen import screen
from lbdeploy.cli.report.live.view import LiveView
from lbdeploy.cli.report.status import once
from lbdeploy.cli.report.terminal import console
from lbdeploy.common.sanitize import neutral
from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.config.unvalidated import members
from lbdeploy.errors import LbdeployError, LockedError, LostError, RemoteError
from lbdeploy.node import keepalived_conf, network_listener, parsers
from lbdeploy.node.answers import count, seconds, understood
from lbdeploy.node.drift import NodePlan, diff
from lbdeploy.node.keepalived_state import parse_vrrp
from lbdeploy.node.observation import NodeProbeScript, Observation, ProbeScript
from lbdeploy.node.resources import Journal
from lbdeploy.operations import discovery
from lbdeploy.operations.doctor.doctor import diagnose
from lbdeploy.operations.doctor.examination import Examination
from lbdeploy.operations.down_steps import original
from lbdeploy.operations.generations import Reader
from lbdeploy.operations.outage import node_clients, vrrp_events
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.operations.status import Look, together
from lbdeploy.planning.desired import desired
from lbdeploy.rollout.progress import MARK, Progress
from lbdeploy.rollout.survey import Survey

SEED = reader.load(Path(__file__).parents[3] / "hosts.toml")
EXAMPLES = int(os.environ.get("LBDEPLOY_EXAMPLES", "20"))  # more take longer than all other tests of pure code
EMPTY = NodePlan(SEED.preferred, ())
SERVICE = captured("systemctl_show/bookworm_reloaded")
GOOD = {
    "ip a": captured("ip_a/bookworm_lab_master"),
    "show stat": captured("show_stat/bookworm_down"),
    "neighbours": "192.168.0.10 dev ens33 lladdr 02:00:00:00:00:01 REACHABLE",
    "vips": "192.168.0.10 6443 16\n192.168.1.10 6443\nown k8s-api 16",
    "now": "1764393000.123456789",
    "clock": "1764393000.123456789",
    "hosts": (Path(__file__).parents[3] / "hosts.toml").read_text(),
    "handover": "101 1795711.123456789",
    "room": "   Avail  IFree File\n7168592 458110 /var/lib/dpkg\n123 - /etc/haproxy",
    "vrrp": captured("keepalived_json/bookworm_master"),
    "firewall": captured("firewall/nft_jump_to_drop"),
    "listening": captured("ss_bookworm"),
    "os": captured("os_release/debian_12"),
    "locks": "/var/lib/dpkg/lock 42 apt-get",
    "networkd": "ens33 /etc/systemd/network/10.network no",
    "leftover": "unit pacemaker\nfile /etc/haproxy/haproxy.cfg",
    "unattended": "Enable 1\nUnattended-Upgrade 1\nspares keepalived",
    "heard": "101 192.168.1.99 ens33\nthrough 101 192.168.1.99\nhas 192.168.0.10 02:00:00:00:00:01 ens33\ndone vrrp",
    "service lbdeploy": "inactive\nrun 20260101T000000.000Z\nabout ann\nstep start keepalived\nexit 0",
}


def good(name: str) -> str:
    """What a probe of that name may answer, where all is well."""
    if name.startswith("service ") and name not in GOOD:
        return SERVICE
    return GOOD.get(name, "file 644 root:root 1764393000.123456789\nsome text\n|")


@st.composite
def answers(draw: st.DrawFn, script: ProbeScript) -> str:
    """The output of an observing script in which some answers are garbled, and perhaps the whole is."""
    bad = draw(st.lists(st.sampled_from([*script.probes]), min_size=1, max_size=4, unique=True))
    sections = [
        f"{script.nonce} begin {at}\n{draw(garbled(good(name))) if name in bad else good(name)}\n{script.nonce} end 0\n"
        for at, name in enumerate(script.probes)
    ]
    output = "".join(sections)
    return draw(garbled(output)) if draw(st.integers(0, 9)) == 0 else output


def read(do: Callable[[str], Any], output: str) -> Any:
    """What is read of it, or the error, which must be one of the node's."""
    found = outcome(do, output)
    if isinstance(found, RemoteError):
        assert found.node in ("lb1", "lb-b")
        assert neutral(found.message) == found.message
        assert found.fix
    return found


def outcome(do: Callable[[str], Any], output: str) -> Any:
    """What is read of it, or the node's error."""
    try:
        return do(output)
    except RemoteError as error:
        return error


def seen_beside(of: Cluster, found: Any) -> Survey:
    """A survey in which lb1 has answered so, and lb2 as ever."""
    good = observe(of, of.node("lb2"), holds=True)
    seen = {"lb2": good} | ({"lb1": found} if isinstance(found, Observation) else {})
    errors: Mapping[str, LbdeployError] = {"lb1": found} if isinstance(found, LbdeployError) else {}
    wanted = {name: desired(of, of.node(name)) for name in seen}
    return Survey(of, seen, {name: diff(wanted[name], each) for name, each in seen.items()}, errors)


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_verify_and_plan_take_any_answer(data: st.DataObject) -> None:
    """The node whose answer makes no sense is an error beside the findings about the others."""
    script = NodeProbeScript(SEED, SEED.node("lb1"), desired(SEED, SEED.node("lb1")))
    survey = seen_beside(SEED, read(script.read, data.draw(answers(script))))
    told = [each.to_json() for each in survey.verdict.findings]
    assert any(each["node"] == "lb2" for each in told)
    json.dumps([told, [each.to_json() for plan in survey.plans.values() for each in plan.changes]])
    assert survey.plan is not None
    with suppress(LbdeployError):
        survey.refuse()


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_status_takes_any_answer(data: st.DataObject) -> None:
    """As a document, and on a screen."""
    look = Look(SEED, SEED.node("lb1"))
    status = together(SEED, {"lb1": read(look.read, data.draw(answers(look)))})
    json.dumps(status.to_json())
    console(StringIO()).print(once(status))
    drawn = screen(watched(status), LiveView(), (80, 24))
    assert len(drawn) == 24


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_doctor_takes_any_answer(data: st.DataObject) -> None:
    """And examines the others all the same."""
    examination = Examination(SEED, SEED.node("lb1"), clock=lambda: NOW)
    output = data.draw(answers(examination))
    for line in output.split("\n"):
        examination.on_line(line)
    found = read(examination.checkup, output)
    errors = {"lb1": found} if isinstance(found, LbdeployError) else {}
    diagnosis = diagnose(SEED, [] if errors else [found], errors)
    json.dumps([each.to_json() for each in diagnosis.findings])


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_down_takes_any_answer(data: st.DataObject) -> None:
    """Also what a node has kept of the time before lbdeploy."""
    resources = original(SEED, SEED.node("lb1"), purge=True)
    script = NodeProbeScript(SEED, SEED.node("lb1"), resources)
    found = read(script.read, data.draw(answers(script)))
    if isinstance(found, Observation):
        json.dumps([each.to_json() for each in diff(resources, found).changes])


TOLD = ["step ", "failed ", "await ", "exit ", "locked ", "restored", "unconfirmed ", "boot ", "now ", ""]


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(st.tuples(st.sampled_from(["", f"{MARK} "]), st.sampled_from(TOLD), pieces)))
def test_progress_takes_any_line(lines: list[tuple[str, str, str]]) -> None:
    """A run ends with an error of that node's, or with none."""
    steps: list[str] = []
    progress = Progress("lb1", steps.append)
    for line in lines:
        progress.line("".join(line))
    error = progress.error(EMPTY)
    assert error is None or error.node == "lb1"
    assert error is None or isinstance(error, RemoteError | LostError | LockedError)


@pytest.mark.parametrize("told", ["await soon", "await 999999", "await -1", "exit", "exit nan", "await 1e999"])
def test_a_number_that_is_none_is_the_nodes_error(told: str) -> None:
    """What was changed there is not confirmed, and the node is told to undo it if it waits."""
    progress = Progress("lb1", print)
    progress.line(f"{MARK} {told}")
    error = progress.error(EMPTY)
    assert isinstance(error, RemoteError)
    assert (error.node, progress.waits) == ("lb1", told.startswith("await"))
    assert "can't be read (progress)" in error.message
    assert error.state == "a change that nobody confirms is undone by the node itself"


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(st.tuples(st.sampled_from(["./a/files/etc/x", "./a/about", "./../..", "x"]), pieces), max_size=4))
def test_generations_take_any_answer(lines: list[tuple[str, str]]) -> None:
    """Base64 that is none is that node's error."""
    script = Reader()
    output = "\n".join(f"{script.nonce} {path} 644 {text}" for path, text in lines)
    read(lambda text: understood("lb1", "generations", script.read, text), output)


READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "ip a": (parsers.parse_ip_a, "ip a"),
    "show stat": (parsers.parse_show_stat, "show stat"),
    "loads": (parsers.parse_loads, "show stat"),
    "vips": (parsers.parse_answered, "vips"),
    "own": (parsers.parse_greeted, "vips"),
    "neighbours": (parsers.parse_neighbours, "neighbours"),
    "room": (parsers.parse_room, "room"),
    "vrrp": (lambda text: parse_vrrp(text, "VI_1"), "vrrp"),
    "heard": (network_listener.read, "heard"),
    "hosts": (members, "hosts"),
    "conf": (keepalived_conf.read, "conf"),
    "discovery": (discovery.read, "ip a"),
    "journal": (lambda text: list(vrrp_events.read(text, "lb1", Clock(), 0.0)), "journal"),
    "clients": (lambda text: node_clients.read(text.splitlines(), [], Clock()), "clients"),
}
GOOD["conf"] = "vrrp_instance VI_1 {\n  priority 100\n  virtual_ipaddress {\n    192.168.0.10/24 dev ens33\n  }\n}\n"
GOOD["journal"] = "1764393000.123456 lb1 Keepalived_vrrp[1]: (VI_1) Entering MASTER STATE\n"
GOOD["clients"] = "ask 192.168.0.10 1764393000.123456\ngood 192.168.0.10 1764393000.123456 1764393000.2\n"


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=EXAMPLES * 2)
@given(data=st.data())
def test_what_can_not_be_read_is_passed_over(name: str, data: st.DataObject) -> None:
    """By the readers that take what they find: no text makes them raise."""
    do, sample = READERS[name]
    do(data.draw(st.one_of(anything, garbled(GOOD[sample]))))


@pytest.mark.parametrize("name", READERS)
def test_long_answers_are_read_in_time(name: str) -> None:
    """Time grows with their length, and not with its square: a node may send megabytes made to be slow."""
    do, sample = READERS[name]
    for piece in (GOOD[sample], " ", "\n", "{\n", "[", "a {\n", "(", "1", "\t{", "    inet 1.1.1.1/8 x\n", "lladdr "):
        text = GOOD[sample] + piece * (100_000 // len(piece))
        began = time.thread_time()  # of this thread alone, however busy the machine is
        do(text)
        assert time.thread_time() - began < 5


def test_marks_are_found_in_time() -> None:
    """Also where a node repeats them, and never ends an answer."""
    script = ProbeScript(SEED.preferred, [Journal()], {})
    began = time.thread_time()  # of this thread alone, however busy the machine is
    for piece in (
        f"{script.nonce} begin 0\n",
        f"\n{script.nonce} end 0\n",
        f"{script.nonce} begin 0\n\n{script.nonce} end ",
    ):
        with pytest.raises(RemoteError, match="did not run to its end"):
            script.answers(piece * 100_000)
    assert time.thread_time() - began < 10


def test_an_answer_that_makes_no_sense_is_told(seed: Cluster) -> None:
    """Which node, to what, what it was in short and neutral, and what to type."""
    with pytest.raises(RemoteError) as raised:
        understood("lb2", "date", seconds, "\x1b]0;pwned\x07soon" + "x" * 100)
    error = raised.value
    assert (error.node, error.exit_code) == ("lb2", 4)
    assert error.message == (
        "what it answered can't be read (date): \"\N{REPLACEMENT CHARACTER}]0;pwned\N{REPLACEMENT CHARACTER}soon"
        + "x" * 46 + '..."'
    )  # fmt: skip
    assert error.fix
    assert "ValueError" in (error.detail or "")


@pytest.mark.parametrize("text", ["nan", "inf", "1e5", "-1", "", "9" * 40, "٣", "1_0", "0x1"])
def test_numbers_are_finite_and_plain(text: str) -> None:
    """Others would end a run later, where nobody knows whence they came."""
    for what in (seconds, count):
        with pytest.raises(ValueError, match="not a"):
            what(text)


def test_numbers_are_read() -> None:
    """With a comma, as some locales write them."""
    assert (seconds(" 12,5\n"), seconds("7"), count("12")) == (12.5, 7.0, 12)


def test_the_big_cluster_takes_any_answer(tmp_path: Path) -> None:
    """With everything that can be asked for: an answer to every probe that is garbage, one at a time."""
    of = cluster(tmp_path, BIG)
    node = of.nodes[0]
    script = NodeProbeScript(of, node, desired(of, node))
    for bad in script.probes:
        for text in ("\x00", "nan", "\udcff 1e999", '[{"data": 1e999}]', "known 1"):
            told = [text if name == bad else good(name) for name in script.probes]
            output = "".join(
                f"{script.nonce} begin {at}\n{each}\n{script.nonce} end 0\n" for at, each in enumerate(told)
            )
            found = read(script.read, output)
            if isinstance(found, Observation):
                json.dumps([each.to_json() for each in diff(desired(of, node), found).changes])
