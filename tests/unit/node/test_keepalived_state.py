"""The state that keepalived tells of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from builders import captured
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.node.keepalived_state import PROBE, KeepalivedState, ToldState, parse_vrrp, told_state
from lbdeploy.node.parsers import parse_loads


@pytest.mark.parametrize(
    ("name", "state", "priority"),
    [("bookworm_master", "MASTER", 200), ("bookworm_backup", "BACKUP", 100), ("trixie_master", "MASTER", 200)],
)
def test_keepalived_says_its_state_and_priority(name: str, state: str, priority: int) -> None:
    said = parse_vrrp(captured(f"keepalived_json/{name}"), "VI_K8S_API")
    assert (said.state, said.priority) == (state, priority)
    assert said.since > 1_700_000_000


def test_its_journal_says_the_state_where_there_is_nothing_else() -> None:
    assert parse_vrrp("FAULT\n", "VI_K8S_API") == KeepalivedState("FAULT")


@given(st.text() | st.builds('[{{"data": {{"state": {}}}}}]'.format, st.integers()))
def test_whatever_a_node_says_it_is_no_error(text: str) -> None:
    assert isinstance(parse_vrrp(text, "VI_K8S_API"), KeepalivedState)
    assert isinstance(parse_loads(text), tuple)


def test_how_far_scripts_were_told_is_read() -> None:
    assert told_state("MASTER failing 1795971480 3 124\n") == ToldState("MASTER", "failing", 1795971480.0, 3, 124)


@pytest.mark.parametrize("text", ["", "MASTER", "NONE failing 1 1 1", "MASTER failing 1 1 1 1", "MASTER failing x 1 1"])
def test_what_is_no_answer_says_nothing(text: str) -> None:
    assert told_state(text) == ToldState()


ASLEEP = "import signal, time; {} print(flush=True); time.sleep(60)"
EXPECTS = {
    "blocks it": ("signal.pthread_sigmask(signal.SIG_BLOCK, [36]);", True),
    "catches it": ("signal.signal(36, lambda *_: print('36', flush=True));", True),
    "blocks others": ("signal.pthread_sigmask(signal.SIG_BLOCK, [35, 37, 40]);", False),
    "expects nothing": ("", False),
}


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("process", EXPECTS)
def test_only_a_process_that_expects_the_signal_gets_it(tmp_path: Path, process: str, shell: str) -> None:
    """Any other one would end: a keepalived that was built without JSON, or whatever has its number by now."""
    does, expects = EXPECTS[process]
    with subprocess.Popen([sys.executable, "-c", ASLEEP.format(does)], stdout=subprocess.PIPE, text=True) as asleep:
        assert asleep.stdout
        asleep.stdout.readline()
        (tmp_path / "keepalived.pid").write_text(f"{asleep.pid}\n")
        script = f"journalctl() {{ echo 'Entering BACKUP STATE'; }}\n{PROBE.replace('=/run/', f'={tmp_path}/')}"
        script = script.replace(" /run/keepalived.pid", f" {tmp_path}/keepalived.pid")
        done = subprocess.run([shell, "-c", script], check=True, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("BACKUP\n", "")
        there = dict(line.split(":\t") for line in Path(f"/proc/{asleep.pid}/status").read_text().splitlines())
        waits = bool(int(there["ShdPnd"], 16) >> 35 & 1)
        assert asleep.poll() is None
        asleep.kill()
        assert (waits or asleep.stdout.read() == "36\n") is expects
    assert list(tmp_path.iterdir()) == [tmp_path / "keepalived.pid"]
