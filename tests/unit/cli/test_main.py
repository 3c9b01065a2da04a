"""The command line, offline: what is accepted, what is printed where, and with which exit code it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import click
import pytest
from builders import TOP, observe, survey
from console import BAD, GOOD, LBDEPLOY, Run

import lbdeploy
from lbdeploy.cli import main
from lbdeploy.cli.app import App, end
from lbdeploy.cli.commands import run as run_commands
from lbdeploy.config.model import Cluster
from lbdeploy.errors import RenderError
from lbdeploy.lab.status import LabStatus
from lbdeploy.operations.exit_status import changed
from lbdeploy.operations.fleet.dask import pack
from lbdeploy.operations.fleet.job import Job
from lbdeploy.operations.fleet.worker import of_file
from lbdeploy.rollout.options import Options
from lbdeploy.rollout.run import Outcome


def test_check_of_a_good_file_ends_well(run: Run) -> None:
    """A file without problems: exit 0, and something kind to read."""
    done = run("check")
    assert (done.code, done.err) == (0, "")
    assert "hosts.toml" in done.out
    document = run("--json", "check").json
    assert document.pop("duration_s") >= 0
    assert document == {"format_version": 1, "command": "check", "ok": True, "exit_code": 0, "findings": []}


def test_check_of_a_bad_file_tells_every_problem(run: Run, tmp_path: Path) -> None:
    """Every problem with its file, line, key and remedy: exit 2."""
    (tmp_path / "hosts.toml").write_text(BAD)
    done = run("check")
    assert (done.code, done.out) == (2, "")
    words = " ".join(done.err.split())
    for line, text in ((12, "networks.external.vip: '192.168.0.10' has no prefix length"),
                       (30, "vrrp.router_id: 300 is too large; write 255 or less")):  # fmt: skip
        assert f"hosts.toml:{line}: {text}" in words
    done = run("check", "--json")
    assert (done.code, done.json["ok"], done.json["exit_code"]) == (2, False, 2)
    error = done.json["error"]
    assert error["type"] == "HostsFile"
    assert "hosts.toml:30: vrrp.router_id: 300 is too large" in error["message"]
    assert f"hosts.toml:{12}:" in done.err
    assert error["fix"]


@pytest.mark.parametrize("command", ["check", "render", "plan", "up", "verify"])
def test_no_command_begins_with_a_bad_file(run: Run, tmp_path: Path, command: str) -> None:
    """Whatever was asked for, a bad file ends it with exit 2 before anything is contacted."""
    (tmp_path / "hosts.toml").write_text(BAD)
    done = run("--json", command)
    assert (done.code, done.json["command"], done.json["error"]["type"]) == (2, command, "HostsFile")
    assert done.json["error"]["state"] == "nothing was contacted"


def test_check_ends_well_with_warnings(run: Run, tmp_path: Path) -> None:
    """What costs something but works is told, and is no failure."""
    (tmp_path / "hosts.toml").write_text(GOOD.replace("router_id", 'initial_state = "MASTER"\nrouter_id'))
    done = run("--json", "check")
    assert (done.code, done.json["ok"]) == (0, True)
    assert [each["severity"] for each in done.json["findings"]] == ["warning"]
    assert "loses preempt_delay" in " ".join((done.err + run("check").out).split())


def test_check_fails_with_errors_in_what_would_be_written(run: Run, tmp_path: Path) -> None:
    """What would not work on the nodes is a failure."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/haproxy.cfg.j2").write_text("")
    done = run("--json", "check")
    assert (done.code, done.json["ok"]) == (2, False)
    assert {each["severity"] for each in done.json["findings"]} == {"error"}
    error = done.json["error"]
    assert error["message"].startswith("what would be written will not work: /etc/haproxy/haproxy.cfg: is empty")
    assert (error["state"], error["fix"]) == ("nothing was contacted", done.json["findings"][0]["fix"])
    assert "what would be written" not in done.err, "what the findings say is not said again"
    assert "is empty" in " ".join(done.err.split())


