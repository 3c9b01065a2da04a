"""The cluster as a web page."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from statuses import pair

from lbdeploy.cli.report.topology.page import page
from lbdeploy.config.model import Cluster
from lbdeploy.operations.topology import topology


class Tags(HTMLParser):
    """What is opened and not closed, and every tag that there is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        self.open += [tag] if tag not in ("meta", "circle", "path", "rect") else []

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("circle", "path", "rect"):
            assert self.open.pop() == tag


def test_a_page_is_whole_and_a_node_can_put_no_tag_into_it(seed: Cluster) -> None:
    """Every tag is closed, and text stays text."""
    shown = topology(seed, pair(seed))
    evil = replace(shown.nodes[0], role="<script>alert(1)</script>")
    text = page(replace(shown, nodes=(evil, shown.nodes[1])))
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert "script" not in tags.seen
    assert "BACKUP, priority 100" in text
