"""A cluster as JSON, and back: what `build` has made of a valid hosts.toml, type by type.

An object is a list of the name of its class and its fields, in order. Only the classes below are ever made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from lbdeploy.config import model

Json = Any
_CLASSES = (
    model.Cluster,
    model.Ssh,
    model.Network,
    model.Node,
    model.Vrrp,
    model.Group,
    model.Script,
    model.Secret,
    model.OwnSections,
    model.TrackFile,
    model.TrackScript,
    model.Frontend,
    model.Server,
    model.Metrics,
    model.PackageSources,
    model.Repository,
    ipaddress.IPv4Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Address,
    ipaddress.IPv6Interface,
    ipaddress.IPv6Network,
    Path,
)
_MAKERS: dict[str, Callable[..., Any]] = {each.__name__: each for each in _CLASSES}
_MAKERS["tuple"] = lambda *items: items


def encoded(value: Any) -> Json:
    """A cluster, or a part of one, as JSON; without what no file contains."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: encoded(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return ["tuple", *map(encoded, value)]
    if is_dataclass(value):
        parts = (getattr(value, field.name) for field in fields(value) if field.compare)
        return [type(value).__name__, *map(encoded, parts)]
    return ["Path" if isinstance(value, Path) else type(value).__name__, str(value)]


def decoded(value: Json) -> Any:
    """What was encoded. Raises KeyError, TypeError or ValueError for anything else."""
    if isinstance(value, dict):
        return {key: decoded(each) for key, each in value.items()}
    if isinstance(value, list):
        kind, *parts = value
        return _MAKERS[kind](*map(decoded, parts))
    return value