def test_a_template_that_does_not_render_ends_with_its_place(run: Run, tmp_path: Path) -> None:
    """The error of a template names file and line: exit 2."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/haproxy.cfg.j2").write_text("\n{{ nothing }}\n")
    done = run("--json", "render")
    assert (done.code, done.json["error"]["type"], done.json["error"]["node"]) == (2, "Render", "lb1")
    assert "templates/haproxy.cfg.j2:2: 'nothing' is undefined" in done.json["error"]["message"]


def test_render_prints_every_file_of_every_node(run: Run) -> None:
    """Each file under a line with its node, path and mode."""
    done = run("render")
    heads = [line for line in done.out.splitlines() if line.startswith("==> ")]
    assert done.code == 0
    assert len(heads) == 12
    assert heads[0] == "==> lb1:/etc/sysctl.d/zz-lbdeploy.conf (mode 0644) <=="
    assert "==> lb2:/etc/keepalived/check-haproxy (mode 0755) <==" in heads
    assert "    unicast_src_ip 192.168.1.12\n" in done.out


def test_render_of_one_node_prints_that_node_only(run: Run) -> None:
    """A node's name limits what is rendered."""
    assert "lb1:" not in run("render", "lb2").out
    assert {each["node"] for each in run("render", "lb2", "--json").json["files"]} == {"lb2"}


def test_what_own_templates_change_is_shown(run: Run, tmp_path: Path) -> None:
    """A diff for each file that they make otherwise."""
    (tmp_path / "templates").mkdir()
    built_in = (TOP / "templates/sysctl.conf.j2").read_text()
    (tmp_path / "templates/sysctl.conf.j2").write_text(built_in + "vm.swappiness = 1\n")
    found = run("--json", "render", "lb1", "--diff").json["files"]
    assert [(each["node"], each["path"]) for each in found] == [("lb1", "/etc/sysctl.d/zz-lbdeploy.conf")]
    assert "\n+vm.swappiness = 1\n" in found[0]["diff"]
    assert run("render", "--diff", "--out", str(tmp_path)).code == 2


def test_without_own_templates_there_is_no_difference(run: Run) -> None:
    """And that is said."""
    assert run("render", "--diff").out.startswith("No difference: ")


def test_rendered_files_as_json_are_whole(run: Run) -> None:
    """Scripts get node, path, mode and the very content."""
    files = {(each["node"], each["path"]): each for each in run("--json", "render").json["files"]}
    assert len(files) == 12
    check = files["lb1", "/etc/keepalived/check-haproxy"]
    assert (check["mode"], check["content"].partition("\n")[0]) == ("0755", "#!/bin/sh")


def test_rendered_files_are_written_as_they_would_lie_on_the_nodes(run: Run, tmp_path: Path) -> None:
    """With --out, each node has a folder, with every file at its path and with its mode."""
    done = run("render", "--out", "out")
    assert (done.code, done.out) == (0, "")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert len(found) == 12
    assert "lb2/etc/haproxy/haproxy.cfg" in found
    assert (tmp_path / "out/lb1/etc/keepalived/check-haproxy").stat().st_mode & 0o777 == 0o755
    assert "for lb2 of" in (tmp_path / "out/lb2/etc/haproxy/haproxy.cfg").read_text()
    assert run("render", "--out", "hosts.toml").code == 2
    (tmp_path / "out/lb1/etc").rename(tmp_path / "etc")
    (tmp_path / "out/lb1/etc").write_text("in the way")
    done = run("render", "--out", "out")
    assert (done.code, "can't be written" in done.err) == (2, True)


@pytest.mark.parametrize(
    "args",
    [
        ("-f", "other.toml", "--json", "check"),
        ("check", "-f", "other.toml", "--json"),
        ("--json", "check", "--file", "other.toml"),
        ("--file=other.toml", "-v", "check", "--json", "-v"),
    ],
)
def test_global_options_are_accepted_before_and_after_the_command(
    run: Run, tmp_path: Path, args: tuple[str, ...]
) -> None:
    """-f, -v and --json mean the same wherever they stand."""
    (tmp_path / "hosts.toml").rename(tmp_path / "other.toml")
    done = run(*args)
    assert (done.code, done.json["command"], done.json["ok"]) == (0, "check", True)


