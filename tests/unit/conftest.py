"""What the tests of pure code share: they contact nothing, and need neither root nor nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lbdeploy import hosts
from lbdeploy.model import Cluster

SEED = Path(__file__).parents[2] / "hosts.toml"

# A slow machine is no failure; where CI is set, hypothesis tries the same examples every time.
settings.register_profile("lbdeploy", settings.get_profile("ci" if os.environ.get("CI") else "default"), deadline=None)
settings.load_profile("lbdeploy")


@pytest.fixture
def seed() -> Cluster:
    """The cluster of the sample file."""
    return hosts.load(SEED)


@pytest.fixture(autouse=True, scope="session")
def logs_of_tests_are_not_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What lbdeploy writes of its runs lies with what else the tests leave behind for a while."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True, scope="session")
def templates_of_tests_are_not_kept() -> Iterator[None]:
    """Compiled templates lie beside Python's bytecode; those of the folders of tests would stay there for ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lbdeploy.render._bytecode_cache", lambda: None)
        yield
