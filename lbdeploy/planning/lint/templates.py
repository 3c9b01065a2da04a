"""What is suspicious in the operator's own templates, also where no node's file shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lbdeploy.common.paths import shown
from lbdeploy.config.model import Cluster, Node, OwnSections
from lbdeploy.errors import RenderError
from lbdeploy.planning.desired import Text, files
from lbdeploy.planning.lint.lints import Lint
from lbdeploy.planning.render import ALWAYS, undeclared, unused_templates
from lbdeploy.planning.template_problems import all_in_one


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


def of_templates(cluster: Cluster, text: Text) -> Iterator[Lint]:
    """Files that are no template's, and names that a template is not given. Raises RenderError."""
    for own, message, fix in unused_templates(cluster):
        yield Lint("warning", None, str(shown(own)), None, message, fix)
    noted = Noted(text)
    for node in cluster.nodes if cluster.templates.is_dir() or cluster.extra else ():
        noted.files(cluster, node)
    if noted.errors:
        raise all_in_one(noted.errors, len(cluster.nodes))
    for template, given in noted.given.items():
        yield from _unknown(cluster.templates, template, given)


def _unknown(folder: Path, template: str, given: set[str]) -> Iterator[Lint]:
    """Names in a part that is not reached with this hosts.toml: with another one, they would be an error."""
    for path, line, name in undeclared(folder, template):
        if name not in given:
            close = get_close_matches(name, given, 1)
            fix = f"did you mean {close[0]}?" if close else f"it is given: {', '.join(sorted(given))}"
            message = f"{name} is no name that this template is given: an error as soon as this line is reached"
            yield Lint("warning", None, str(shown(path)), line, message, fix)
