"""The cluster as an SVG picture: networks as lines across, nodes hanging from them, frontends with their servers below.

States are shapes as well as colours: a disc, a ring, a square, a cross, a dot. Light and dark follow the reader's own
setting. Every text is escaped, since nodes and files may say anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lbdeploy.cli.report.wrap import columns
from lbdeploy.common.sanitize import safe_markup as escape
from lbdeploy.operations.topology import FrontendView, NetworkView, NodeView, ServerView, State, Topology

MARGIN, GAP, PAD = 24, 20, 12  # sizes, in pixels
LINE = 20  # from one line of text to the next
CHAR = 7.9  # the width of a character of the monospaced font at 13 pixels, and a little more
BUS = 52  # from one network's line to the next
NARROWEST = 800

STYLE = """\
svg { --ink: #1c2128; --paper: #ffffff; --faint: #57606a; --box: #f6f8fa; --rule: #afb8c1; --net: #0969da;
  --good: #1a7f37; --idle: #57606a; --warn: #9a6700; --bad: #cf222e; --unknown: #8c959f; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --box: #161b22;
  --rule: #3d444d; --net: #4493f8; --good: #3fb950; --idle: #9198a1; --warn: #d29922; --bad: #f85149;
  --unknown: #6e7681; } }
text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--ink); }
.title { font-weight: 600; } .head { font-size: 17px; font-weight: 600; } .faint { fill: var(--faint); }
.net { stroke: var(--net); stroke-width: 3; } .drop { stroke: var(--net); stroke-width: 1.5; }
.dot { fill: var(--net); } .vrrp { stroke: var(--faint); stroke-dasharray: 4 4; fill: none; }
.box { fill: var(--box); stroke: var(--rule); } .paper { fill: var(--paper); }
"""


@dataclass(frozen=True, slots=True)
class _Place:
    """The upper left corner of a box, and its size."""

    x: float
    y: float
    width: float
    height: float


def svg(topology: Topology) -> str:
    """An SVG document of its own."""
    wide = max((_node_width(each) for each in topology.nodes), default=0)
    width = max(NARROWEST, 2 * MARGIN + len(topology.nodes) * (wide + GAP) - GAP)
    networks_at = MARGIN + 46
    nodes_at = networks_at + len(topology.networks) * BUS
    places = _places(topology.nodes, wide, width, nodes_at)
    drawn = [*_heading(topology)]
    drawn += _networks(topology.networks, networks_at, width)
    drawn += _drops(topology, places, networks_at)
    for node, place in zip(topology.nodes, places, strict=True):
        drawn += _node(node, place)
    bottom = nodes_at + max(place.height for place in places)
    drawn += _election(topology, places, bottom)
    drawn_frontends, height = _frontends(topology.frontends, bottom + 56, width)
    return _document(topology, width, height, [*drawn, *drawn_frontends])


def _document(topology: Topology, width: float, height: float, parts: Sequence[str]) -> str:
    title = f"The load balancer {topology.name}: networks, VIPs, nodes, frontends and servers"
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    paper = f'<rect class="paper" width="{width:.0f}" height="{height:.0f}" rx="8"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", paper, *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def mark(x: float, y: float, state: State) -> str:
    """A state as a shape, with its centre at these coordinates."""
    colour = f"var(--{state})"
    if state == "bad":
        cross = f"M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"
        return f'<path d="{cross}" stroke="{colour}" stroke-width="2.5" fill="none"/>'
    if state == "warn":
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    size, fill = {"good": (5, colour), "idle": (4, "none"), "unknown": (2, colour)}[state]
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def _heading(topology: Topology) -> Iterator[str]:
    yield _text(MARGIN, MARGIN + 12, topology.name, "head")
    if not topology.live:
        yield _text(MARGIN + columns(topology.name) * 10.5 + 16, MARGIN + 12, "as in hosts.toml", "faint")


def _networks(networks: Sequence[NetworkView], top: float, width: float) -> Iterator[str]:
    for number, network in enumerate(networks):
        y = top + number * BUS
        yield f'<line class="net" x1="{MARGIN}" x2="{width - MARGIN:.1f}" y1="{y}" y2="{y}"/>'
        yield _text(MARGIN, y - 8, f"{network.name}  {network.interface}", "faint")
        yield from _vips(network, y - 8, width - MARGIN)


def _vips(network: NetworkView, y: float, right: float) -> Iterator[str]:
    """The VIPs of a network, right-aligned."""
    for vip in reversed(network.vips):
        where = " and ".join(vip.holders) or ("no node" if vip.state == "bad" else "")
        text = f"VIP {vip.told}" + (f" on {where}" if where else "")
        left = right - columns(text) * CHAR
        yield mark(left - 10, y - 4, vip.state)
        yield _text(left, y, text, "title")
        right = left - 36


def _node_width(node: NodeView) -> float:
    margin = max((len(name) for name, _ in node.addresses), default=0)
    longest = max([columns(address) + margin + 2 for _, address in node.addresses] + [len(node.told) + 2])
    return 2 * PAD + longest * CHAR


def _places(nodes: Sequence[NodeView], wide: float, width: float, top: float) -> list[_Place]:
    """The place of each node's box: evenly spread."""
    step = (width - 2 * MARGIN) / len(nodes)
    height = 2 * PAD + LINE * (2 + max(len(each.addresses) for each in nodes))
    return [_Place(MARGIN + (n + 0.5) * step - wide / 2, top, wide, height) for n in range(len(nodes))]


