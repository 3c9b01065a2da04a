"""Completion in the shell: names from the hosts.toml that the command line names. Imports next to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from lbdeploy.cli.app import App
from lbdeploy.common.sanitize import neutral


def nodes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a node."""
    from lbdeploy.config.unvalidated import node_names

    return _matching(node_names(_file(context)), incomplete)


def node_list(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the last name in NODE[,NODE] with a node that is not in it yet."""
    from lbdeploy.config.unvalidated import node_names

    done, comma, last = incomplete.rpartition(",")
    rest = [name for name in node_names(_file(context)) if name not in done.split(",")]
    return [f"{done}{comma}{name}" for name in _matching(rest, last)]


def hosts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a node or a server of the lab."""
    from lbdeploy.config.unvalidated import node_names, server_names

    return _matching([*node_names(_file(context)), *server_names(_file(context))], incomplete)


def places(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a place in the lab where commands can run."""
    return [*hosts(context, parameter, incomplete), *_matching(["client", "operator"], incomplete)]


def servers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a server."""
    from lbdeploy.config.unvalidated import server_names

    return _matching(server_names(_file(context)), incomplete)


def frontends(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a frontend."""
    from lbdeploy.config.unvalidated import frontend_names

    return _matching(frontend_names(_file(context)), incomplete)


def groups(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a group of VIPs."""
    from lbdeploy.config.unvalidated import group_names

    return _matching(group_names(_file(context)), incomplete)


def networks(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Completes the name of a network."""
    from lbdeploy.config.unvalidated import network_names

    return _matching(network_names(_file(context)), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [neutral(name) for name in names if name.startswith(incomplete)]


def _file(context: click.Context) -> Path:
    return context.ensure_object(App).file
