"""One lab for all tests that need real nodes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from clients import traffic
from harness import TOP, VIPS, Lab, converge, sound
from machine import Stalls
from shares import run_share

STALLS = Stalls()


@pytest.fixture(autouse=True, scope="session")
def what_runs_write_is_not_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lbdeploy's logs and its cache lie with what else the tests leave behind for a while."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


def pytest_configure() -> None:
    """A run that is told to end removes its lab, as one that is interrupted does."""
    STALLS.start()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies here is for the lab: a module that does not say so would be left out, and nobody would know."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.lab)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run only a share of the files where several processes are at work: see tools/sh/labtests."""
    taken = os.environ.get("LAB_TESTS_TAKEN")
    if not taken or session.testsfailed or session.config.option.collectonly:
        return None  # pytest's own loop
    run_share(session, Path(taken))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Of a test that failed, show how the machine was, and what the nodes' daemons said: it may never fail again."""
    report = yield
    if report.failed and item.path.parent == Path(__file__).parent:
        report.sections.append(("the machine", STALLS.since(call.start)))
        for lab in Lab.known:
            with suppress(Exception):  # it is off, or hangs: what failed is told anyway
                report.sections += [(f"journal of {node}", lab.journal(node, call.start)) for node in ("lb1", "lb2")]
    return report


@pytest.fixture(scope="session")
def session_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The seed's pair in a lab, brought up from bare nodes. Removed at the end, also when the run is interrupted."""
    file = tmp_path_factory.mktemp("pair") / "hosts.toml"
    # A short delay, or each test that moves the VIPs would wait for half a minute.
    file.write_text((TOP / "hosts.toml").read_text().replace("preempt_delay = 30", "preempt_delay = 2"))
    lab = Lab(file)
    try:
        lab.lab("up")
        yield lab
    finally:
        ended = lab.lbdeploy("lab", "down")
        assert ended.code == 0, ended.err


@pytest.fixture
def pair(session_lab: Lab) -> Iterator[Lab]:
    """A healthy, converged pair; what a test did to hosts.toml, the templates and the lab is undone after it.

    What it did to the nodes' configuration is undone for the next test that wants a pair.
    """
    converge(session_lab)
    yield session_lab
    session_lab.file.write_text(session_lab.original)
    shutil.rmtree(session_lab.file.parent / "templates", ignore_errors=True)
    session_lab.lab("up")


@pytest.fixture
def bare(session_lab: Lab) -> Iterator[Lab]:
    """Nodes on which lbdeploy has never been, also afterwards: whoever wants a pair makes one of them."""
    session_lab.lab("down")
    session_lab.lab("up")
    yield session_lab
    session_lab.lab("down")
    session_lab.lab("up")


@pytest.fixture
def unnoticed(pair: Lab) -> Iterator[None]:
    """Clients connect to both VIPs and hold streams meanwhile, and notice nothing; afterwards, the pair is sound."""
    with traffic(pair, *VIPS) as seen:
        yield
    assert seen["probes"] > 20
    assert seen["failures"] == []
    assert seen["late"] == []
    assert seen["broken"] == []
    pair.file.write_text(pair.original)
    shutil.rmtree(pair.file.parent / "templates", ignore_errors=True)
    sound(pair)
