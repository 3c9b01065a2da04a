"""What else the live screen shows: the keys, what is known of one row, what has changed, drills to try. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lbdeploy.cli.report.live.sections import TableRow, Watched, sections
from lbdeploy.cli.report.status import span
from lbdeploy.cli.report.summary import causes_lines
from lbdeploy.cli.report.terminal import Line
from lbdeploy.config.model import Cluster, Node
from lbdeploy.operations.drill.faults import NAMES, ON_SERVERS, OUTSIDE, kind
from lbdeploy.operations.drill.prediction import of_node

HELP = (
    ("up, down", "choose a row; also k and j"),
    ("Enter", "details of the row"),
    ("/", "only rows with this text; Esc clears it"),
    ("h", "what is wrong, and what has changed"),
    ("d", "drills to try, and what each would cost"),
    ("?", "this page"),
    ("Esc", "back"),
    ("q, Ctrl-C", "end; the last screen stays"),
)
WORDS = (
    ("first line", "how the cluster is: the words of lbdeploy verify"),
    ("for", "how long it has been so; rate: new connections a second"),
    ("grey", "the node does not answer: what it said last"),
    ("curves", "40 seconds: a node's rate, a server's open sessions"),
    ("columns", "a narrow terminal shows fewer; Enter shows all of a row"),
)


def help_lines(_: Watched) -> list[Line]:
    """The keys, and the words on the screen."""
    keys: list[Line] = [[(f"{key:<12}", "name"), text] for key, text in HELP]
    words: list[Line] = [[(f"{word:<12}", "quiet"), text] for word, text in WORDS]
    return [[("keys", "quiet")], *keys, (), *words]


def changes(watched: Watched, text: str = "") -> list[Line]:
    """What has changed, the latest first: a line each."""
    found = [each for each in watched.trends.changes if text.lower() in each.text.lower()]
    return [[(f"{_moment(each.at)}  ", "quiet"), (each.text, each.kind)] for each in found]


def _moment(at: float) -> str:
    """The time of day, or the date where it is not of today, in the same number of columns."""
    then = time.localtime(at)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if today else "%m-%d   ", then)


def history(watched: Watched) -> list[Line]:
    """What is wrong, all changes that were seen, and where older ones are told."""
    wrong = list(causes_lines(watched.status.causes, verbose=False))
    more: Line = ["runs, drills and older moves: ", ("lbdeploy history", "next")]
    heading: Line = [("what has changed, as far as nodes say since when", "quiet")]
    return [*wrong, *([()] if wrong else []), heading, *changes(watched), (), more]


def drill(watched: Watched) -> list[Line]:
    """The kinds of drills, each with the outage that the timers predict; nothing is broken from here."""
    status = watched.status
    well = status.state == "healthy"
    now: Line = ["Nothing is broken from here: type it in another terminal."]
    wait: Line = [("! ", "warn"), f"Not now: the cluster is {status.state}. A drill wants a healthy one."]
    return [now if well else wait, (), *_drills(watched)]


def _drills(watched: Watched) -> Iterator[Line]:
    for part in watched.status.cluster.parts:
        placed = [each for each in watched.status.vips if each.vip.group == part.group]
        holders = list(dict.fromkeys(name for each in placed for name in each.holders))
        yield from _drills_on(part, part.node(holders[0]) if len(holders) == 1 else part.preferred)


def _drills_on(part: Cluster, holder: Node) -> Iterator[Line]:
    """The drills on the holder of a group of VIPs, or of all, where there are no groups."""
    for name in (each for each in NAMES if each not in ON_SERVERS):
        cost = f"{of_node(part, name, holder, holds=True).outage:.1f} s"
        where = " (in the lab only)" if name in OUTSIDE else ""
        command = f"lbdeploy drill {name}" + (f" --group {part.group}" if part.group else "")
        yield [(f"{command:<26}", "next"), f"{cost:>7}  {holder.name}: {kind(name, part, holder).what}{where}"]


def details(watched: Watched, row: TableRow) -> list[Line]:
    """All that is known of a row."""
    told = {"node": _of_node, "VIP": _of_vip, "server": _of_server}[row.kind](watched, row)
    name = row.key[-1]
    wrong = [each for each in watched.status.causes if name in each.nodes or name in each.text]
    return [
        [(f"{row.kind} ", "quiet"), (name, "name")],
        *told,
        (),
        *causes_lines(wrong, verbose=True),
        *changes(watched, name),
    ]


def _of_node(watched: Watched, row: TableRow) -> Iterator[Line]:
    """Every cell with its heading, also those for which a table has no room, and its addresses."""
    name = row.key[0]
    node = watched.status.cluster.node(name)
    if name in watched.silent:
        yield _pair("answers", f"not for {span(watched.silent[name])}; below is what it said last")
    for network, address in node.addresses.items():
        yield _pair(network, f"{address} on {node.interfaces[network]}")
    heads = next(each.heads for each in sections(watched) if each.noun == "node")
    for head, (cell,) in list(zip(heads, row.cells, strict=True))[1:]:
        if head.heading:
            yield [(f"{head.heading:<12}", "quiet"), cell]
    yield _pair("VIPs", ", ".join(str(each.vip.ip) for each in watched.status.vips if name in each.holders) or "none")


def _of_vip(watched: Watched, row: TableRow) -> Iterator[Line]:
    found = next(each for each in watched.status.vips if str(each.vip.ip) == row.key[0])
    yield _pair("network", found.vip.network)
    yield _pair("interface", found.interface)
    yield _pair("holder", found.told())
    for frontend in watched.status.cluster.frontends:
        yield _pair("frontend", f"{frontend.name} on port {frontend.port}")


def _of_server(watched: Watched, row: TableRow) -> Iterator[Line]:
    of, name = row.key
    frontend, server = next(
        (each, one) for each, one in watched.status.cluster.servers() if (each.name, one.name) == (of, name)
    )
    yield _pair("frontend", f"{of}, {frontend.check} check every {frontend.interval:g} s")
    yield _pair("address", f"{server.address}:{server.port}")
    for node in watched.status.cluster.nodes:
        stat = watched.stat(node.name, of, name)
        state = f"{stat.status} {stat.check_status} {span(stat.since)}, {stat.sessions} sessions" if stat else "unknown"
        yield _pair(f"on {node.name}", state)


def _pair(heading: str, text: str) -> Line:
    return [(f"{heading:<12}", "quiet"), text]
