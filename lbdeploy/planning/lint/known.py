"""What `lint` says, without rendering what was rendered and found good before.

Settings are looked at each time: some warnings are about files on this machine.
"""

from __future__ import annotations

import os
from dataclasses import astuple
from pathlib import Path

from lbdeploy.common import cache
from lbdeploy.config.loading.encoding import encoded
from lbdeploy.config.model import Cluster
from lbdeploy.planning.lint.lints import Lint
from lbdeploy.planning.lint.settings import settings


def known_lints(cluster: Cluster) -> list[Lint]:
    """The same as `lint`. Raises RenderError."""
    return [*settings(cluster), *_of_files(cluster)]


def _of_files(cluster: Cluster) -> list[Lint]:
    try:
        key = cache.key("lint", encoded(cluster), _own_templates(cluster.templates))
    except OSError:
        key = ""
    kept = cache.recall(key) if key else None
    if kept is not None:
        return [Lint(*each) for each in kept]
    from lbdeploy.planning.lint.lint import of_files

    found = of_files(cluster)
    if key:
        cache.keep(key, [astuple(each) for each in found])
    return found


def _own_templates(folder: Path) -> list[str]:
    """What the operator's own templates are, read before they are used; and from where their paths are shown.

    Raises OSError where that can't be said: where one can't be read, or is in a folder below.
    """
    if not os.path.lexists(folder):
        return []
    return [os.getcwd(), *(f"{each.name} {cache.digest(each.read_bytes())}" for each in sorted(folder.iterdir()))]
