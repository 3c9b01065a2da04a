"""`lbdeploy down` on a terminal: what will go, and what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lbdeploy.farewell import Farewell
from lbdeploy.removal import Removed
from lbdeploy.report.terminal import Part

Line = Sequence[Part]


def warnings(farewell: Farewell) -> Iterator[Line]:
    """What an operator should know, besides the plan, before it is carried out."""
    if farewell.vips:
        yield ("! ", "warn"), f"{_names(farewell.vips)} will be gone: nothing will answer there any more"
    if any(farewell.sessions.values()):
        told = ", ".join(f"{sessions} on {name}" for name, sessions in farewell.sessions.items())
        yield ("! ", "warn"), f"open sessions that will end: {told}"
    else:
        yield ("haproxy has no open sessions",)
    for name in farewell.unreached:
        yield ("! ", "warn"), (name, "name"), ": can't be reached, and is skipped: it takes the VIPs if it runs"
    yield from _unknown(farewell)


def outcome(removed: Removed, *, purge: bool, limited: bool) -> Iterator[Line]:
    """What was done, and what is left to do."""
    if not removed.done:
        yield ("Nothing to do: ", "good"), f"nothing of lbdeploy's is left on {_names(removed.farewell.sessions)}"
        return
    yield ("Removed: ", "good"), (_names(removed.done), "name"), ": as before lbdeploy"
    yield from _unknown(removed.farewell)
    for name, packages in removed.farewell.staying.items():
        yield (name, "name"), f": {_names(packages)} not purged, since lbdeploy has no record of installing them"
    if not purge:
        only = f"--limit {','.join(removed.done)} " if limited else ""
        yield "Packages and lbdeploy's own records stay. To remove them: ", (f"lbdeploy down {only}--purge", "next")
    if limited:
        yield ("Next: ", "next"), f"take {_names(removed.done)} out of hosts.toml, then: lbdeploy up"


def _unknown(farewell: Farewell) -> Iterator[Line]:
    for name in farewell.unknown:
        told = ": an earlier lbdeploy did not remember what was there before; its files go, and its services stop"
        yield ("! ", "warn"), (name, "name"), told
    if farewell.unknown:
        fix = "apt-get -o Dpkg::Options::=--force-confmiss install --reinstall haproxy"
        yield ("    next: ", "next"), f"for Debian's haproxy.cfg, there: {fix}"


def _names(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
