"""The checks of `doctor`, and those that `up` makes, too."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from checkups import looked, of_node

import lbdeploy
from lbdeploy.config.model import Cluster
from lbdeploy.operations.doctor import checklist, network_checks, software_checks, system_checks
from lbdeploy.operations.doctor.checklist import CHECKS, IGNORED_BY_UP

MODULES = (software_checks, system_checks, network_checks)


def test_what_up_looks_at_too_is_found(seed: Cluster) -> None:
    """No systemd, and a kernel setting that can't be set, are refused by every up."""
    node = looked(seed)
    node = replace(node, observation=replace(node.observation, lacks=frozenset({"systemd", "nonlocal-bind"})))
    assert of_node(seed, node) == [("systemd", False), ("nonlocal-bind", False)]
    assert {"systemd", "nonlocal-bind", "vip-in-use", "vrid-in-use"} <= set(IGNORED_BY_UP)


def test_every_row_has_code_that_finds_it() -> None:
    """A row that nothing looks at would be told of every node as passed."""
    files = [file for file in Path(lbdeploy.__file__).parent.rglob("*.py") if file != Path(checklist.__file__)]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    assert [check.id for check in CHECKS if f'"{check.id}"' not in code] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_finding_has_its_row(module: ModuleType) -> None:
    """So `--ignore` takes it, and docs/doctor.md says what to do about it."""
    told = re.findall(r'Finding\.(?:failed|warning)\(\s*[\w.]+,\s*"([\w-]+)"', inspect.getsource(module))
    assert told
    assert {*told} - {check.id for check in CHECKS} == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_judge_is_asked(module: ModuleType) -> None:
    """What looks like one, and is not in JUDGES, would find nothing on any node."""
    shapes = {str(inspect.signature(each)) for each in module.JUDGES}
    own = [each for _, each in inspect.getmembers(module, inspect.isfunction) if each.__module__ == module.__name__]
    alike = {each.__name__ for each in own if str(inspect.signature(each)) in shapes}
    assert alike - {"problems"} == {each.__name__ for each in module.JUDGES}
