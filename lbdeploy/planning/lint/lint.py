"""Known problems of a rendered configuration, found offline. Every rule was measured on real daemons.

The built-in templates pass; these rules are for what an operator's own templates and settings may do.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.config.model import Cluster
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, OWN_SCRIPTS, files
from lbdeploy.planning.lint import haproxy, keepalived
from lbdeploy.planning.lint.lints import Lint
from lbdeploy.planning.lint.settings import settings
from lbdeploy.planning.lint.templates import of_templates
from lbdeploy.planning.lint.text import Complaint, Rule
from lbdeploy.planning.render import render

RULES: dict[str, tuple[Rule, ...]] = {KEEPALIVED_CONF: keepalived.RULES, HAPROXY_CFG: haproxy.RULES}


def lint(cluster: Cluster, *, asked: bool = False) -> list[Lint]:
    """Everything that is suspicious in hosts.toml and in what would be written to the nodes. Raises RenderError.

    `asked`: see `settings`.
    """
    return [*settings(cluster, asked=asked), *of_files(cluster)]


def of_files(cluster: Cluster) -> list[Lint]:
    """What is suspicious in the files that would be written, and in the templates. Raises RenderError."""
    found = list(of_templates(cluster, render))
    for node in cluster.nodes:
        for file in files(cluster, node):
            for rule in RULES.get(file.path, ()):
                found += [
                    Lint(s, node.name, file.path, line, *rest) for s, line, *rest in rule(cluster, node, file.content)
                ]
            if not file.path.startswith(OWN_SCRIPTS):
                found += [Lint(s, node.name, file.path, line, *rest) for s, line, *rest in _whole(file.content)]
    return found


def _whole(content: str) -> Iterator[Complaint]:
    if not content.strip():
        yield "error", None, "is empty, which the validators accept", "check its template"
    elif not content.endswith("\n"):
        line = content.count("\n") + 1
        yield (
            "error",
            line,
            "the last line has no newline, which haproxy refuses",
            "end the template with an empty line",
        )
