"""Every expected failure says what happened, where, in what state things are, and what to type next."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import TOP

from lbdeploy import errors
from lbdeploy.errors import ConnectError, InterruptedRunError, LbdeployError, LoginError

KINDS = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, LbdeployError)}
CODES = {1, 2, 4, 5, 6, 7, 130}  # of the contract; 0 and 3 are no errors
# Where all nodes are meant, or `SessionPool` adds the node that it was about.
OF_MANY = [
    "candidates.py",
    "handover.py",
    "generations.py",
    "down.py",
    "run.py",
    "loop.py",
    "rebuild.py",
    "fleet",
    "host_keys.py",
    "config.py",
]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
def test_each_kind_has_an_exit_code_and_two_paragraphs(kind: type[LbdeployError]) -> None:
    """What happened, and what to do: docs/errors.md is made of them."""
    assert kind.exit_code in CODES
    paragraphs = inspect.cleandoc(vars(kind)["__doc__"]).split("\n\n")
    assert len(paragraphs) == 2
    assert all(each.endswith(".") for each in paragraphs)


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    """Names, exit codes, and who is whose."""
    drawn = re.findall(r"^ {4}([│ ├└─]*)(\w+Error) +exit (\d+)", errors.__doc__ or "", re.MULTILINE)
    assert {name: int(code) for _, name, code in drawn} == {name: kind.exit_code for name, kind in KINDS.items()}
    above: list[type] = [Exception]
    for lines, name, _ in drawn:
        above[len(lines) // 4 + 1 :] = [KINDS[name]]
        assert above[-1].__bases__ == (above[-2],)


def raised() -> Iterator[tuple[str, type[LbdeployError], set[str]]]:
    """Every place where an error is made: file and line, its kind, and what it is told besides the message."""
    for file in sorted((TOP / "lbdeploy").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "Error(" not in text or file.name == "errors.py":
            continue
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in KINDS:
                where = f"{file.relative_to(TOP / 'lbdeploy')}:{call.lineno}"
                yield where, KINDS[call.func.id], {each.arg or "**" for each in call.keywords}


def of_many(where: str) -> bool:
    path = Path(where.partition(":")[0])
    return not set(path.parts).isdisjoint(OF_MANY)


def test_no_error_is_edited_after_it_was_raised() -> None:
    """Whoever knows more raises another one: LbdeployError.but. Otherwise nobody could tell who has said what."""
    parts = {"message", "node", "state", "fix", "detail", "new", "locked", "wants_password", "silent"}
    edits = [
        f"{file.relative_to(TOP)}:{each.lineno}"
        for file in sorted((TOP / "lbdeploy").rglob("*.py"))
        for each in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store) and each.attr in parts
        if not (isinstance(each.value, ast.Name) and each.value.id == "self")
    ]
    assert edits == []


def test_an_error_that_is_told_more_stays_what_it_is() -> None:
    """Its kind, and what else it knows; the first one is as it was."""
    first = LoginError("no", fix="ssh-add", locked=[Path("key")])
    then = first.at("lb1").but(state="nothing was moved")
    assert (type(then), str(then), then.node, then.state, then.fix) == (
        LoginError, "no", "lb1", "nothing was moved", "ssh-add"
    )  # fmt: skip
    assert (then.locked, first.node, first.state) == ((Path("key"),), None, None)
    assert then.at("lb2") is then


def test_each_error_says_state_node_and_next_step() -> None:
    """Wherever one is made: at 3 a.m. nobody wants to look that up."""
    places = list(raised())
    assert len(places) > 100
    complete = {"HostsFileError": {"state", "fix"}, "InterruptedRunError": {"fix"}}  # or nothing is left to do
    lacking = [
        f"{where}: {kind.__name__}: {', '.join(sorted(missing))}"
        for where, kind, told in places
        if (missing := needed(where, kind) - told - complete.get(kind.__name__, set())) and "**" not in told
    ]
    assert lacking == []


def needed(where: str, kind: type[LbdeployError]) -> set[str]:
    """What an error has to be told; the node where it is of one."""
    state = set() if kind.usual_state else {"state"}
    of_node = issubclass(kind, errors.RemoteError | ConnectError | errors.LockedError | errors.RenderError)
    return {"fix"} | state | ({"node"} if of_node and not of_many(where) else set())


def test_advice_about_a_wrong_file_is_a_command_whatever_its_name_is() -> None:
    """A path with spaces is quoted in it, and programs get its words."""
    told = errors.HostsFileError(Path("my hosts.toml"), []).to_json()
    assert told["fix"] == "edit my hosts.toml, then: lbdeploy -f 'my hosts.toml' check"
    assert told["fix_command"] == ["lbdeploy", "-f", "my hosts.toml", "check"]


def test_what_is_usual_is_said() -> None:
    """An error of the command line has contacted nothing, unless it says so."""
    assert errors.UsageError("x").to_json()["state"] == "nothing was contacted"
    assert errors.UsageError("x", state="otherwise").state == "otherwise"
    assert "state" not in InterruptedRunError("x").to_json()
