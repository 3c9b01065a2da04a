"""How the processes of `make test` share the tests on nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shares

pytestmark = pytest.mark.terminal

CONFTEST = """
import os, pathlib, pytest, sys
sys.path.insert(0, {here!r})
from shares import run_share

def pytest_runtestloop(session):
    run_share(session, pathlib.Path(os.environ["TAKEN"]))
    return True

@pytest.fixture(scope="session")
def lab():
    yield print("lab up")
    print("lab down")
"""
TEST = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(lab, number):
    assert number < {fails}
    with open({log!r}, "a") as log:
        log.write("{name}\\n")
"""


def start(folder: Path, taken: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", str(folder)]
    return subprocess.Popen(argv, env={**os.environ, "TAKEN": str(taken)}, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tests in four files, the last of which has one that fails."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST.format(here=str(Path(shares.__file__).parent)))
    for tests, name in enumerate("abcd", 1):
        text = TEST.format(tests=tests, name=name, log=str(tmp_path / "log"), fails=3 if name == "d" else 9)
        (folder / f"test_{name}.py").write_text(text)
    return folder


def test_each_test_is_run_by_one_process(folder: Path, tmp_path: Path) -> None:
    """Whatever fails is told by whoever ran it, and each process has one lab."""
    taken = tmp_path / "taken"
    taken.mkdir()
    both = [start(folder, taken), start(folder, taken)]
    told = [each.communicate(timeout=60)[0] for each in both]
    assert sorted((tmp_path / "log").read_text().split()) == [*"abbcccddd"]
    assert sorted(path.name for path in taken.iterdir()) == [f"test_{each}.py" for each in "abcd"]
    assert sorted(each.returncode for each in both) == [0, 1]
    for each in told:
        assert each.count("lab up") == each.count("lab down") <= 1


def test_most_tests_come_first(folder: Path, tmp_path: Path) -> None:
    """The longest file is not the one that all wait for at the end."""
    taken = tmp_path / "taken"
    taken.mkdir()
    start(folder, taken).communicate(timeout=60)
    assert (tmp_path / "log").read_text().split() == [*"dddcccbba"]
