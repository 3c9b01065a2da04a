"""The report of a drained server: on which nodes, what is open, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import count, listed
from lbdeploy.operations.servers.result import ServerResult


def lines(result: ServerResult) -> Iterator[Line]:
    """The lines about a server that was drained, or is to be used again."""
    yield from _drained(result) if result.state == "drain" else _used(result)
    away = [name for name, each in result.nodes.items() if not each.answers]
    if away:
        yield ("! ", "warn"), f"haproxy does not run on {listed(away)}: it goes by this once it does"


def _drained(result: ServerResult) -> Iterator[Line]:
    if not result.nodes:
        return
    done = "Drained: " if result.changed else "Drained already: "
    since = f", {result.drain.told}" if result.drain else ""
    yield (done, "good"), (result.server, "name"), _where(result), since
    if result.left:
        listing = ", ".join(f"{number} on {name}" for name, number in result.left.items())
        yield ("  open connections: ", "quiet"), listing
    if result.left and not result.gave_up:
        wait = result.typed("drain", "--wait", "60")
        yield ("Next: ", "next"), (wait, "next"), " waits for them to end, and with --shutdown closes the rest"
    elif not result.left:
        yield (("  no connection to it is open", "quiet"),)
    yield ("Next: ", "next"), "when its work is done: ", (result.typed("undrain"), "next")


def _used(result: ServerResult) -> Iterator[Line]:
    if not result.changed:
        yield ("Nothing to do: ", "good"), (result.server, "name"), " was not drained", _where(result)
        return
    yield ("In use again: ", "good"), (result.server, "name"), _where(result), ", as soon as its checks succeed"
    yield ("Next: ", "next"), ("lbdeploy verify --wait 60", "next")


def _where(result: ServerResult) -> str:
    """Behind which frontends, and on which nodes."""
    frontends = f"behind {listed(result.frontends)}"
    nodes = listed(result.changed or result.nodes)
    return (
        f" {frontends}, on {nodes} ({count(len(result.nodes), 'node')} asked)"
        if result.errors
        else (f" {frontends}, on {nodes}")
    )
