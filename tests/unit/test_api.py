"""lbdeploy as a library: what can be said of it without nodes."""

from __future__ import annotations

import ast
import logging
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from builders import SEED

import lbdeploy
from lbdeploy import api
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, HostsFileError, LabError, UsageError
from lbdeploy.events import Event, Note

TOP = Path(__file__).parents[2]


def test_its_names_are_listed_before_they_are_used() -> None:
    """By `dir`, and so by what completes names in editors and notebooks."""
    assert {*lbdeploy.__all__, "__version__"} <= {*dir(lbdeploy)}


def test_the_package_imports_nothing() -> None:
    """`import lbdeploy` costs nothing but itself; what its names need is imported with the first one that is used."""
    program = "import sys; before = {*sys.modules}; import lbdeploy; print(sorted({*sys.modules} - before))"
    argv = [sys.executable, "-S", "-X", "importtime", "-c", program]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(TOP)})
    assert done.stdout.strip() == "['lbdeploy']"
    microseconds = [int(line.split("|")[1]) for line in done.stderr.splitlines() if line.endswith("| lbdeploy")]
    assert 0 < microseconds[0] < 20_000


def test_type_checkers_are_told_of_every_name() -> None:
    """__init__.pyi has the names that the package has."""
    stub = ast.parse((TOP / "lbdeploy" / "__init__.pyi").read_text())
    told = [each.asname for node in stub.body if isinstance(node, ast.ImportFrom) for each in node.names]
    assert tuple(told) == lbdeploy.__all__
    assert sorted(api.__all__) == sorted(lbdeploy.__all__)
    assert all(getattr(lbdeploy, name) is getattr(api, name) for name in lbdeploy.__all__)
    with pytest.raises(AttributeError, match="no attribute 'apply'"):
        lbdeploy.apply  # type: ignore[attr-defined]  # noqa: B018


def test_an_operation_is_not_hidden_by_a_module_of_its_name() -> None:
    """`lbdeploy.plan` can be called, whatever is imported before or after: no module has the name of an operation."""
    assert not [name for name in lbdeploy.__all__ if find_spec(f"lbdeploy.{name}")]


def test_a_file_that_is_wrong_is_refused_with_all_of_its_problems(tmp_path: Path) -> None:
    """load raises what the command line shows."""
    (tmp_path / "hosts.toml").write_text(SEED.read_text().replace("router_id = 101", "router_id = 300\nx = 1"))
    with pytest.raises(HostsFileError) as raised:
        api.load(tmp_path / "hosts.toml")
    assert [problem.key for problem in raised.value.problems] == ["vrrp.router_id", "vrrp.x"]


@pytest.mark.parametrize(
    "asked", [{"limit": ["lb1", "lb9"]}, {"limit": "lb9"}, {"ignore": ["everything"]}, {"reinstall": "linux"}]
)
def test_what_cannot_be_asked_is_refused(seed: Cluster, asked: dict[str, Any]) -> None:
    """A node, a check or a package that there is not: before anybody is contacted."""
    with pytest.raises(UsageError, match=r"there is no (node|check|package) \w+") as raised:
        api.up(seed, **asked)
    assert raised.value.fix


@pytest.mark.parametrize("operation", [api.drain, api.undrain])
def test_a_server_that_there_is_not_is_refused(seed: Cluster, operation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody is contacted."""
    connected: list[object] = []
    monkeypatch.setattr("lbdeploy.ssh.pool.SessionPool.__init__", lambda *_, **__: connected.append(True))
    with pytest.raises(UsageError, match="there is no server master9"):
        operation(seed, "master9")
    assert connected == []


@pytest.mark.parametrize("nodes", [[], {"lb1": "10.0.0.1", "lb2": "10.0.0.1"}, ["lb1", "ops@lb2"]])
def test_what_can_not_be_a_pair_is_not_adopted(nodes: Any) -> None:
    """Before anybody is contacted."""
    with pytest.raises(UsageError):
        api.adopt(nodes)


def test_an_option_that_there_is_not_is_a_type_error(seed: Cluster) -> None:
    """Also where no type checker has looked."""
    with pytest.raises(TypeError, match="limitt"):
        api.plan(seed, limitt=["lb1"])  # type: ignore[call-arg]


def test_nodes_that_cannot_be_reached(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In a thread, as in the main one: a typed error, nothing is printed, and Ctrl-C is whose it was."""
    text = SEED.read_text().replace("priority = ", 'host = "127.0.0.1"\npriority = ')
    (tmp_path / "hosts.toml").write_text(text.replace('user = "ops"', 'user = "ops"\nport = 1'))
    cluster = api.load(tmp_path / "hosts.toml")
    before = signal.getsignal(signal.SIGINT)
    events: list[Event] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            api.up(cluster, on_event=events.append)
        except ConnectError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert [type(each) for each in errors] == [ConnectError]
    assert {getattr(each, "who", "") for each in events} == {"lb1", "lb2"}
    assert signal.getsignal(signal.SIGINT) is before
    assert capfd.readouterr() == ("", "")


def test_a_process_with_threads_is_not_moved_into_the_lab() -> None:
    """Only one of its threads would move."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with pytest.raises(LabError, match="thread"):
            api.load(SEED, lab=True)
    finally:
        over.set()
        thread.join()


def test_a_mistake_in_on_event_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    """It goes to the log `lbdeploy`; the run, which may be changing a node, goes on."""

    def wrong(event: Event) -> None:
        raise ValueError("of the callback")

    with caplog.at_level(logging.ERROR):
        api._telling(wrong)(Note(None, "something happened"))
    assert "of the callback" in caplog.text


def test_a_run_is_named_after_the_program_without_its_arguments(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others who find the nodes locked are told who it is, and no secret."""
    monkeypatch.setattr(sys, "argv", ["/srv/deploy.py", "--token", "hunter2"])
    about = api._origin(seed, "up").about
    assert about.endswith(": lbdeploy.up() in deploy.py")


def test_nodes_are_told_of_the_file_only_while_it_says_the_same(tmp_path: Path) -> None:
    """What is kept on them for `rollback` is the hosts.toml that their files were made from."""
    file = tmp_path / "hosts.toml"
    file.write_text(SEED.read_text())
    cluster = api.load(file)
    assert api._origin(cluster, "up").hosts == SEED.read_text().rstrip("\n")
    file.write_text(SEED.read_text().replace("preempt_delay = 30", "preempt_delay = 5"))
    assert api._origin(cluster, "up").hosts == ""
    file.write_text("not TOML")
    assert api._origin(cluster, "up").hosts == ""
