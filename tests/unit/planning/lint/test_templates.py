"""What is found in the operator's own templates."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import READY

from lbdeploy.errors import RenderError
from lbdeploy.planning.lint.lint import lint


def own(folder: Path, **texts: str) -> None:
    (folder / "templates").mkdir()
    for name, text in texts.items():
        (folder / "templates" / f"{name.replace('_', '.')}.j2").write_text(text)


def test_a_name_that_is_not_given_is_found_where_nothing_reaches_it(tmp_path: Path) -> None:
    """With its line and the nearest name that there is; those that the template sets itself are none of them."""
    text = "x = 1\n{% if cluster.name == 'other' %}\n{{ sysctl }}\n{% endif %}\n"
    text += "{% for a in peers %}{{ loop.index }}{% endfor %}\n"
    own(tmp_path, sysctl_conf=text + "{% set b = 1 %}{{ b }}{{ range(2) }}\n")
    (found,) = lint(cluster(tmp_path, READY))
    assert (found.severity, found.file, found.line) == ("warning", f"{tmp_path}/templates/sysctl.conf.j2", 3)
    assert found.message.startswith("sysctl is no name that this template is given")
    assert found.fix == "did you mean sysctls?"


def test_a_name_that_is_near_no_other_is_told_with_all_that_are_given(tmp_path: Path) -> None:
    own(tmp_path, sysctl_conf="{% if cluster.name == 'other' %}{{ xyzzy }}{% endif %}\nx = 1\n")
    (found,) = lint(cluster(tmp_path, READY))
    assert found.fix == "it is given: cluster, node, peers, sysctls, vrrp"


def test_a_name_that_is_reached_is_an_error_with_the_nearest_one(tmp_path: Path) -> None:
    own(tmp_path, sysctl_conf="x = {{ clustr.name }}\n")
    with pytest.raises(RenderError, match=r"sysctl.conf.j2:1: 'clustr' is undefined; did you mean cluster\?"):
        lint(cluster(tmp_path, READY))


def test_a_file_that_is_no_templates_is_told_which_it_may_be(tmp_path: Path) -> None:
    own(tmp_path, haproxi_cfg="# mine\n")
    (found,) = lint(cluster(tmp_path, READY))
    assert found.fix == "call it haproxy.cfg.j2, or remove it"


def test_the_built_in_templates_are_given_every_name(tmp_path: Path) -> None:
    """Copied, they have nothing to find."""
    from lbdeploy.common.paths import shipped

    (tmp_path / "templates").mkdir()
    for each in shipped("templates").glob("*.j2"):
        (tmp_path / "templates" / each.name).write_text(each.read_text())
    assert lint(cluster(tmp_path, READY)) == []


def test_a_template_without_a_newline_at_its_end_is_found(tmp_path: Path) -> None:
    """In the file that comes of it, on each node."""
    own(tmp_path, sysctl_conf="x = 1")
    assert {each.message for each in lint(cluster(tmp_path, READY))} == {
        "the last line has no newline, which haproxy refuses"
    }