def test_the_environment_names_the_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LBDEPLOY_FILE takes the place of ./hosts.toml, and -f the place of both."""
    (tmp_path / "hosts.toml").rename(tmp_path / "good.toml")
    (tmp_path / "bad.toml").write_text(BAD)
    monkeypatch.setenv("LBDEPLOY_FILE", "good.toml")
    assert run("check").code == 0
    monkeypatch.setenv("LBDEPLOY_FILE", "bad.toml")
    assert run("check").code == 2
    assert run("check", "-f", "good.toml").code == 0
    monkeypatch.setenv("LBDEPLOY_FILE", "")
    assert "there is no" in run("check").err


def test_a_missing_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    """Without hosts.toml, the error says how to name one: exit 2."""
    (tmp_path / "hosts.toml").unlink()
    done = run("--json", "check")
    assert (done.code, done.json["error"]["type"]) == (2, "Usage")
    assert "LBDEPLOY_FILE" in done.json["error"]["fix"]


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


def test_a_document_is_printed_also_where_the_command_line_is_not_understood(run: Run) -> None:
    """--json counts wherever it stands, even behind what is wrong."""
    done = run("check", "--nonsense", "--json")
    assert (done.code, done.json["error"]["type"]) == (2, "Usage")


def test_an_unknown_node_is_told_which_there_are(run: Run) -> None:
    """The error names the nodes of the file."""
    for limit in (("lb1,lb3",), ("lb3", "--limit", "lb1"), (" lb1 , lb3",)):
        error = run("--json", "plan", "--limit", *limit).json["error"]
        assert error["message"].startswith("there is no node lb3")
        assert error["fix"] == "one of: lb1, lb2"


@pytest.mark.parametrize(
    ("typed", "fix"),
    [
        (("chek",), "did you mean check? lbdeploy --help lists them"),
        (("lab", "stat"), "did you mean start? lbdeploy lab --help lists them"),
        (("xyz",), "lbdeploy --help lists them"),
    ],
)
def test_an_unknown_command_is_told_which_may_be_meant(run: Run, typed: tuple[str, ...], fix: str) -> None:
    """The nearest one, if there is one."""
    error = run("--json", *typed).json["error"]
    assert (error["message"], error["fix"]) == (f"there is no command {typed[-1]}", fix)


@pytest.mark.parametrize("args", [("--help",), ("-h",), ("check", "--help"), ("lab", "--help"), ("lab", "up", "-h")])
def test_help_is_printed(run: Run, args: tuple[str, ...]) -> None:
    """Every command has a help that says what it does: exit 0."""
    done = run(*args)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: lbdeploy")


def test_help_lists_the_commands_in_the_order_of_the_work(run: Run) -> None:
    """Commands stand in the order in which one uses them."""
    lines = run("--help").out.partition("Commands:")[2].split("\n")
    names = [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].strip()]
    assert names == [
        "init",
        "check",
        "render",
        "doctor",
        "plan",
        "up",
        "verify",
        "status",
        "rebuild",
        "handover",
        "drill",
        "rollback",
        "down",
        "lab",
        "schema",
        "completion",
    ]


def test_help_says_of_each_command_what_the_command_says_of_itself(run: Run) -> None:
    """Also of those that are not imported for it."""
    text = run("--help").out
    for name in main.cli.list_commands(click.Context(main.cli)):
        command = main.cli.get_command(click.Context(main.cli), name)
        assert command
        assert f"  {name:<12}{command.get_short_help_str(80)}\n" in text


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    """Called without a command, it says what it can do, and ends as bad usage."""
    done = run()
    assert (done.code, done.out) == (2, "")
    assert "Usage: lbdeploy" in done.err


def test_the_version_is_printed(run: Run) -> None:
    """--version names the program and its version."""
    assert run("--version").out == f"lbdeploy, version {lbdeploy.__version__}\n"


def test_a_mistake_of_its_own_leaves_a_log_and_no_traceback(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expected ends with exit 1, a message, and a log that only its owner can read."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr("lbdeploy.config.reader.load", broken)
    done = run("--json", "check")
    assert (done.code, done.json["ok"]) == (1, False)
    (log,) = (tmp_path / "state").rglob("*.log")
    assert log.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError: nobody expected this" in log.read_text()
    assert str(log) in done.json["error"]["fix"]


def test_odd_characters_can_be_shown_anywhere(tmp_path: Path) -> None:
    """A terminal that has no such character shows another one, instead of a crash."""
    (tmp_path / "hosts.toml").write_text(GOOD.replace('name = "k8s-api"', 'name = "kübernetes"'), encoding="utf-8")
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "LBDEPLOY_FILE": ""}
    done = subprocess.run([LBDEPLOY, "--json", "check"], check=False, capture_output=True, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert b"is not a plain name" in done.stderr
    assert "is not a plain name" in json.loads(done.stdout)["error"]["message"]
    assert b"Traceback" not in done.stderr


def test_a_reader_that_leaves_early_is_no_crash(tmp_path: Path) -> None:
    """When whoever reads the output has left, nothing is said about it."""
    (tmp_path / "hosts.toml").write_text(GOOD)
    reading, writing = os.pipe()
    os.close(reading)
    env = {**os.environ, "LBDEPLOY_FILE": ""}
    try:
        done = subprocess.run(
            [LBDEPLOY, "render"], check=False, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, env=env
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.fixture
def shell(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command line of a shell, which has lbdeploy as $L, beside the sample hosts.toml."""
    (tmp_path / "hosts.toml").write_text(GOOD)

    def call(line: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LBDEPLOY_FILE": "", "L": LBDEPLOY, "XDG_STATE_HOME": str(tmp_path / "state")}
        argv = ["unshare", "--net", "sh", "-c", line] if os.geteuid() == 0 else ["sh", "-c", line]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=30)
        assert "Traceback" not in done.stderr
        assert "a mistake in lbdeploy" not in done.stderr
        return done

    return call


