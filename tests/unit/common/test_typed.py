"""Advice that is a command: the same for people and for programs."""

from __future__ import annotations

import ast
import copy
import json
import pickle
from collections.abc import Iterator

from builders import TOP

from lbdeploy.common.typed import Typed, as_data, typed
from lbdeploy.errors import LbdeployError
from lbdeploy.health.finding import Finding


def test_the_words_tell_the_command_that_programs_get() -> None:
    """Quoted for people, word by word for programs."""
    fix = typed("drain", "a b", "--wait", "60", before="first look: ", after=" waits")
    assert fix == "first look: lbdeploy drain 'a b' --wait 60 waits"
    assert fix.words == ("lbdeploy", "drain", "a b", "--wait", "60")
    assert as_data(fix) == {"fix": str(fix), "fix_command": ["lbdeploy", "drain", "a b", "--wait", "60"]}
    assert (as_data("look there"), as_data(None)) == ({"fix": "look there"}, {})


def test_it_is_a_text_wherever_it_is_shown_kept_or_sent() -> None:
    """What is put together with other words is advice of which nobody knows which command is meant."""
    fix = typed("up")
    for same in (copy.deepcopy(fix), pickle.loads(pickle.dumps(fix))):
        assert (same, same.words) == ("lbdeploy up", ("lbdeploy", "up"))
    assert json.dumps(fix) == '"lbdeploy up"'
    assert not isinstance(f"{fix}; or look", Typed)


def test_findings_and_errors_have_it_as_data() -> None:
    command = {"fix": "lbdeploy up", "fix_command": ["lbdeploy", "up"]}
    finding = Finding.failed("lb1", "file", "differs", typed("up")).as_warning()
    assert finding.to_json().items() >= command.items()
    assert LbdeployError("m", fix=typed("up")).at("lb1").to_json().items() >= command.items()
    assert "fix_command" not in Finding.failed("lb1", "file", "differs", "look").to_json()


# No command to be run as it stands: help, more words of the same, one of several, a placeholder, somebody's decision.
PLAIN = (
    "--help", "-v ", "or:", "; or ", "or one of", ", then: ", "NODE", "lb1 lb2", "of {", "without", "--lab",
    "if that is", "was tried",
)  # fmt: skip


def test_advice_that_begins_with_a_command_is_one() -> None:
    """So no error or finding has it only in words."""
    found = [f"{where}: {text}" for where, text in advice() if not any(each in text for each in PLAIN)]
    assert found == []


def advice() -> Iterator[tuple[str, str]]:
    """Texts that are given as a fix, and begin with a command."""
    for path in (TOP / "lbdeploy").rglob("*.py"):
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = each.value if isinstance(each, ast.Assign | ast.keyword) else None
            names = [target.id for target in each.targets if isinstance(target, ast.Name)] if isinstance(
                each, ast.Assign
            ) else [each.arg or ""] if isinstance(each, ast.keyword) else []  # fmt: skip
            if any(name == "fix" or name.endswith("_fix") for name in names) and isinstance(
                value, ast.Constant | ast.JoinedStr
            ):
                text = ast.unparse(value).lstrip("f").strip("'\"")
                if text.startswith("lbdeploy "):
                    yield path.name, text
