"""The report of `lbdeploy down`: what will be removed, and what was."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import listed
from lbdeploy.operations.down import Removed
from lbdeploy.operations.down_plan import RemovalPlan


def warnings(planned: RemovalPlan) -> Iterator[Line]:
    """Warnings to show with the plan, before it is carried out."""
    if gone := [each for each in planned.vips if each not in (*planned.back, *planned.perhaps)]:
        yield ("! ", "warn"), f"{listed(gone)} will be gone: nothing will answer there any more"
    if planned.back:
        yield (
            ("! ", "warn"),
            f"{listed(planned.back)} will be gone until the keepalived from before lbdeploy has them again",
        )
    if planned.perhaps:
        unread = "its keepalived.conf is a link, or includes others, and is not read here"
        yield (
            ("! ", "warn"),
            f"{listed(planned.perhaps)} will be gone, unless the keepalived from before lbdeploy has them: {unread}",
        )
    if any(planned.sessions.values()):
        sessions = ", ".join(f"{count} on {name}" for name, count in planned.sessions.items())
        yield ("! ", "warn"), f"open sessions that will end: {sessions}"
    else:
        yield ("haproxy has no open sessions",)
    for name in planned.unreached:
        yield ("! ", "warn"), (name, "name"), ": can't be reached, and is skipped: it takes the VIPs if it runs"
    yield from _resting(planned)
    yield from _unknown(planned)


def outcome(removed: Removed, *, purge: bool, limited: bool) -> Iterator[Line]:
    """The lines about what was removed, and what is left to do."""
    if not removed.done:
        yield ("Nothing to do: ", "good"), f"nothing of lbdeploy's is left on {listed(removed.planned.sessions)}"
        return
    but = f", but for keepalived on {listed(removed.planned.resting)}" if removed.planned.resting else ""
    yield ("Removed: ", "good"), (listed(removed.done), "name"), f": as before lbdeploy{but}"
    yield from _resting(removed.planned)
    yield from _unknown(removed.planned)
    for name, packages in removed.planned.staying.items():
        yield (name, "name"), f": {listed(packages)} not purged, since lbdeploy has no record of installing them"
    if not purge:
        only = f"--limit {','.join(removed.done)} " if limited else ""
        yield "Packages and lbdeploy's own records stay. To remove them: ", (f"lbdeploy down {only}--purge", "next")
    if limited:
        yield ("Next: ", "next"), f"take {listed(removed.done)} out of hosts.toml, then: lbdeploy up"


def _resting(planned: RemovalPlan) -> Iterator[Line]:
    for name in planned.resting:
        what = ": the keepalived from before lbdeploy stays stopped and disabled: it may have VIPs that others serve"
        yield ("! ", "warn"), (name, "name"), what


def _unknown(planned: RemovalPlan) -> Iterator[Line]:
    for name in planned.unknown:
        what = ": an earlier lbdeploy did not remember what was there before; its files go, and its services stop"
        yield ("! ", "warn"), (name, "name"), what
    if planned.unknown:
        fix = "apt-get -o Dpkg::Options::=--force-confmiss install --reinstall haproxy"
        yield ("    next: ", "next"), f"for Debian's haproxy.cfg, there: {fix}"
