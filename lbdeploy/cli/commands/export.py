"""`lbdeploy export`: what monitoring needs to know of the cluster, made from hosts.toml. Contacts nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lbdeploy.cli.app import App
from lbdeploy.cli.group import Near
from lbdeploy.cli.output import show, write_file
from lbdeploy.cli.parameters import global_options

output_option = click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Where to write it [the screen]."
)


@click.group(cls=Near)
@global_options
def export() -> None:
    """Write alert rules and a dashboard, made from hosts.toml.

    They use what a timer has `lbdeploy verify --format prometheus` print, and, with [metrics] in hosts.toml, what the
    nodes' haproxy serve and, with its vrrp = true, what their keepalived write. Contacts nobody.

    \b
    lbdeploy export prometheus --output k8s-api.rules.yml
    lbdeploy export grafana --output k8s-api.json
    """


@export.command()
@output_option
@global_options
@click.pass_obj
def prometheus(app: App, *, output: Path | None) -> None:
    """Write alert rules for Prometheus.

    Alerts: a VIP on no node or on several, no usable server, servers that are down, moves of the VIPs, VRRP that flaps
    or is in FAULT, drift from hosts.toml, versions that differ, TLS that fails, and nodes, scrapes or a timer that say
    nothing. After a change to nodes, frontends or [metrics], make them again.

    \b
    lbdeploy export prometheus --output k8s-api.rules.yml
    promtool check rules k8s-api.rules.yml
    """
    from lbdeploy.cli.report.exports.prometheus import text, to_json

    _told(app, text(app.cluster), {"rules": to_json(app.cluster)}, output, "name it under rule_files in prometheus.yml")


@export.command()
@output_option
@global_options
@click.pass_obj
def grafana(app: App, *, output: Path | None) -> None:
    """Write a dashboard for Grafana.

    Made anew, it has the same identity, so that importing it replaces the former one.

    \b
    lbdeploy export grafana --output k8s-api.json
    """
    from lbdeploy.cli.report.exports.grafana import text, to_json

    following = "in Grafana: Dashboards, New, Import"
    _told(app, text(app.cluster), {"dashboard": to_json(app.cluster)}, output, following)


def _told(app: App, text: str, document: Mapping[str, Any], output: Path | None, following: str) -> None:
    """Write it to the file, or on standard output; the document has it as data."""
    if output:
        write_file(output, text)
        app.reporter.say(("Wrote ", "good"), (str(output), "name"))
        app.reporter.say(("Next: ", "next"), following)
    elif not app.for_programs:
        show(text, end="")
    if not app.cluster.metrics:
        app.reporter.warn("hosts.toml has no [metrics]: nothing of haproxy's own is in it")
    app.finish(0, path=str(output) if output else None, **document)
