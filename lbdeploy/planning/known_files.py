"""What nodes should have, without rendering what was rendered before: then jinja2 is not even imported. Decision 59."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lbdeploy.common import cache
from lbdeploy.common.redact import holds_password, remember
from lbdeploy.config.loading.encoding import encoded
from lbdeploy.config.model import Cluster, Node, OwnSections
from lbdeploy.errors import RenderError
from lbdeploy.node.resources.base import Resource
from lbdeploy.planning.desired import Text, desired, rendered

T = TypeVar("T")


def known_desired(cluster: Cluster, nodes: Sequence[Node], **asked: Any) -> dict[str, list[Resource[Any]]]:
    """`desired` of each of these nodes, by name. Raises RenderError, with all that is wrong in templates."""
    # A template of the operator's own may have secrets and read other files: what it makes is never kept.
    anywhere = replace(cluster, path=Path())  # Dask's workers have it in a folder that is new each time
    key = "" if cluster.has_own_templates else cache.key("files", encoded(anywhere))
    kept = cache.recall(key) if key else None
    made: dict[str, list[Any]] = dict(kept) if isinstance(kept, dict) else {}  # the text, and whether it has a secret
    for each in made.values():
        remember(*each)

    def text(cluster: Cluster, node: Node, template: str | OwnSections, **values: Any) -> str:
        name = f"{node.name} {template.path if isinstance(template, OwnSections) else template}"
        if name not in made:
            text = rendered(cluster, node, template, **values)
            made[name] = [text, holds_password(text)]
        return str(made[name][0])

    found = desired_of(cluster, nodes, text, **asked)
    if key and made != kept and not os.path.lexists(cluster.templates):  # nor has it come meanwhile
        cache.keep(key, made)
    return found


def desired_of(
    cluster: Cluster, nodes: Sequence[Node], text: Text = rendered, **asked: Any
) -> dict[str, list[Resource[Any]]]:
    """`desired` of each of these nodes, by name. Raises RenderError, with all that is wrong in templates."""
    return of_each(cluster, nodes, lambda node: desired(cluster, node, text=text, **asked))


def of_each(cluster: Cluster, nodes: Sequence[Node], made: Callable[[Node], T]) -> dict[str, T]:
    """What is made of each node's templates, by name. Raises RenderError, with all that is wrong in them."""
    try:
        return {node.name: made(node) for node in nodes}
    except RenderError as error:
        from lbdeploy.planning.lint.template_faults import every_fault

        raise every_fault(cluster, nodes, error) from None
