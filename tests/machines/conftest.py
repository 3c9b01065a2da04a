"""Two machines for all tests that need kernels, disks and page caches of their own. Run by `make machines` alone."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import TOP, Done, held_by, wait_for
from machines import NODES, Machines

FOLDER = TOP / "build/machines"  # always the same: what a session that was killed has left is found by the next


def pytest_configure() -> None:
    """A run that is told to end removes its machines, as one that is interrupted does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lies here is for the machines."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.machines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Of a test that failed, show what the machines' daemons and consoles said meanwhile."""
    report = yield
    if report.failed and item.path.parent == Path(__file__).parent:
        for lab in (each for each in Machines.known if isinstance(each, Machines)):
            for node in NODES:
                with suppress(Exception):  # it is off, or hangs: what failed is told anyway
                    report.sections.append((f"console of {node}", lab.said(node)))
                    report.sections.append((f"journal of {node}", lab.journal(node, call.start)))
    return report


def hosts_toml() -> str:
    """The seed's, with a short delay, or each test that moves the VIPs would wait for half a minute.

    And as whoever has slow machines would write it. Without KVM, on a busy host, sshd takes longer to greet than an
    operator would wait, and haproxy's check, ten small programs each second, leaves a machine time for nothing else.
    """
    text = (TOP / "hosts.toml").read_text()
    quick, slow = "preempt_delay = 2", "check_interval = 5\ncheck_timeout = 10"
    for old, new in (("preempt_delay = 30", f"{quick}\n{slow}"), ("\n[ssh] ", "\n[ssh]\nconnect_timeout = 60 ")):
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Bare machines for the seed's pair. Removed at the end, also when the run is interrupted."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a second run here would remove the machines of the first
        file = FOLDER / "hosts.toml"
        file.write_text(hosts_toml())
        machines = Machines(file)
        try:
            machines.start()
            yield machines
        finally:
            machines.end()


@pytest.fixture(scope="session")
def first_up(machines: Machines) -> Done:
    """What the first `up` said, from bare machines."""
    return machines.run("--json", "up")


@pytest.fixture
def pair(machines: Machines, first_up: Done) -> Iterator[Machines]:
    """A pair as hosts.toml says, whose VIPs are on lb1; what a test did to hosts.toml and the templates is undone."""
    assert first_up.code == 0, first_up.out + first_up.err
    machines.original_files()
    machines.boot(*(node for node in NODES if not machines.machine[node].is_on))
    if machines.run("up", "--lock-wait", "60").code:
        healed = machines.run("verify", "--wait", "120")
        assert healed.code == 0, healed.out + healed.err
    wait_for(lambda: held_by(machines, "lb1"), 60)
    yield machines
    machines.original_files()
