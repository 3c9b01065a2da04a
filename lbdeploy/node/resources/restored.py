"""Going back to files of then: what removed them gives way, and a service runs again with its unit file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lbdeploy.common.debian import of_systemd, unit_file
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.service import Service
from lbdeploy.node.resources.stale_files import Gone


def restored(resources: Iterable[Resource[Any]], kept: Mapping[str, Resource[Any]]) -> list[Resource[Any]]:
    """What going back wants in place of these resources. `kept` are files of then, by path."""
    return [wanted for each in resources for wanted in (*each.as_kept(kept), *_service(each, kept))]


def _service(each: Resource[Any], kept: Mapping[str, Resource[Any]]) -> Iterator[Service]:
    """The service that hosts.toml no longer asked for, if its unit file comes back."""
    if isinstance(each, Gone) and each.unit and unit_file(each.unit) in (again := each.again(kept)):
        watches, units = (tuple(path for path in again if of_systemd(path) is of_unit) for of_unit in (False, True))
        yield Service(each.unit, watches, units)
