"""The changelog is joined from fragments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(TOP / "tools/python/changelog.py"), *args]
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with two releases' worth of changes."""
    (tmp_path / "changelog").mkdir()
    (tmp_path / "changelog/README.md").write_text("How to.\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\nWhat changed.\n")
    (tmp_path / "changelog/a-thing.added.md").write_text("A thing\nof two lines.\n")
    (tmp_path / "changelog/12.fixed.md").write_text("A fault.\n")
    (tmp_path / "changelog/hole.security.md").write_text("A hole.\n")
    return tmp_path


SECTION = """\
### Security

- A hole.

### Added

- A thing
  of two lines.

### Fixed

- A fault.
"""


def test_what_the_next_release_would_say_is_shown(folder: Path) -> None:
    """By kind, the gravest first; nothing is changed."""
    assert run(folder).stdout.rstrip("\n") + "\n" == SECTION
    assert len(list((folder / "changelog").iterdir())) == 4


def test_a_release_takes_the_fragments_and_goes_to_the_top(folder: Path) -> None:
    """Earlier releases stand below it, and the README stays for the next."""
    assert run(folder, "1.0.0", "2026-01-02").returncode == 0
    assert [each.name for each in (folder / "changelog").iterdir()] == ["README.md"]
    (folder / "changelog/next.changed.md").write_text("Another.")
    assert run(folder, "1.1.0", "2026-02-03").returncode == 0
    assert (folder / "CHANGELOG.md").read_text() == (
        "# Changelog\n\nWhat changed.\n\n## 1.1.0 (2026-02-03)\n\n### Changed\n\n- Another.\n"
        f"\n## 1.0.0 (2026-01-02)\n\n{SECTION}"
    )


@pytest.mark.parametrize("args", [("1.0.0",), ("1.0.0", "today"), ("1", "2", "3")])
def test_bad_usage_changes_nothing(folder: Path, args: tuple[str, ...]) -> None:
    """Exit 2, and the fragments are still there."""
    assert run(folder, *args).returncode == 2
    assert len(list((folder / "changelog").iterdir())) == 4


def test_a_file_that_is_no_fragment_is_refused(folder: Path) -> None:
    """A kind that nobody knows would be lost without a word."""
    (folder / "changelog/b.add.md").write_text("Lost.")
    done = run(folder)
    assert (done.returncode, "b.add.md" in done.stderr) == (2, True)
    assert run(folder, "1.0.0", "2026-01-02").returncode == 2


def test_a_release_without_changes_is_refused(folder: Path) -> None:
    """There is nothing to say."""
    for path in (folder / "changelog").glob("*.*.md"):
        path.unlink()
    assert run(folder, "1.0.0", "2026-01-02").returncode == 2


def test_a_version_has_one_section(folder: Path) -> None:
    """What was released under a number is not told of again."""
    assert run(folder, "1.0.0", "2026-01-02").returncode == 0
    (folder / "changelog/late.added.md").write_text("Late.\n")
    assert run(folder, "1.0.0", "2026-01-03").returncode == 2
    assert (folder / "changelog/late.added.md").exists()


def test_the_fragments_of_this_project_can_be_joined() -> None:
    """Every one has a kind that there is, and something to say."""
    done = run(TOP)
    assert done.returncode == 0, done.stderr
    assert "- \n" not in done.stdout
