"""The lab's commands, without a lab."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from console import Run

from lbdeploy.config.model import Cluster
from lbdeploy.lab.status import LabStatus


@pytest.mark.parametrize(
    ("typed", "where", "command"),
    [
        ("lb1 ip -4 a", "lb1", "ip -4 a"),
        ("lb1 rm -f *.toml --json", "lb1", "rm -f *.toml --json"),
        ("-f other.toml lb1 true", "lb1", "true"),
        ("-v lb1 -h", "lb1", "-h"),
        ("lb1 -- true", "lb1", "-- true"),
    ],
)
def test_what_follows_the_name_of_a_node_is_run_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str, where: str, command: str
) -> None:
    """As it was typed; options before it are lbdeploy's."""
    seen: list[tuple[str, str]] = []

    def told(cluster: Cluster, where: str, command: list[str]) -> int:
        seen.append((where, " ".join(command)))
        return 7

    (tmp_path / "other.toml").write_text((tmp_path / "hosts.toml").read_text())
    monkeypatch.setattr("lbdeploy.lab.commands.exec_", told)
    done = run("lab", "exec", *typed.split())
    assert (done.code, done.out, seen) == (7, "", [(where, command)])


def test_an_option_before_the_name_that_there_is_not_is_a_mistake(run: Run) -> None:
    """It is no node's name."""
    done = run("lab", "exec", "--files", "other.toml", "lb1", "true")
    assert (done.code, "has no option --files" in done.err) == (2, True)


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
