"""The command line, offline: what is accepted, what is printed where, and with which exit code it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from builders import SEED
from console import End, Run, written

import lbdeploy
from lbdeploy.cli.app import App
from lbdeploy.events import Note, RemoteCommand


@pytest.mark.parametrize(
    "args",
    [
        ("chekc",),
        ("check", "--nonsense"),
        ("check", "surplus"),
        ("render", "lb3"),
        ("render", "lb1", "lb2"),
        ("plan", "--limit", "lb3"),
        ("up", "--limit", "lb1,lb9"),
        ("verify", "--wait", "long"),
        ("verify", "--wait", "-1"),
        ("verify", "--wait", "nan"),
        ("verify", "--wait", "inf"),
        ("verify", "--wait", ".s"),
        ("up", "--lock-wait", "nan"),
        ("drill", "hang", "--hold", "nan"),
        ("up", "--limit", ""),
        ("verify", "--limit", ","),
        ("plan", "--limit", "lb1,"),
        ("down", "--yes", "--limit", ""),
        ("down", "--yes", "--limit", "lb1", "--limit", " "),
        ("-f", "hosts.toml", "other.toml", "up", "--limit", ""),
        ("render", ""),
        ("render", "lb1,lb2"),
        ("rebuild", ""),
        ("rebuild", "lb1,lb2"),
        ("handover", "--to", ""),
        ("handover", "--to", "lb1,lb2"),
        ("handover", "--to", "", "--back"),
        ("drill", "hang", "--node", ""),
        ("drill", "hang", "--node", "lb1,lb2"),
        ("rollback", "--to", ""),
        ("check", "-f"),
        ("lab", "stop"),
        ("lab", "up", "--suite", "potato"),
    ],
)
def test_bad_usage_ends_with_exit_2(run: Run, args: tuple[str, ...]) -> None:
    """A wrong word on the command line: exit 2, a message that says what, and with --json a document, too."""
    done = run(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.strip()
    done = run("--json", *args)
    assert (done.code, done.json["error"]["type"], done.json["ok"]) == (2, "Usage", False)
    assert done.json["error"]["state"] == "nothing was contacted"


@pytest.mark.parametrize(
    "typed",
    ["plan", "up", "verify", "rebuild lb1", "handover --to lb2", "rollback", "-f hosts.toml other.toml plan"],
)
def test_a_template_that_is_wrong_is_found_before_anybody_is_contacted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """One of the operator's own; as its error says."""
    connected: list[object] = []
    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool.__init__", lambda *_, **__: connected.append(True))
    (tmp_path / "other.toml").write_text((tmp_path / "hosts.toml").read_text())
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "haproxy.cfg.j2").write_text("{{ nodee.name }}\n")
    document = run("--json", *typed.split()).json
    error = document["clusters"][0]["error"] if "clusters" in document else document["error"]
    assert (error["type"], error["state"]) == ("Render", "nothing was contacted")
    assert connected == []


