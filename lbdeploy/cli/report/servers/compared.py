"""The report of `servers`: hosts.toml's beside the cluster's, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import count, listed
from lbdeploy.operations.kubernetes.comparison import ComparedServer, Comparison
from lbdeploy.operations.kubernetes.findings import place

HEADINGS = ("frontend", "server", "address", "hosts.toml", "cluster")
IN_FILE = {"missing": "-"}
IN_CLUSTER = {
    "same": "API server",
    "missing": "API server",
    "gone": "no node of the control plane",
    "silent": "announces no API server now",
    "unknown": "not announced: down, or gone",
}


def table_row(row: ComparedServer) -> tuple[str, ...]:
    """A row of the table, for one server."""
    node = f" {row.node}" if row.node and row.node != row.server else ""
    return row.frontend, row.server, place(row), IN_FILE.get(row.state, "yes"), f"{IN_CLUSTER[row.state]}{node}"


def lines(comparison: Comparison, file: str, then: str, *, written: bool) -> Iterator[Line]:
    """The lines below the table: what the API did not say, and what to do. `then`: the command that follows it."""
    plane = comparison.plane
    if plane.shadowed:
        vips = listed([str(each) for each in plane.shadowed])
        yield ("! ", "warn"), f"the cluster announces {vips} as an API server: a VIP, which is not taken for one"
    if plane.without_nodes:
        yield ("! ", "warn"), f"its nodes are not known, so no server is taken for gone: {plane.without_nodes.message}"
    for frontend in comparison.strange:
        yield ("! ", "warn"), f"it names none of the servers of {frontend}: it may be another cluster"
    if not comparison.differences:
        yield ("Nothing to do: ", "good"), f"{file} has the API servers that the cluster names."
    elif written:
        yield ("Written: ", "good"), f"{file}: {_summary(comparison, 'added', 'removed')}"
        yield ("Next: ", "next"), ("lbdeploy plan", "next")
    else:
        yield ("They differ: ", "warn"), f"in {file}, {_summary(comparison, 'missing', 'gone from the cluster')}"
        yield ("Next: ", "next"), (then, "next"), f" changes {file}, and nothing else"


def _summary(comparison: Comparison, missing: str, gone: str) -> str:
    """How many servers hosts.toml lacks, and how many it has too many."""
    states = [row.state for row in comparison.differences]
    numbers = ((states.count("missing"), missing), (states.count("gone"), gone))
    return ", ".join(f"{count(number, 'server')} {word}" for number, word in numbers if number)
