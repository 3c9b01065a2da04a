"""The cluster as a picture in a terminal: states by shape first, then by colour, so that it reads without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from lbdeploy.cli.report.terminal import Line, Part
from lbdeploy.cli.report.wrap import columns
from lbdeploy.operations.topology import FrontendView, NetworkView, NodeView, State, Topology

GAP = 2  # columns between boxes

STYLE: dict[State, str] = {"good": "good", "idle": "", "warn": "warn", "bad": "bad", "unknown": "quiet"}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What boxes are drawn with: `corners` from the upper left, clockwise; `states` by name."""

    corners: tuple[str, str, str, str]
    across: str
    down: str
    states: dict[State, str]


UNICODE = Glyphs(("┌", "┐", "┘", "└"), "─", "│", {"good": "●", "idle": "○", "warn": "!", "bad": "✗", "unknown": "·"})
ASCII = Glyphs(("+", "+", "+", "+"), "-", "|", {"good": "*", "idle": "o", "warn": "!", "bad": "x", "unknown": "."})


def lines(topology: Topology, width: int, glyphs: Glyphs = UNICODE) -> Iterator[Line]:
    """The picture, in lines of at most `width` columns, unless a single name or address is longer."""
    yield (topology.name, "name"), ("" if topology.live else "  as in hosts.toml; its states now: --live", "quiet")
    yield ()
    yield from _networks(topology.networks, glyphs)
    yield ()
    yield from _rows([_node(each, glyphs) for each in topology.nodes], width)
    yield ((f"{topology.election} on {_vrrp_network(topology)}", "quiet"),)
    for frontend in topology.frontends:
        yield ()
        yield from _frontend(frontend, width, glyphs)
    if topology.live:
        yield ()
        yield ((_legend(glyphs), "quiet"),)


def _legend(glyphs: Glyphs) -> str:
    words: dict[State, str] = {
        "good": "in use", "idle": "standby", "warn": "drained", "bad": "not well", "unknown": "not known",
    }  # fmt: skip
    return "  ".join(f"{glyphs.states[state]} {word}" for state, word in words.items())


def _vrrp_network(topology: Topology) -> str:
    return next((each.name for each in topology.networks if each.vrrp), "")


def _networks(networks: Sequence[NetworkView], glyphs: Glyphs) -> Iterator[Line]:
    name = max(len(each.name) for each in networks)
    interface = max(len(each.interface) for each in networks)
    address = max((len(vip.told) for each in networks for vip in each.vips), default=0)
    for network in networks:
        head = f"{network.name:{name}}  {network.interface:{interface}}  "
        if not network.vips:
            yield head, ("no VIP", "quiet")
        for vip in network.vips:
            where = " and ".join(vip.holders)
            held = f"  on {where}" if where else "  on no node" if vip.state == "bad" else ""
            mark = (f"{glyphs.states[vip.state]} ", STYLE[vip.state])
            told = f"{vip.told:{address}}" if held else vip.told
            yield head, "VIP ", mark, (told, "name"), (held, STYLE[vip.state])
            head = " " * len(head)


def _node(node: NodeView, glyphs: Glyphs) -> list[Line]:
    margin = max((len(name) for name, _ in node.addresses), default=0)
    body: list[Line] = [((f"{glyphs.states[node.state]} ", STYLE[node.state]), node.told)]
    body += [(f"{name:{margin}}  ", (address, "name")) for name, address in node.addresses]
    return _box(node.name, body, glyphs)


def _frontend(frontend: FrontendView, width: int, glyphs: Glyphs) -> Iterator[Line]:
    vips = ", ".join(frontend.vips)
    yield (f"{frontend.name}  :{frontend.port}", "name"), (f"  {frontend.how}; on {vips}", "quiet")
    cells = [_server_cell(each.name, each.address, each.detail, each.state, glyphs) for each in frontend.servers]
    widest = max((_length(cell) for cell in cells), default=0) + GAP
    each_row = max(1, (width - 2) // widest)
    for start in range(0, len(cells), each_row):
        row: list[Part] = ["  "]
        for number, cell in enumerate(cells[start : start + each_row], 1):
            row += [*cell, " " * (widest - _length(cell)) if number < min(each_row, len(cells) - start) else ""]
        yield row


def _server_cell(name: str, address: str, detail: str, state: State, glyphs: Glyphs) -> Line:
    said = f"  {detail}" if detail else ""
    return (f"{glyphs.states[state]} ", STYLE[state]), (name, "name"), f"  {address}", (said, STYLE[state])


def _box(title: str, body: Sequence[Line], glyphs: Glyphs) -> list[Line]:
    inner = max([_length(line) for line in body] + [columns(title) + 2])
    upper_left, upper_right, lower_right, lower_left = glyphs.corners
    rest = glyphs.across * (inner - columns(title) - 1)
    top: Line = (f"{upper_left}{glyphs.across} ", (title, "name"), f" {rest}{upper_right}")
    sides: list[Line] = [(f"{glyphs.down} ", *line, " " * (inner - _length(line)), f" {glyphs.down}") for line in body]
    bottom: Line = (f"{lower_left}{glyphs.across * (inner + 2)}{lower_right}",)
    return [top, *sides, bottom]


def _rows(boxes: Sequence[list[Line]], width: int) -> Iterator[Line]:
    """Boxes side by side, as many in a row as fit."""
    row: list[list[Line]] = []
    taken = 0
    for box in boxes:
        size = _length(box[0]) + GAP
        if row and taken + size - GAP > width:
            yield from _beside(row)
            row, taken = [], 0
        row.append(box)
        taken += size
    yield from _beside(row)


def _beside(boxes: Sequence[list[Line]]) -> Iterator[Line]:
    widths = [_length(box[0]) for box in boxes]
    for parts in zip_longest(*boxes):
        line: list[Part] = []
        for number, (part, size) in enumerate(zip(parts, widths, strict=True)):
            line += [*([" " * GAP] if number else []), *(part or (" " * size,))]
        yield line


def _length(line: Line) -> int:
    return sum(columns(part if isinstance(part, str) else part[0]) for part in line)
