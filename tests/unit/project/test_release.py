"""A release is tagged only where it is what was committed, and said in the changelog."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def git(folder: Path, *args: str) -> None:
    known = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", *known, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with all that a release is refused for, if it is not as it should be; there is nothing to build."""
    for name in ("tools/sh/release", "lbdeploy/common/version.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(TOP / name, tmp_path / name)
    (tmp_path / "lbdeploy/common/version.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-11-30)\n")
    (tmp_path / "changelog").mkdir()
    (tmp_path / "changelog/README.md").write_text("How to.\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "All of it")
    return tmp_path


def refused(project: Path) -> str:
    """Why it is not released."""
    argv = ["env", "TAG=yes", "tools/sh/release"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=project)
    assert done.returncode == 2, done.stderr
    assert "nothing was built or tagged" in done.stderr
    return done.stderr


def test_what_is_not_committed_is_not_released(project: Path) -> None:
    """A file that git does not know may be in the wheel."""
    (project / "new.py").touch()
    assert "not committed" in refused(project)


def test_a_version_is_released_once(project: Path) -> None:
    """What was published under a tag stays what it was."""
    git(project, "tag", "v1.2.0")
    assert "v1.2.0 is there already" in refused(project)


def test_a_version_that_the_changelog_does_not_have_is_not_released(project: Path) -> None:
    """Operators would not know what is new."""
    (project / "CHANGELOG.md").write_text("# Changelog\n\n## 1.1.0 (2026-11-23)\n")
    git(project, "commit", "-a", "-m", "Of the release before")
    assert "no section of 1.2.0" in refused(project)


def test_fragments_are_folded_into_the_changelog_first(project: Path) -> None:
    """They would be told as news of the release after."""
    (project / "changelog/a-thing.added.md").write_text("A thing.\n")
    git(project, "add", ".")
    git(project, "commit", "-m", "A thing")
    assert "has fragments" in refused(project)


def test_this_version_is_in_the_changelog() -> None:
    """With the date of its release."""
    version = (TOP / "lbdeploy/common/version.py").read_text().split('"')[-2]
    assert f"\n## {version} (20" in (TOP / "CHANGELOG.md").read_text()
