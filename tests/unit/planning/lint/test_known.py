"""Lints that were found before are told again, and found anew where anything has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import READY

from lbdeploy.config.model import Cluster
from lbdeploy.planning import render
from lbdeploy.planning.lint import known
from lbdeploy.planning.lint import lint as lint_module
from lbdeploy.planning.lint.known import known_lints
from lbdeploy.planning.lint.lint import lint


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lbdeploy"


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Cluster]:
    """The clusters whose files were looked at."""
    seen: list[Cluster] = []
    really = lint_module.of_files
    monkeypatch.setattr(lint_module, "of_files", lambda of: seen.append(of) or really(of))
    return seen


def template(folder: Path, text: str, name: str = "sysctl.conf.j2") -> None:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / name).write_text(text)
    render._environment.cache_clear()  # as in another process


def test_what_was_found_is_told_each_time(tmp_path: Path, rendered: list[Cluster]) -> None:
    """The same warnings, whether rendered or remembered."""
    template(tmp_path, "x = 1")
    of = cluster(tmp_path, READY)
    first = known_lints(of)
    assert known_lints(of) == first == lint(of) != []
    assert rendered == [of, of]  # once by `lint`


def test_a_changed_template_is_looked_at(tmp_path: Path, rendered: list[Cluster]) -> None:
    """A text that changes, and a file that comes or goes."""
    of = cluster(tmp_path, READY)
    assert known_lints(of) == []
    template(tmp_path, "x = 1")
    assert len(known_lints(of)) == 2
    template(tmp_path, "x = 1\n")
    assert known_lints(of) == []
    template(tmp_path, "", "other.j2")
    assert len(known_lints(of)) == 1
    assert len(rendered) == 4


def test_a_changed_cluster_is_looked_at(tmp_path: Path, rendered: list[Cluster]) -> None:
    """All that is in hosts.toml may be in the files."""
    known_lints(cluster(tmp_path, READY))
    known_lints(cluster(tmp_path, READY.replace("router_id = 101", "router_id = 102")))
    assert len(rendered) == 2


def test_paths_are_those_of_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning about a template names it as one would type it here."""
    template(tmp_path, "", "other.j2")
    of = cluster(tmp_path, READY)
    monkeypatch.chdir(tmp_path)
    assert [each.file for each in known_lints(of)] == ["templates/other.j2"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [each.file for each in known_lints(of)] == [str(tmp_path / "templates" / "other.j2")]


def test_warnings_about_this_machine_are_never_remembered(tmp_path: Path) -> None:
    """A key that is there by now is no longer missed, and one that is gone is."""
    of = cluster(tmp_path, READY.replace('user = "ops"', 'user = "ops"\nidentity_file = "key"'))
    assert ["is not there" in each.message for each in known_lints(of)] == [True]
    (tmp_path / "key").touch()
    assert known_lints(of) == []
    (tmp_path / "key").unlink()
    assert ["is not there" in each.message for each in known_lints(of)] == [True]


def test_what_can_not_be_told_by_its_contents_is_looked_at_each_time(tmp_path: Path, rendered: list[Cluster]) -> None:
    """Templates in folders below may be included, and change."""
    (tmp_path / "templates" / "parts").mkdir(parents=True)
    of = cluster(tmp_path, READY)
    assert known_lints(of) == known_lints(of)
    assert len(rendered) == 2


def test_built_in_templates_are_part_of_the_key() -> None:
    """They are part of lbdeploy's code, which every key is made of."""
    from lbdeploy.common import cache

    shipped = {str(each) for each in render.shipped("templates").iterdir()}
    assert shipped <= {path for path, _, _ in cache._code()}
    assert known.cache is cache
