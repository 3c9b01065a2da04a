"""All that is wrong with the operator's own templates, where rendering would stop at the first of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from lbdeploy.config.model import Cluster, Node, OwnSections
from lbdeploy.errors import RenderError
from lbdeploy.planning.desired import Text, files, rendered
from lbdeploy.planning.render import ALWAYS
from lbdeploy.planning.template_problems import all_in_one


def every_fault(cluster: Cluster, nodes: Sequence[Node], first: RenderError) -> RenderError:
    """One error for all, in place of the first one."""
    noted = Noted(rendered)
    for node in nodes:
        noted.files(cluster, node)
    return all_in_one(noted.errors or [first], len(nodes))


class Noted:
    """Renders templates, and notes which names each is given, and all that is wrong with those that don't render."""

    def __init__(self, text: Text) -> None:
        self.given: dict[str, set[str]] = defaultdict(lambda: set(ALWAYS))
        self.errors: list[RenderError] = []
        self._text = text

    def __call__(self, cluster: Cluster, node: Node, template: str | OwnSections, **values: Any) -> str:
        if isinstance(template, str):
            self.given[template] |= values.keys()
        try:
            return self._text(cluster, node, template, **values)
        except RenderError as error:
            self.errors.append(error)
            return ""  # so that the other templates are tried, too

    def files(self, cluster: Cluster, node: Node) -> None:
        """Try all files of a node."""
        try:
            files(cluster, node, self)
        except RenderError as error:  # sections that can't be joined: the rest is tried without them
            self.errors.append(error)
            files(cluster, node, self._without_sections)

    def _without_sections(self, cluster: Cluster, node: Node, template: str | OwnSections, **values: Any) -> str:
        return "" if isinstance(template, OwnSections) else self(cluster, node, template, **values)
