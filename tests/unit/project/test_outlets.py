"""One door out: nothing that a node, or a file, says reaches a screen, a log or a page but through common/sanitize."""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from builders import TOP, observe
from drills import result as drilled
from garbage import anything, pieces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from watching import Looked

from lbdeploy.cli.app import App
from lbdeploy.cli.report import progress, terminal
from lbdeploy.cli.report.drill.page import page as drill_page
from lbdeploy.cli.report.drill.text import lines as drill_lines
from lbdeploy.cli.report.live.follow import Screen as LiveScreen
from lbdeploy.cli.report.reporter import Reporter
from lbdeploy.cli.report.status import once
from lbdeploy.cli.report.topology.page import page as topology_page
from lbdeploy.cli.report.topology.svg import svg
from lbdeploy.cli.run_log import Logbook
from lbdeploy.config import reader
from lbdeploy.errors import LbdeployError
from lbdeploy.events import Done, Note, RemoteCommand, Step
from lbdeploy.node.keepalived_state import KeepalivedState
from lbdeploy.node.parsers import ServerStat
from lbdeploy.operations.outage.vrrp_events import Event
from lbdeploy.operations.status import Snapshot, Status
from lbdeploy.operations.topology import topology
from lbdeploy.operations.watch.clusters import WatchedCluster

SEED = reader.load(TOP / "hosts.toml")
CODE = TOP / "lbdeploy"
BAD = "\x1b]0;x\x07\x9b2J\u202e\rauth_pass s3cret"
EXAMPLES = 25
# Where streams are written to, prompts are made, and rich is given texts.
DOORS = {"cli/output.py", "cli/prompts.py", "cli/report/terminal.py", "cli/streams.py"}
RAW = re.compile(
    r"(.*\.)?(stdout|stderr|__stdout__|__stderr__)\.(write|writelines)|print|input|click\.(echo|secho|prompt|confirm)"
    r"|Text(\..*)?|Console|html\.escape"
)
FROM = {"click": {"echo", "secho", "prompt", "confirm"}, "html": {"escape"}}


def outlets(file: Path) -> set[str]:
    """The calls of a module that write to a stream, and those by which rich and pages take a text as it is."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and RAW.fullmatch(ast.unparse(node.func)):
            found.add(ast.unparse(node.func))
        if isinstance(node, ast.ImportFrom):
            found |= FROM.get(node.module or "", set()) & {each.name for each in node.names}
    return found


def test_only_the_doors_write() -> None:
    """Whatever else wants to show something has it go through one of them."""
    programs = {"lab/machine/apiserver.py", "lab/machine/ssh_probe.py"}  # processes of their own
    used = {str(path.relative_to(CODE)): outlets(path) for path in CODE.rglob("*.py")}
    assert {name: found for name, found in used.items() if found and name not in DOORS | programs} == {
        "common/sanitize.py": {"escape"},
    }
    assert all(used[name] for name in DOORS)
    assert "safe_text" in (CODE / "cli/run_log.py").read_text()


def is_safe(shown: str, *, styled: bool = False) -> None:
    """No control characters but those of rich's own styles and movements, and nothing of a secret."""
    if styled:  # colours, erasing, moving the cursor, hiding it, the other screen: what rich itself sends
        shown = re.sub(r"\x1b\[(\d+(;\d+)*)?[mKAJH]|\x1b\[\?(25|1049)[hl]|\r", "", shown)
    assert "s3cret" not in shown
    bad = [each for each in shown if each not in "\n\t" and (ord(each) < 32 or 0x7F <= ord(each) < 0xA0)]
    assert not bad, bad
    assert "\u202e" not in shown


class Screen(io.StringIO):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Screen]:
    """A new terminal as standard output and standard error."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def made() -> Screen:
        new = Screen()
        monkeypatch.setattr(sys, "stdout", new)
        monkeypatch.setattr(sys, "stderr", new)
        return new

    return made


ANY = st.one_of(st.just(BAD), anything, pieces)
FUZZED = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZED
@given(ANY, ANY)
def test_progress_steers_no_terminal(stream: Callable[[], Screen], who: str, text: str) -> None:
    """Live, and in lines: a node's name, step, note and error."""
    screen = stream()
    for shows in (progress.Live(), progress.ProgressLines()):
        for event in (Step(who, text), Note(who, text), Note(None, text), Done(who, text, ok=False), Step("lb2", text)):
            shows.event(event)
        shows.close()
    is_safe(screen.getvalue(), styled=True)