def test_a_node_that_there_is_not_is_found_before_anybody_is_contacted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a rollback, which looks at all nodes."""
    connected: list[object] = []
    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool.__init__", lambda *_, **__: connected.append(True))
    assert run("rollback", "--limit", "lb9").code == 2
    assert connected == []


def test_a_document_is_printed_also_where_the_command_line_is_not_understood(run: Run) -> None:
    """--json counts wherever it stands, even behind what is wrong."""
    done = run("check", "--nonsense", "--json")
    assert (done.code, done.json["error"]["type"]) == (2, "Usage")


@pytest.mark.parametrize("group", ["lab", "export"])
def test_a_group_without_a_command_has_a_document_too(run: Run, group: str) -> None:
    """And its help, without --json."""
    done = run("--json", group)
    assert (done.code, done.json["error"]["message"]) == (2, f"lbdeploy {group} needs a command")
    assert done.json["error"]["fix"] == f"lbdeploy {group} --help"
    done = run(group)
    assert (done.code, done.out, "Usage: " in done.err) == (2, "", True)


@pytest.mark.parametrize(
    "typed",
    [
        "verify --format nagios --bogus",
        "verify --bogus --format=nagios",
        "verify --limit= --format nagios",
        "verify --wait nan --format nagios",
        "-f nowhere.toml verify --format nagios",
    ],
)
def test_a_plugin_that_is_called_wrongly_is_unknown(run: Run, typed: str) -> None:
    """Not critical, and with its line, wherever --format stands."""
    done = run(*typed.split())
    assert (done.code, done.out.count("\n")) == (3, 1)
    assert done.out.startswith("LBDEPLOY UNKNOWN - ")


@pytest.mark.parametrize("form", ["prometheus", "junit"])
def test_other_formats_tell_of_it_as_well(run: Run, form: str) -> None:
    """With the exit code of the command."""
    done = run("verify", "--bogus", "--format", form)
    assert (done.code, bool(done.out)) == (2, True)


def test_a_format_that_there_is_not_is_told_to_people(run: Run) -> None:
    """Nobody knows how it would be written."""
    done = run("verify", "--format", "yaml")
    assert (done.code, done.out) == (2, "")


def test_whoever_follows_events_gets_the_end_also_of_a_wrong_command_line(run: Run) -> None:
    """As the last line, wherever --events stands."""
    for typed in ("up --events --bogus", "up --bogus --events", "up --limit= --events"):
        document = run(*typed.split()).json
        assert (document["event"], document["error"]["type"], document["exit_code"]) == ("end", "Usage", 2)


def test_the_version_is_printed(run: Run) -> None:
    """--version names the program and its version."""
    assert run("--version").out == f"lbdeploy, version {lbdeploy.__version__}\n"


def test_being_told_to_end_is_an_interruption(end: End, tmp_path: Path) -> None:
    """SIGTERM, once nodes are contacted: exit 130, the state of things, and a log that has the end, too."""

    def terminated(app: App) -> None:
        app.emit(Note("lb1", "reload haproxy"))
        os.kill(os.getpid(), signal.SIGTERM)

    code, said = end(terminated)
    assert code == 130
    assert "error: interrupted" in said
    assert f"log: {tmp_path}" in said
    assert "lb1: reload haproxy\n" in written(tmp_path)
    assert "InterruptedRunError: interrupted" in written(tmp_path)
    assert str(SEED) in written(tmp_path)


@pytest.mark.parametrize(
    ("command", "state"), [("check", "now: no node was changed\n"), ("up", "now: a node that was being changed")]
)
def test_ctrl_c_is_told_as_what_it_can_mean(end: End, command: str, state: str) -> None:
    """A command that only looks says nothing of a node that may be in change."""

    def interrupted(_: App) -> None:
        raise KeyboardInterrupt

    code, said = end(interrupted, command)
    assert code == 130
    assert state in said


def test_ctrl_c_at_the_last_words_is_no_traceback(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is impatient sees nothing of Python."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(App, "complain", interrupted)
    code, said = end(interrupted)
    assert code == 130
    assert "Traceback" not in said


def test_verbosity_adds_up(end: End) -> None:
    """-v before the command and after it are -vv: scripts on the wire, without what was secret of them."""
    seen: list[int] = []

    def look(app: App) -> None:
        seen.append(app.verbose)
        app.emit(RemoteCommand("lb1", "sudo -S -- sh -s", "echo hello\n", "hello\n", 0.1, 0))
        app.emit(RemoteCommand("lb1", "sh -s", "echo long\n" * 1000, "", 0.1, 0))
        raise KeyboardInterrupt

    said = end(look, "-v", "check", "-v")[1]
    assert "lb1 $ sudo -S -- sh -s" in said
    assert "    echo hello\n" in said
    assert "6000 characters more" in said
    assert "echo hello" not in end(look, "check", "-v")[1]
    assert seen == [2, 1]
