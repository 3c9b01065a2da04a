"""What stands on a terminal during a run and after it: narrow ones, ones that are resized, and ones that are gone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pyte
import pytest
from builders import SEED

from lbdeploy.cli.report.wrap import columns

pytestmark = pytest.mark.terminal

LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))
# A run as nodes make it: they say things in Japanese, one of them in another encoding, with a colour and a bell.
RUN = r"""
import sys
from lbdeploy.errors import RolledBackError
from lbdeploy.events import Done, Note, Step, RemoteCommand
from lbdeploy.cli.report.reporter import Reporter
sys.stderr.reconfigure(errors="replace")
said = "エラー: 設定ファイル /etc/haproxy/haproxy.cfg の3行目に誤りがあります。\n"
said += b"\xa5\xa8\xa5\xe9\xa1\xbc".decode(errors="surrogateescape")
reporter = Reporter(json=False, verbose=int(sys.argv[1]))
reporter.emit(Step("lb1", "haproxy を再読み込みしています: 設定を確認してから、順番に"))
reporter.emit(Step("lb2", "wait"))
if "resize" in sys.argv:
    print("READY", flush=True)
    sys.stdin.readline()
    reporter.emit(Note("lb2", "a note from afterwards, which is longer than the terminal is wide by now"))
    sys.stdin.readline()
reporter.emit(RemoteCommand("lb1", "sudo -n -- sh -s", "printf '設定を確認'\n", said, 0.1, 1))
reporter.emit(Done("lb1", "failed", ok=False))
reporter.table(("VIP", "network", "holder"), [("2001:db8:1234:5678:9abc:def0:1234:5678", "管理用ネットワーク", "lb1")])
reporter.error(RolledBackError("haproxy を再読み込みできません: \x1b[31m設定に誤りがあります\x07", node="lb1",
    state="ファイルとサービスは以前のままです", fix="lbdeploy -v plan", detail=said))
"""

# Nodes at work in threads of their own, as in any run: each begins a line of the display, and says something.
CROWD = r"""
import sys, threading, time
from lbdeploy.events import Note, Step
from lbdeploy.cli.report.reporter import Reporter
sys.setswitchinterval(1e-5)
reporter = Reporter(json=False, verbose=0)
def work(name):
    time.sleep(int(name[4:]) / 30)
    reporter.emit(Step(name, "connect"))
    reporter.emit(Note(name, "said something"))
threads = [threading.Thread(target=work, args=(f"node{number}",)) for number in range(24)]
for each in threads: each.start()
for each in threads: each.join()
reporter.quiet()
"""

SHOWN = (
    "haproxyを再読み込みできません",
    "now:ファイルとサービスは以前のままです",
    "next:lbdeploy-vplan",
    "エラー:設定ファイル/etc/haproxy/haproxy.cfgの3行目に誤りがあります。",
    "printf'設定を確認'",
)


class Terminal:
    """One that can be resized, on which a program runs."""

    def __init__(self, width: int, *args: str, program: str = RUN) -> None:
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS")}
        env |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.child = pexpect.spawn(
            sys.executable, ["-c", program, *args], encoding="utf-8", env=env, timeout=30,
            dimensions=(60, width), echo=False,
        )  # fmt: skip
        self.screen = pyte.Screen(width, 60)
        self.stream = pyte.Stream(self.screen)

    def until(self, what: object) -> str:
        """Draw what is sent until then; it."""
        self.child.expect(what)
        sent = str(self.child.before) + (self.child.after if isinstance(self.child.after, str) else "")
        self.stream.feed(sent)
        return sent

    def resize(self, width: int) -> None:
        self.child.setwinsize(60, width)
        self.screen.resize(60, width)

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.screen.display).strip()


def lines(sent: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent).splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_nodes_say_in_japanese_fits_and_steers_nothing(width: int) -> None:
    """All of it is there, at any width; a colour or a bell in it does not reach the terminal, nor do odd bytes."""
    terminal = Terminal(width, "2")
    sent = terminal.until(pexpect.EOF)
    words = "".join(re.sub(r"\s", "", row) for row in lines(sent))
    for part in SHOWN:
        assert part in words
    assert "\x07" not in sent
    assert "\x1b[31m設定" not in sent
    assert "Traceback" not in sent
    assert not terminal.screen.cursor.hidden
    longest = max(columns(word) for row in lines(sent) for word in row.split())
    assert max(map(columns, lines(sent))) <= max(width, longest + 4)


def test_an_address_in_a_narrow_table_is_folded_and_whole() -> None:
    """Nothing is cut off."""
    terminal = Terminal(40, "0")
    terminal.until(pexpect.EOF)
    cells = "".join(re.findall(r"^ ([0-9a-f:]{2,})(?: |$)", terminal.text, re.MULTILINE))
    assert cells == "2001:db8:1234:5678:9abc:def0:1234:5678"


@pytest.mark.parametrize(("before", "after"), [(100, 44), (44, 100)])
def test_a_terminal_may_be_resized_in_mid_run(before: int, after: int) -> None:
    """What is drawn from then on is as wide as the terminal is; in the end no line of the display is left over."""
    terminal = Terminal(before, "0", "resize")
    terminal.until("READY")
    terminal.resize(after)
    terminal.child.sendline()
    terminal.until("by now")
    terminal.child.sendline()
    assert max(map(columns, lines(terminal.until(pexpect.EOF)))) <= after
    assert terminal.text.count("error: ") == 1
    assert "lb2 wait" not in terminal.text, "a line of the display is left"
    assert "lb2: a note from afterwards" in terminal.text
    assert not terminal.screen.cursor.hidden


def test_nodes_that_speak_at_once_are_all_heard() -> None:
    """No line of the display is drawn over what is to stay, and none is left over."""
    for _ in range(3):
        terminal = Terminal(80, program=CROWD)
        terminal.until(pexpect.EOF)
        assert sorted(terminal.text.splitlines()) == sorted(f"node{number}: said something" for number in range(24))


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """Nodes that are not to be reached: this machine, where nothing listens on that port."""
    text = SEED.read_text().replace('user = "ops"', 'user = "ops"\nport = 1')
    file = tmp_path / "hosts.toml"
    file.write_text(re.sub(r"(\[nodes\.lb(\d)\][^\n]*)", r'\1\nhost = "127.0.0.1\2"', text))
    return file


def test_where_nobody_listens_to_standard_error_the_run_goes_on(refused: Path, tmp_path: Path) -> None:
    """`lbdeploy --json up 2>&1 >document | head`: the exit code and the document are as ever, and so is the log."""
    reading, writing = os.pipe()
    os.close(reading)
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    try:
        argv = [LBDEPLOY, "-f", str(refused), "--json", "plan"]
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=writing, env=env, text=True, timeout=30)
    finally:
        os.close(writing)
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"]["type"] == "Connect"
    (log,) = (tmp_path / "state").rglob("*.log")
    assert "ConnectError: lb1: " in log.read_text()


ASKING = """
import signal, threading, time
import click
from lbdeploy.cli.streams import prepare_streams
prepare_streams()
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
click.confirm("Sure?", err=True)
"""


def test_ctrl_c_at_a_question_is_heeded_whichever_thread_hears_it() -> None:
    """The system may give it to one that waits for a node, and not to the one that asks."""
    terminal = pexpect.spawn(sys.executable, ["-c", ASKING], encoding="utf-8", timeout=10)
    terminal.expect_exact("Sure? [y/N]: ")
    terminal.sendintr()
    terminal.expect_exact("click.exceptions.Abort")
    terminal.close(force=True)
