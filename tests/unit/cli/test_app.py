"""What all commands share: the file, its templates, and the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.exceptions import Exit
from console import BAD, Do, End, Run, Shell
from goldens import GOOD

from lbdeploy.cli.app import App
from lbdeploy.config.model import Cluster
from lbdeploy.errors import RenderError
from lbdeploy.events import Note
from lbdeploy.operations.fleet.dask import pack
from lbdeploy.operations.fleet.job import Job
from lbdeploy.operations.fleet.worker import of_file
from lbdeploy.rollout.request import Options


@pytest.mark.parametrize("command", ["check", "render", "plan", "up", "verify"])
def test_no_command_begins_with_a_bad_file(run: Run, tmp_path: Path, command: str) -> None:
    """Whatever was asked for, a bad file ends it with exit 2 before anything is contacted."""
    (tmp_path / "hosts.toml").write_text(BAD)
    done = run("--json", command)
    assert (done.code, done.json["command"], done.json["error"]["type"]) == (2, command, "HostsFile")
    assert done.json["error"]["state"] == "nothing was contacted"


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


@pytest.mark.terminal
def test_the_current_folder_may_be_gone(shell: Shell, tmp_path: Path) -> None:
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


def test_an_unhealthy_cluster_has_its_log_named(end: End, tmp_path: Path) -> None:
    """That is no error, but somebody will look into it; pending changes are nothing to look into."""

    def ended(code: int) -> Do:
        def do(app: App) -> None:
            app.emit(Note(None, "something"))
            app.finish(code)
            raise BrokenPipeError if code == 1 else click_exit

        return do

    click_exit = Exit(0)
    assert end(ended(6))[1].count("log: ") == 1
    assert "log: " not in end(ended(3))[1]
    assert "log: " not in end(ended(0))[1]
    assert end(ended(1)) == (1, "something\n"), "whoever has left is told nothing"
