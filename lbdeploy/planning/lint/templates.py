"""What is suspicious in the operator's own templates, also where no node's file shows it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from lbdeploy.common.paths import shown
from lbdeploy.config.model import Cluster
from lbdeploy.planning.desired import Text
from lbdeploy.planning.lint.lints import Lint
from lbdeploy.planning.lint.template_faults import Noted
from lbdeploy.planning.render import undeclared, unused_templates
from lbdeploy.planning.template_problems import all_in_one


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