@pytest.mark.terminal
@pytest.mark.parametrize("command", ["check", "--help", "schema", "render", "--json check"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(
    shell: Callable[..., subprocess.CompletedProcess[str]], command: str, closed: str
) -> None:
    """As cron jobs and daemons have them: what is said there goes nowhere, and the exit code is what it would be."""
    done = shell(f"$L {command} {closed}")
    assert done.returncode == 0
    assert done.stdout == ""
    assert bool(done.stderr) == ("--json" in command and "2>&-" not in closed)


@pytest.mark.terminal
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("init", "init needs a terminal to ask its questions"),
        ("down", "down asks for confirmation, which needs a terminal"),
        ("--ask-sudo plan", "--ask-sudo needs a terminal"),
    ],
)
def test_without_standard_input_nobody_is_asked(
    shell: Callable[..., subprocess.CompletedProcess[str]], command: str, told: str
) -> None:
    """The same as without a terminal."""
    done = shell(f"$L -f new.toml {command} <&-" if command == "init" else f"$L {command} <&-")
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.terminal
@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("--json check", "it had ended well, before it could say so"),
        ("--json render lb9", "it had ended with exit code 2, before it could say so"),
        ("check", "it had ended well, before it could say so"),
        ("render", "what was under way has been given up"),
        ("schema", "what was under way has been given up"),
    ],
)
def test_output_that_can_not_be_written_is_a_failure(
    shell: Callable[..., subprocess.CompletedProcess[str]], command: str, state: str
) -> None:
    """A full disk: exit 1, what kept it from being written, and what came of the run."""
    done = shell(f"$L {command} >/dev/full")
    assert done.returncode == 1
    assert "error: the output could not be written: No space left on device\n" in done.stderr
    assert f"now: {state}\n" in done.stderr


