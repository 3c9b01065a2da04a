"""The cluster as an SVG picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from builders import BIG, TOP, cluster
from statuses import pair

from lbdeploy.cli.report.topology.svg import svg
from lbdeploy.config.model import Cluster
from lbdeploy.operations.topology import topology

TEXT = "{http://www.w3.org/2000/svg}text"


def words(picture: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(picture).iter(TEXT)]


def test_every_part_is_in_the_picture(seed: Cluster) -> None:
    """Names, addresses, roles, and what servers' checks say."""
    told = words(svg(topology(seed, pair(seed))))
    for each in (
        "k8s-api",
        "VIP 192.168.0.10 on lb1",
        "MASTER, priority 200",
        "192.168.1.12",
        "master3",
        "k8s-api :6443",
    ):
        assert each in told
    assert "192.168.1.23:6443  UP L4OK" in told


def test_what_a_node_says_is_no_markup(seed: Cluster) -> None:
    """Angle brackets and quotes are text."""
    shown = topology(seed, pair(seed))
    evil = replace(shown.frontends[0].servers[0], detail='<script>"&')
    frontend = replace(shown.frontends[0], servers=(evil,))
    assert any('<script>"&' in each for each in words(svg(replace(shown, frontends=(frontend,)))))


def test_nothing_lies_outside_of_it(tmp_path: Path) -> None:
    """Many nodes make it wider, many servers higher."""
    root = ElementTree.fromstring(svg(topology(cluster(tmp_path, BIG))))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for each in root.iter(TEXT):
        assert 0 <= float(each.attrib["x"]) <= width
        assert 0 <= float(each.attrib["y"]) <= height


def test_the_picture_in_the_docs_is_that_of_the_sample(seed: Cluster) -> None:
    """It is made by `lbdeploy show --svg docs/images/topology.svg`."""
    assert (TOP / "docs/images/topology.svg").read_text(encoding="utf-8") == svg(topology(seed))
