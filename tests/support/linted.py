"""What the lint finds in files that a test has changed."""

from __future__ import annotations

from pathlib import Path

from builders import cluster
from goldens import READY

from lbdeploy.common.paths import shipped
from lbdeploy.planning.desired import files
from lbdeploy.planning.lint.lint import lint
from lbdeploy.planning.lint.lints import Lint


def built_in(name: str) -> str:
    return (shipped("templates") / f"{name}.j2").read_text()


def lints(folder: Path, template: str, text: str) -> list[Lint]:
    """What is found on the preferred node, with a template of the operator's own."""
    (folder / "templates").mkdir()
    (folder / "templates" / f"{template}.j2").write_text(text)
    found = lint(cluster(folder, READY))
    by_node = {node: [each for each in found if each.node == node] for node in ("lb1", "lb2")}
    assert [each.fix for each in by_node["lb1"]] == [each.fix for each in by_node["lb2"]]
    return by_node["lb1"]


def line_of(part: str, text: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def text_of(folder: Path, path: str) -> str:
    found = cluster(folder, READY)
    return next(file.content for file in files(found, found.preferred) if file.path == path)
