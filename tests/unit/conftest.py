"""What the tests of pure code share: they contact nothing, and need neither root nor nodes."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import console
import pytest
import sessions
from builders import cluster
from goldens import RICH, beside
from hypothesis import settings
from jinja2.bccache import Bucket, BytecodeCache

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster

SEED = Path(__file__).parents[2] / "hosts.toml"

# A slow machine is no failure; where CI is set, hypothesis tries the same examples every time.
settings.register_profile("lbdeploy", settings.get_profile("ci" if os.environ.get("CI") else "default"), deadline=None)
settings.load_profile("lbdeploy")

gc.disable()  # what is imported and collected stays: looking for garbage in it took a quarter of the time of collecting


def pytest_collection_finish() -> None:
    """From here on there is garbage; what was there before is looked through no more."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def seed() -> Cluster:
    """The cluster of the sample file."""
    return reader.load(SEED)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[console.Run]:
    """Runs the console script's function in this process, in an empty folder with the sample hosts.toml."""
    yield from console.running(tmp_path, monkeypatch, capsys)


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[console.End]:
    """Runs `check`, which does something else; its exit code, and what stood on standard error."""
    yield from console.ending(tmp_path, monkeypatch, capsys)


@pytest.fixture
def shell(tmp_path: Path) -> console.Shell:
    """Runs a command line of a shell, which has lbdeploy as $L, beside the sample hosts.toml."""
    return console.shell_in(tmp_path)


@pytest.fixture
def ca_folder(tmp_path: Path) -> Path:
    """A ca_folder with the certificate of a CA, and with its key beside a server's certificate."""
    beside(tmp_path)
    return tmp_path


@pytest.fixture
def rich(ca_folder: Path) -> Cluster:
    """Every kind of frontend, and metrics."""
    return cluster(ca_folder, RICH)


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nodes that connect at once, but for lb2: only when the event is set, as one that is dead."""
    yield from sessions.without_lb2(monkeypatch)


@pytest.fixture(autouse=True, scope="session")
def what_runs_write_is_not_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Lbdeploy's logs and its cache lie with what else the tests leave behind for a while."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


class InMemory(BytecodeCache):
    """Compiled templates, by name, path and content: the built-in ones are the same for every folder of a test."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.known:
            bucket.bytecode_from_string(self.known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.known[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(autouse=True, scope="session")
def templates_of_tests_are_not_kept() -> Iterator[None]:
    """Compiled templates lie beside Python's bytecode; those of the folders of tests would stay there for ever."""
    cache = InMemory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lbdeploy.planning.render._bytecode_cache", lambda: cache)
        yield
