"""The lab's commands, without a lab."""

from __future__ import annotations

from functools import partial

import pytest
from console import Run

from lbdeploy.config.model import Cluster
from lbdeploy.lab.status import LabStatus


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
