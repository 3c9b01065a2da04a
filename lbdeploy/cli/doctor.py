"""`lbdeploy doctor`: whether the nodes are fit, and what to do where they are not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from lbdeploy.cli import UNHEALTHY, limit_option
from lbdeploy.cli.app import App, global_options
from lbdeploy.errors import LbdeployError

if TYPE_CHECKING:
    from lbdeploy.fleet import Fleet


def _ids(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from lbdeploy.doctor import CHECKS

    return [each for each in CHECKS if each.startswith(incomplete)]


@click.command()
@limit_option
@click.option("--ignore", multiple=True, metavar="ID", shell_complete=_ids, help="Leave this check out; repeatable.")
@global_options
@click.pass_obj
def doctor(app: App, *, limit: str | None, ignore: tuple[str, ...]) -> None:
    """Examine the nodes: are they fit to be members?

    Everything at once, and nothing is changed: SSH and sudo, the system, packages, disks, interfaces and addresses,
    VIPs and virtual router IDs that others use, firewalls, ports, clocks. Listens for VRRP for three advert intervals.
    docs/doctor.md lists the checks. Exit code 6: something has to be mended first; 4: a node could not be reached.

    \b
    lbdeploy doctor                    before the first up, or in doubt
    lbdeploy doctor -v                 what is fine, too
    lbdeploy doctor --ignore clock     without that check
    """
    from lbdeploy.errors import UsageError
    from lbdeploy.fleet import Fleet

    with Fleet(app.cluster, app.emit, ssh=app.ssh, limit=app.limit(limit)) as fleet:
        from lbdeploy.doctor import CHECKS

        if unknown := [each for each in ignore if each not in CHECKS]:
            fix = f"the checks are: {', '.join(CHECKS)}"
            raise UsageError(f"there is no check {unknown[0]}", state="nothing was looked at", fix=fix)
        findings, errors = _examine(app, fleet, ignore)
    app.reporter.doctor(findings)
    failed = any(each.failed for each in findings)
    first = next(iter(errors.values()), None)
    code = first.exit_code if first else UNHEALTHY if failed else 0
    document: dict[str, Any] = {"findings": [each.to_json() for each in findings]}
    app.finish(code, **document, **({"error": first.to_json()} if first else {}))


def _examine(app: App, fleet: Fleet, ignore: tuple[str, ...]) -> tuple[list[Any], dict[str, LbdeployError]]:
    from lbdeploy.desired import desired
    from lbdeploy.doctor import diagnosis
    from lbdeploy.events import Step
    from lbdeploy.examination import Examination, Examined
    from lbdeploy.observer import Observer

    names = [node.name for node in fleet.nodes]
    wanted = {node.name: desired(app.cluster, node) for node in fleet.nodes}
    survey = Observer(app.cluster, fleet, wanted, names, app.emit).survey()
    for name in survey.seen:
        app.emit(Step(name, "examine, and listen for VRRP"))
    scripts = {node.name: Examination(app.cluster, node) for node in fleet.nodes}
    begun = time.time()
    nodes = [node for node in fleet.nodes if node.name in survey.seen]
    found = fleet.each(
        nodes, lambda node, session: scripts[node.name].read(session.run(scripts[node.name].script()).output)
    )
    examined = {name: each for name, each in found.items() if isinstance(each, Examined)}
    errors = {**survey.errors, **{name: each for name, each in found.items() if isinstance(each, LbdeployError)}}
    seen = {name: each for name, each in survey.observations.items() if name not in errors}
    return diagnosis(app.cluster, seen, examined, errors, (begun, time.time()), ignore), errors
