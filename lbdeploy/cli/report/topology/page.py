"""The cluster as a web page: self-contained, light and dark, readable on a phone. Every text is escaped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from lbdeploy.cli.report.topology.svg import mark
from lbdeploy.common.sanitize import safe_markup as escape
from lbdeploy.common.version import __version__
from lbdeploy.operations.topology import FrontendView, NetworkView, NodeView, State, Topology

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2128; --paper: #fff; --faint: #57606a; --box: #f6f8fa; --rule: #d0d7de;
  --net: #0969da; --good: #1a7f37; --idle: #57606a; --warn: #9a6700; --bad: #cf222e; --unknown: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --box: #161b22;
  --rule: #3d444d; --net: #4493f8; --good: #3fb950; --idle: #9198a1; --warn: #d29922; --bad: #f85149;
  --unknown: #6e7681; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; }
code, .address { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; overflow-wrap: anywhere; }
.faint { color: var(--faint); } .boxes { display: flex; flex-wrap: wrap; gap: 1rem; }
.box { flex: 1 1 15rem; background: var(--box); border: 1px solid var(--rule); border-radius: 6px;
  padding: .75rem 1rem; }
.box.good { border: 2px solid var(--good); } .box.bad { border: 2px solid var(--bad); }
.network { border-left: 4px solid var(--net); padding-left: .75rem; margin: .5rem 0; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; } h3 { font-size: 1rem; margin: 0; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 1rem; margin: .25rem 0 0; } dt { color: var(--faint); }
dd { margin: 0; } ul { list-style: none; padding: 0; margin: .25rem 0 0; } svg { vertical-align: -.15em; }
@media print { body { margin: 0; max-width: none; } .box { break-inside: avoid; } }
"""
WORDS: dict[State, str] = {
    "good": "in use", "idle": "standby", "warn": "drained", "bad": "not well", "unknown": "not known",
}  # fmt: skip


def page(topology: Topology) -> str:
    """An HTML document."""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    said = f"as it was at {when}" if topology.live else "as in hosts.toml; its states were not looked at"
    name = escape(topology.name)
    keys = "".join(f"{_mark(state)} {word} &nbsp; " for state, word in WORDS.items()) if topology.live else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>
<style>
{STYLE}</style></head>
<body>
<h1>{name}</h1>
<p class="faint">{said}, lbdeploy {__version__}</p>
<h2>Networks and VIPs</h2>
{_joined(map(_network, topology.networks))}
<h2>Nodes</h2>
<div class="boxes">
{_joined(map(_node, topology.nodes))}
</div>
<p class="faint">{escape(topology.election)}</p>
<h2>Frontends and servers</h2>
<div class="boxes">
{_joined(map(_frontend, topology.frontends))}
</div>
<p class="faint">{keys}</p>
</body>
</html>
"""


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _mark(state: State) -> str:
    return f'<svg width="14" height="14" role="img"><title>{WORDS[state]}</title>{mark(7, 7, state)}</svg>'


def _network(network: NetworkView) -> str:
    vips = _list(
        f'{_mark(vip.state)} <b class="address">{escape(vip.told)}</b>'
        + (f" on {escape(' and '.join(vip.holders))}" if vip.holders else "")
        for vip in network.vips
    )
    adverts = ", VRRP" if network.vrrp else ""
    head = f'{escape(network.name)} <span class="faint">{escape(network.interface)}{adverts}</span>'
    return f'<div class="network">{head}{vips}</div>'


def _node(node: NodeView) -> str:
    rows = "".join(
        f'<dt>{escape(name)}</dt><dd class="address">{escape(address)}</dd>' for name, address in node.addresses
    )
    role = f"{_mark(node.state)} {escape(node.told)}"
    return f'<div class="box {node.state}"><h3>{escape(node.name)}</h3>{role}<dl>{rows}</dl></div>'


def _frontend(frontend: FrontendView) -> str:
    servers = _list(
        f'{_mark(each.state)} {escape(each.name)} <span class="address faint">{escape(each.address)}</span> '
        f"{escape(each.detail)}"
        for each in frontend.servers
    )
    how = f'<span class="faint">{escape(frontend.how)}; on {escape(", ".join(frontend.vips))}</span>'
    return f'<div class="box"><h3>{escape(frontend.name)} :{frontend.port}</h3>{how}{servers}</div>'


def _list(items: Iterable[str]) -> str:
    rows: Sequence[str] = [f"<li>{item}</li>" for item in items]
    return f"<ul>{''.join(rows)}</ul>" if rows else ""
