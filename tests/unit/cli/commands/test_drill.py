"""The drill command, with drills that are stood in for."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import SEED
from click.testing import CliRunner
from drills import raising, result
from goldens import GROUPS

from lbdeploy.cli.app import App
from lbdeploy.cli.commands.drill import drill
from lbdeploy.config import reader
from lbdeploy.errors import InterruptedRunError, LbdeployError, LostError, UsageError
from lbdeploy.operations.drill.drill import Drill
from lbdeploy.operations.drill.faults import NAMES, ON_SERVERS
from lbdeploy.operations.drill.result import DrillResult


def test_where_the_repair_may_fail_the_operator_must_say_so(tmp_path: Path) -> None:
    """Power and link on real nodes are refused, and nothing is contacted; so is a command that names no kind."""
    from lbdeploy.cli.app import App
    from lbdeploy.cli.commands.drill import _names
    from lbdeploy.errors import UsageError

    app = App()
    for name in ("power", "link"):
        with pytest.raises(UsageError, match="console"):
            _names(app, name, everything=False, console=False)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="name one kind"):
        _names(app, None, everything=False, console=False)
    with pytest.raises(UsageError, match="name one kind"):
        _names(app, "hang", everything=True, console=False)
    of_nodes = tuple(each for each in NAMES if each not in ON_SERVERS)
    assert _names(app, None, everything=True, console=False) == ("haproxy", "hang", "keepalived", "freeze", "path")
    assert _names(app, None, everything=True, console=True) == of_nodes
    app.lab = True
    assert _names(app, None, everything=True, console=False) == (*of_nodes, "server")


Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `lbdeploy --json drill` with drills that give, or raise, these: exit code, document, and what people see."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def call(outcomes: list[DrillResult | BaseException], *args: str) -> tuple[int, Any, str]:
        each = iter(outcomes)

        def drilled(self: Drill, *_: object, **__: object) -> DrillResult:
            found = next(each)
            if isinstance(found, BaseException):
                raise found
            return found

        monkeypatch.setattr(Drill, "run", drilled)
        app = App()
        app.file, app.json, app.command = SEED, True, "drill"
        done = CliRunner().invoke(drill, list(args), obj=app, standalone_mode=False)
        if done.exception:
            raise done.exception
        return app.exit_code, json.loads(done.stdout), done.stderr

    return call


def seeded() -> DrillResult:
    return result(reader.load(SEED))


def test_an_outage_that_was_too_long_is_an_error_in_the_document(run: Run) -> None:
    """And so is a cluster that is not healthy afterwards; what was measured is there all the same."""
    code, document, _ = run([seeded()], "haproxy")
    assert (code, "error" in document) == (0, False)
    code, document, _ = run([replace(seeded(), expected=0.5)], "haproxy")
    assert (code, document["outage_ms"], document["error"]["type"]) == (6, 1220, "Drill")
    assert "the outage was 1.22 s, longer than predicted: at most 0.50 s" in document["error"]["message"]
    code, document, _ = run([replace(seeded(), healthy=False, after=("lb1: haproxy hangs",))], "haproxy")
    assert (code, document["healthy"]) == (6, False)
    assert document["error"]["message"] == "the cluster is not healthy afterwards; lb1: haproxy hangs"


@pytest.mark.parametrize(
    ("stop", "code", "kind_of"),
    [
        (LostError("the connection was lost"), 4, "Lost"),
        (InterruptedRunError("interrupted", state="what was broken is undone"), 130, "InterruptedRun"),
        (KeyboardInterrupt(), 130, "InterruptedRun"),
    ],
)
def test_what_earlier_drills_measured_is_kept(
    run: Run, tmp_path: Path, stop: BaseException, code: int, kind_of: str
) -> None:
    """`--all`: whatever stops a later one, the document and the page have those that ended, and what stopped it."""
    page = tmp_path / "drill.html"
    found, document, said = run([seeded(), stop], "--all", "--report", str(page))
    assert (found, document["exit_code"]) == (code, code)
    assert [each["outage_ms"] for each in document["drills"]] == [1220]
    assert document["error"]["type"] == kind_of
    assert "lb2 enters MASTER" in " ".join(page.read_text().replace("<td>", " ").replace("</td>", " ").split())
    assert "error: " in said


def test_where_nothing_was_measured_the_error_is_all(run: Run) -> None:
    with pytest.raises(LbdeployError, match="not healthy"):
        run([LbdeployError("the cluster is not healthy")], "haproxy")


def test_a_page_that_cant_be_written_is_refused_before_anything_is_contacted(run: Run, tmp_path: Path) -> None:
    """After an outage it would be too late; and trying it leaves nothing behind."""
    with pytest.raises(LbdeployError, match="No such file or directory") as caught:
        run([AssertionError("it was contacted")], "haproxy", "--report", str(tmp_path / "no" / "drill.html"))
    assert (caught.value.exit_code, caught.value.state) == (2, "nothing was contacted")
    page = tmp_path / "drill.html"
    with pytest.raises(LbdeployError, match="refused"):
        run([LbdeployError("refused")], "haproxy", "--report", str(page))
    assert not page.exists()


def test_a_page_that_cant_be_written_after_all_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full by then: the document has what was measured, and the error."""
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: raising(full)())
    code, document, said = run([seeded()], "haproxy", "--report", str(tmp_path / "drill.html"))
    assert (code, document["outage_ms"]) == (1, 1220)
    assert "No space left on device" in document["error"]["message"]
    assert "No space left" in said


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("server", "--server", "master9"), "k8s-api has no server master9"),
        (("server", "--node", "lb1"), "--node goes with what breaks on a node"),
        (("hang", "--server", "master1"), "--server goes with server or drain"),
        (("drain",), "a server that drains is not noticed"),
    ],
)
def test_what_is_to_be_broken_is_there(run: Run, args: tuple[str, ...], what: str) -> None:
    """Or nothing is contacted."""
    with pytest.raises(UsageError, match=what) as caught:
        run([AssertionError("it was contacted")], *args)
    assert caught.value.state == "nothing was contacted"


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_is_explained(name: str) -> None:
    """In the help, which docs/commands.md shows, and in the table of docs/drill.md."""
    assert re.search(rf"^{name} {{2,}}\w", inspect.cleandoc(drill.help or ""), re.MULTILINE)
    page = (Path(__file__).parents[4] / "docs" / "drill.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in page


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("hang", "--group", "ingress_2", "--node", "lb1"), "--group names the node that is broken"),
        (("server", "--group", "ingress_2"), "--group names the node that is broken"),
        (("hang", "--group", "ingress"), "ingress"),
    ],
)
def test_a_group_names_the_node_that_is_broken(tmp_path: Path, args: Sequence[str], message: str) -> None:
    """So it goes with neither a node nor what breaks on a server; an unknown one is a mistake."""
    app = App()
    app.file, app.command, app.lab = tmp_path / "hosts.toml", "drill", True
    app.file.write_text(GROUPS, encoding="utf-8")
    done = CliRunner().invoke(drill, list(args), obj=app, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert message in done.exception.message
