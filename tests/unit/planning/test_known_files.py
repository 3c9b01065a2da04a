"""Files that were rendered before are not rendered again, unless anything may have changed them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import cluster
from goldens import GOOD

from lbdeploy.common import cache
from lbdeploy.config.loading.encoding import encoded
from lbdeploy.config.model import Cluster
from lbdeploy.errors import RenderError
from lbdeploy.planning import known_files, render
from lbdeploy.planning.desired import desired, rendered
from lbdeploy.planning.known_files import known_desired


@pytest.fixture(autouse=True)
def renderings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that were rendered; with a cache in which there is nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    seen: list[str] = []

    def counted(cluster: Cluster, node: Any, template: Any, **values: Any) -> str:
        seen.append(f"{node.name} {template}")
        return rendered(cluster, node, template, **values)

    monkeypatch.setattr(known_files, "rendered", counted)
    return seen


def test_what_was_rendered_is_not_rendered_again(tmp_path: Path, renderings: list[str]) -> None:
    """It is the same as if it were, on every node, also where a run asks more of packages."""
    of = cluster(tmp_path, GOOD)
    assert known_desired(of, of.nodes) == {node.name: desired(of, node) for node in of.nodes}
    assert len(renderings) == len(set(renderings)) > 10
    renderings.clear()
    assert known_desired(of, of.nodes, upgrade=True) == {
        node.name: desired(of, node, upgrade=True) for node in of.nodes
    }
    assert renderings == []


def test_where_the_file_lies_makes_no_difference(tmp_path: Path, renderings: list[str]) -> None:
    """Dask's workers have it in a new folder each time; but templates beside it are heeded."""
    of = cluster(tmp_path, GOOD)
    known_desired(of, of.nodes)
    renderings.clear()
    elsewhere = replace(of, path=tmp_path / "elsewhere" / "hosts.toml")
    assert known_desired(elsewhere, of.nodes) == known_desired(of, of.nodes)
    assert renderings == []
    elsewhere.templates.mkdir(parents=True)
    known_desired(elsewhere, of.nodes)
    assert renderings


def test_a_node_that_was_left_out_is_rendered_alone(tmp_path: Path, renderings: list[str]) -> None:
    """As with --limit."""
    of = cluster(tmp_path, GOOD)
    known_desired(of, of.nodes[:1])
    renderings.clear()
    known_desired(of, of.nodes)
    assert {each.split()[0] for each in renderings} == {of.nodes[1].name}


def test_a_changed_cluster_is_rendered(tmp_path: Path, renderings: list[str]) -> None:
    """All that is in hosts.toml may be in the files."""
    of = cluster(tmp_path, GOOD)
    known_desired(of, of.nodes)
    renderings.clear()
    other = cluster(tmp_path, GOOD.replace("router_id = 101", "router_id = 102"))
    assert known_desired(other, other.nodes)["lb1"] == desired(other, other.node("lb1"))
    assert renderings


def test_own_templates_are_always_rendered(tmp_path: Path, renderings: list[str]) -> None:
    """They may read other files: what they make is not kept, and nothing that was kept is taken for it."""
    of = cluster(tmp_path, GOOD)
    known_desired(of, of.nodes)
    (tmp_path / "templates").mkdir()
    for text in ("x = 1\n", "x = 2\n"):
        renderings.clear()
        (tmp_path / "templates" / "sysctl.conf.j2").write_text(text)
        render._environment.cache_clear()  # as in another process
        (found,) = [
            each for each in known_desired(of, of.nodes)["lb1"] if "zz-lbdeploy" in each.id and "file" in each.id
        ]
        assert found.content == text  # type: ignore[attr-defined]
        assert len(renderings) > 10


def test_files_with_own_sections_are_always_rendered(tmp_path: Path, renderings: list[str]) -> None:
    """They are templates, too, and may have passwords, which the cache is not to have."""
    (tmp_path / "more.cfg").write_text("userlist admins\n  user ann insecure-password s3cret\n")
    of = cluster(tmp_path, GOOD + '\n[haproxy]\nextra = ["more.cfg"]\n')
    for _ in range(2):
        renderings.clear()
        assert known_desired(of, of.nodes)["lb1"] == desired(of, of.node("lb1"))
        assert len(renderings) > 10
    kept = tmp_path / "cache" / "lbdeploy"
    assert not kept.exists() or not any("s3cret" in each.read_text() for each in kept.iterdir())


def test_what_somebody_damaged_is_rendered(tmp_path: Path, renderings: list[str]) -> None:
    """An entry of another form is none."""
    of = cluster(tmp_path, GOOD)
    cache.keep(cache.key("files", encoded(of)), ["lb1"])
    assert known_desired(of, of.nodes)["lb1"] == desired(of, of.node("lb1"))


def test_known_files_need_no_jinja2(tmp_path: Path) -> None:
    """Nor does what a run consists of besides: to import it takes longer than to connect."""
    (tmp_path / "hosts.toml").write_text(GOOD)
    program = (
        "import sys; from pathlib import Path; from lbdeploy.config.loading.known import load\n"
        "from lbdeploy.planning.known_files import known_desired; import lbdeploy.rollout.run\n"
        "path = Path('hosts.toml'); of = load(path, path.read_text()); known_desired(of, of.nodes)\n"
        "print('jinja2' in sys.modules, 'pydantic' in sys.modules)"
    )
    argv = [sys.executable, "-c", program]
    said = [subprocess.run(argv, check=True, capture_output=True, text=True, cwd=tmp_path).stdout for _ in range(2)]
    assert said == ["True True\n", "False False\n"]


def test_all_that_is_wrong_with_templates_is_told_at_once(tmp_path: Path) -> None:
    """So that plan and up tell what check tells; what one of several nodes has, with its name."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/sysctl.conf.j2").write_text("x = {{ clustr.name }}\n")
    (tmp_path / "templates/haproxy.cfg.j2").write_text("{% if node.name == 'lb2' %}{{ xyzzy }}{% endif %}\n")
    of = cluster(tmp_path, GOOD)
    with pytest.raises(RenderError) as error:
        known_desired(of, of.nodes)
    folder = tmp_path / "templates"
    assert error.value.lines() == [
        f"{folder}/sysctl.conf.j2:1: 'clustr' is undefined; did you mean cluster?",
        f"{folder}/haproxy.cfg.j2:1: 'xyzzy' is undefined (on lb2)",
    ]
    with pytest.raises(RenderError, match=r"sysctl.conf.j2:1: 'clustr' is undefined"):
        known_desired(of, of.nodes[:1])