def _drops(topology: Topology, places: Sequence[_Place], top: float) -> Iterator[str]:
    """The cable of each node to each network; one that passes other networks' lines has its dot at its own."""
    for place in places:
        for number, _ in enumerate(topology.networks):
            x = place.x + place.width * (number + 1) / (len(topology.networks) + 1)
            y = top + number * BUS
            yield f'<line class="drop" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{place.y:.1f}"/>'
            yield f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="4"/>'


def _node(node: NodeView, place: _Place) -> Iterator[str]:
    edge = f' style="stroke: var(--{node.state}); stroke-width: 2"' if node.state in ("good", "bad") else ""
    yield (
        f'<rect class="box" x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="6"{edge}/>'
    )
    x, y = place.x + PAD, place.y + PAD + 12
    yield _text(x, y, node.name, "title")
    yield mark(x + 5, y + LINE - 4, node.state)
    yield _text(x + 16, y + LINE, node.told)
    margin = max(len(name) for name, _ in node.addresses)
    for number, (network, address) in enumerate(node.addresses, 2):
        yield _text(x, y + number * LINE, network, "faint")
        yield _text(x + (margin + 2) * CHAR, y + number * LINE, address)


def _election(topology: Topology, places: Sequence[_Place], bottom: float) -> Iterator[str]:
    """VRRP between the nodes: a dashed line below them."""
    first, last = places[0], places[-1]
    left, right = first.x + first.width / 2, last.x + last.width / 2
    yield f'<path class="vrrp" d="M{left:.1f} {bottom:.1f}v14H{right:.1f}v-14"/>'
    yield _text((left + right) / 2, bottom + 32, topology.election, "faint", "middle")


def _frontends(frontends: Sequence[FrontendView], top: float, width: float) -> tuple[list[str], float]:
    """The frontends below each other, and where they end."""
    parts: list[str] = []
    for frontend in frontends:
        drawn, height = _frontend(frontend, top, width)
        parts += drawn
        top += height + GAP
    return parts, top - GAP + MARGIN


def _frontend(frontend: FrontendView, top: float, width: float) -> tuple[list[str], float]:
    inner = width - 2 * MARGIN - 2 * PAD
    cell = max((_server_width(each) for each in frontend.servers), default=0) + GAP
    a_row = max(1, int((inner + GAP) // cell)) if cell else 1
    rows = -(-len(frontend.servers) // a_row)
    height = 2 * PAD + LINE * (1 + rows) + 4
    parts = [
        f'<rect class="box" x="{MARGIN}" y="{top:.1f}" width="{width - 2 * MARGIN:.1f}" height="{height:.1f}" rx="6"/>',
        _text(MARGIN + PAD, top + PAD + 12, f"{frontend.name} :{frontend.port}", "title"),
        _text(width - MARGIN - PAD, top + PAD + 12, frontend.how, "faint", "end"),
    ]
    for number, server in enumerate(frontend.servers):
        x = MARGIN + PAD + (number % a_row) * cell
        parts += _server(server, x, top + PAD + 16 + LINE * (1 + number // a_row))
    return parts, height


def _server_width(server: ServerView) -> float:
    return 16 + columns(f"{server.name}  {server.address}  {server.detail}".rstrip()) * CHAR


def _server(server: ServerView, x: float, y: float) -> Iterator[str]:
    yield mark(x + 5, y - 4, server.state)
    yield _text(x + 16, y, server.name)
    yield _text(x + 16 + (columns(server.name) + 2) * CHAR, y, f"{server.address}  {server.detail}".rstrip(), "faint")