@FUZZED
@given(ANY)
def test_reports_steer_no_terminal(stream: Callable[[], Screen], text: str) -> None:
    """Lines, tables, errors with all their parts, and scripts with -vv."""
    screen = stream()
    reporter = Reporter(json=False, verbose=2)
    reporter.say((text, "good"), text, ("next: ", "next"))
    reporter.table((text, "b"), [(text, text)])
    reporter.error(LbdeployError(text, node=text, state=text, fix=text, detail=text))
    reporter.emit(RemoteCommand(text, text, text, text, 0.1, 0))
    reporter.quiet()
    is_safe(screen.getvalue(), styled=True)


def status_of(text: str) -> Status:
    """A status in which a node says so wherever it can."""
    servers = [(frontend.name, server.name) for frontend in SEED.frontends for server in frontend.servers]
    stats = tuple(ServerStat(*names, text, text, text, None, 0) for names in servers)
    seen = observe(SEED, SEED.node("lb1"), holds=True, servers=stats)
    run = replace(seen.states["service lbdeploy"], run=text, about=text, ended=False)
    haproxy = replace(seen.service("haproxy"), active=text)
    seen = replace(seen, states={**seen.states, "service lbdeploy": run, "service haproxy": haproxy})
    snapshot = Snapshot(seen, KeepalivedState(text, 100, 0.0), ())
    return Status(SEED, {"lb1": snapshot}, {"lb2": LbdeployError(text, node="lb2")})


@FUZZED
@given(ANY)
def test_status_steers_no_terminal(text: str) -> None:
    """Nor does the picture of `show`: a haproxy's status, a run's name, an error."""
    status = status_of(text)
    out = Screen()
    terminal.console(out).print(once(status))
    live = LiveScreen([WatchedCluster(text, Looked(status))], terminal.console(out), tuple)  # type: ignore[arg-type]
    for key in ("", "enter", "h", "d", "?", "escape", "/", *dict.fromkeys(text)):
        live.press(key)
        terminal.console(out).print(live.drawn())
    terminal.console(out).print(live.last())
    is_safe(out.getvalue(), styled=True)
    shown = topology(SEED, status)
    for picture in (svg(shown), topology_page(shown)):
        is_safe(picture)
    ElementTree.fromstring(svg(shown))


@FUZZED
@given(ANY)
def test_a_drill_steers_no_terminal_and_no_page(text: str) -> None:
    """What happened on the nodes is told as they told it, but harmless, and as text of the page."""
    result = drilled(SEED)
    event = Event(result.broken + 1, text, text)
    result = replace(result, events=(event, *result.events), node=text, after=(text,))
    for line in drill_lines(result, 100):
        out = io.StringIO()
        terminal.write(out, line)
        is_safe(out.getvalue())
    page = drill_page(SEED, [result, replace(result, node="<script>&\"'")])
    is_safe(page)
    assert "<script>" not in page
    page.encode()


def test_the_log_has_no_secrets_and_no_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the command line, events, scripts, answers, errors and tracebacks."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    log = Logbook(["lbdeploy", BAD], BAD)
    for event in (Step(BAD, BAD), Done(BAD, BAD), Note(None, BAD), RemoteCommand(BAD, BAD, BAD, BAD, 0.1, 0)):
        log.event(event)
    log.write(f"error\n    {BAD}")
    path, trouble = log.close()
    assert path, trouble
    text = path.read_text(encoding="utf-8")
    is_safe(text)
    assert text.count("(hidden)") == 9


@FUZZED
@given(ANY)
def test_documents_stay_valid(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Whatever an error or an event has: each is a line of JSON, with nothing that steers who prints it."""
    app = App()
    app.json = app.events = True
    app.started = time.monotonic()
    app.print_document(1, {"error": LbdeployError(text, node=text, fix=text).to_json(), "files": [{"content": text}]})
    out = capsys.readouterr().out
    is_safe(out)
    assert json.loads(out)["error"]["type"] == "Lbdeploy"
