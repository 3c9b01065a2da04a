"""Problems of templates: the part of the line that is meant, and those of several templates in one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.errors import RenderError
from lbdeploy.planning.template_problems import all_in_one, problem


@pytest.mark.parametrize(
    ("source", "message", "marked"),
    [
        ("x = {{ clustr.name }}", "'clustr' is undefined; did you mean cluster?", "clustr"),
        ("  {{ node.nmae }}", "'lbdeploy.config.model.Node object' has no attribute 'nmae'", "nmae"),
        ("{{ names }} {{ name }}", "'name' is undefined", "name"),
        ("\t{{ 1 / 0 }}", "division by zero", "{{ 1 / 0 }}"),
        ("x {{ y", "unexpected end of template, expected 'end of print statement'.", "x {{ y"),
    ],
)
def test_what_is_meant_is_marked(tmp_path: Path, source: str, message: str, marked: str) -> None:
    """The word that the message is about, where the line has it; else all of the line."""
    path = tmp_path / "a.j2"
    path.write_text(f"first\n{source}\n")
    found = problem(path, 2, message, "fix")
    assert found.source[found.column - 1 :][: found.width] == marked
    assert (found.line, found.file) == (2, str(path))
    assert "names" not in marked or source.index("name }") == found.column - 1


@pytest.mark.parametrize("line", [0, 2, 9])
def test_no_line_is_shown_that_is_not_there_or_holds_a_password(tmp_path: Path, line: int) -> None:
    path = tmp_path / "a.j2"
    path.write_text("first\n    auth_pass {{ nobody }}hunter2\n")
    found = problem(path, line, "'nobody' is undefined", "fix")
    assert (found.column, found.source, found.line) == (0, "", line)
    assert problem(tmp_path / "gone.j2", 1, "is gone", "fix").source == ""


def test_the_same_on_all_nodes_is_one_problem_and_what_one_has_is_told_with_its_name() -> None:
    def error(node: str, path: str) -> RenderError:
        return RenderError("m", node=node, state="s", fix="f", problems=[problem(Path(path), 3, "wrong", "f")])

    both, alone = [error("lb1", "/a"), error("lb2", "/a")], error("lb2", "/b")
    assert all_in_one(both, 2) is both[0]
    found = all_in_one([*both, alone], 2)
    assert found.lines() == ["/a:3: wrong", "/b:3: wrong (on lb2)"]
    assert found.to_json()["message"] == "the templates have 2 problems\n/a:3: wrong\n/b:3: wrong (on lb2)"
    assert found.to_json()["problems"][0] == {"line": 3, "file": "/a", "message": "wrong", "fix": "f"}