def test_a_run_that_succeeded_says_so_where_its_report_can_not_be_written(
    run: Run, seed: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to fear that nodes were left in the middle of a change."""

    def up(**_: object) -> None:
        app = click.get_current_context().obj
        end(app, changed(outcome), lambda: app.reporter.up(outcome))

    plan = survey(seed, observe(seed, seed.node("lb1")), observe(seed, seed.node("lb2")))
    outcome = Outcome(plan.plan, plan.verdict)
    monkeypatch.setattr(run_commands.up, "callback", up)
    with (
        suppress(OSError),
        open("/dev/full", "w", encoding="utf-8") as full,
    ):  # which can't be flushed when it is closed
        monkeypatch.setattr(sys, "stdout", full)
        done = run("up")
    assert done.code == 1
    assert "now: it had ended with exit code 6, before it could say so" in done.err


@pytest.mark.terminal
def test_the_current_folder_may_be_gone(shell: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """A file that is named from the root is read; others are not there."""
    gone = "mkdir gone && cd gone && rmdir ../gone && "
    assert shell(f"{gone} $L -f {tmp_path}/hosts.toml check").returncode == 0
    (tmp_path / "bad.toml").write_text(BAD)
    assert f"{tmp_path}/bad.toml:30: " in shell(f"{gone} $L -f {tmp_path}/bad.toml check").stderr
    done = shell(f"{gone} $L check")
    assert (done.returncode, "error: there is no hosts.toml\n" in done.stderr) == (2, True)


def test_the_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may change meanwhile, or be a pipe: nodes are told the text that they are made from."""
    pipe = tmp_path / "pipe.toml"
    for source in (of_file, of_app):
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_text, args=(GOOD,))
        writer.start()
        cluster, text = source(str(pipe))
        writer.join()
        pipe.unlink()
        assert (cluster.name, text.rstrip()) == ("k8s-api", GOOD.rstrip())


def of_app(file: str) -> tuple[Cluster, str]:
    app = App()
    app.file = Path(file)
    return app.cluster, app.origin.hosts


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda own: own.symlink_to("nowhere"), "templates is a link that leads nowhere"),
        (lambda own: own.write_text("x"), "templates is no folder"),
        (lambda own: (own / "haproxy.cfg.j2").mkdir(parents=True), "templates/haproxy.cfg.j2 is no file"),
        (lambda own: own.mkdir() or (own / "sysctl.conf.j2").symlink_to("nowhere"), "leads nowhere"),
    ],
)
def test_own_templates_are_not_passed_over(run: Run, tmp_path: Path, make: Callable[[Path], object], told: str) -> None:
    """Built-in ones instead of those that somebody has put there would be a surprise; a fleet's workers get none."""
    make(tmp_path / "templates")
    for command in ("check", "render"):
        done = run("--json", command)
        assert (done.code, done.json["error"]["type"]) == (2, "Render")
        assert told in done.json["error"]["message"]
    with pytest.raises(RenderError, match=told):
        pack(Job(str(tmp_path / "hosts.toml"), "plan", Options(), "me"), "0")


@pytest.mark.parametrize(
    ("typed", "call"),
    [
        ("up", ("up", (), {"suite": None, "rebuild_image": False})),
        ("up --suite trixie", ("up", (), {"suite": "trixie", "rebuild_image": False})),
        ("stop lb1", ("stop", ("lb1",), {})),
        ("start lb1", ("start", ("lb1",), {})),
        ("fresh lb1", ("fresh", ("lb1",), {})),
        ("cut lb1", ("cut", ("lb1", None), {})),
        ("join lb1 --network external", ("join", ("lb1", "external"), {})),
    ],
)
def test_the_lab_is_told_what_was_typed(
    run: Run, monkeypatch: pytest.MonkeyPatch, typed: str, call: tuple[object, ...]
) -> None:
    """Without --suite, it is the lab's own: nobody has to repeat it."""
    seen: list[tuple[object, ...]] = []

    def told(name: str, cluster: Cluster, *given: object, **how: object) -> LabStatus:
        seen.append((name, tuple(each for each in given if not callable(each)), how))
        return LabStatus("k8s-api", "hosts.toml", "up", None, [])

    for name in ("up", "stop", "start", "fresh", "cut", "join"):
        monkeypatch.setattr(f"lbdeploy.lab.commands.{name}", partial(told, name))
    assert run("lab", *typed.split()).code == 0
    assert seen == [call]
