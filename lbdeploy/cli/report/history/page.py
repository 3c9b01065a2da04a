"""The past of a cluster as a web page: self-contained, light and dark, readable on a phone. Every text is escaped."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lbdeploy.cli.report.history.text import HEADINGS, row
from lbdeploy.common.sanitize import safe_markup as escape
from lbdeploy.common.version import __version__
from lbdeploy.operations.history.event import History, PastEvent

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2128; --paper: #fff; --faint: #57606a; --rule: #d0d7de; --net: #0969da;
  --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --rule: #3d444d;
  --net: #4493f8; --good: #3fb950; --bad: #f85149; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 75rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } .faint { color: var(--faint); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-top: 1px solid var(--rule); overflow-wrap: anywhere; } th { color: var(--faint); font-weight: normal; }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums; border-left: 4px solid var(--rule); }
.move td:first-child { border-left-color: var(--net); } .good td:first-child { border-left-color: var(--good); }
.bad td:first-child { border-left-color: var(--bad); } ul { margin: .2rem 0; padding-left: 1.2rem; }
summary { cursor: pointer; }
@media (max-width: 45rem) { thead { display: none; } tr { display: block; padding: .5rem 0; }
  td { display: block; border: 0; padding: .1rem .6rem; } td:first-child { border-left-width: 4px; }
  td:empty { display: none; } }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } }
"""


def page(history: History) -> str:
    """An HTML document; the latest event first."""
    name = escape(history.cluster)
    now = time.strftime("%Y-%m-%d %H:%M")
    lost = f"<p>Not asked, since they did not answer: {escape(', '.join(history.errors))}</p>" if history.errors else ""
    rows = "\n".join(map(_row, reversed(history.events))) or '<tr><td colspan="5">Nothing is recorded.</td></tr>'
    heads = "".join(f"<th>{escape(each)}</th>" for each in HEADINGS)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>History of {name}</title>
<style>
{STYLE}</style></head>
<body>
<h1>History of {name}</h1>
<p class="faint">As the nodes and this machine remembered it on {now}, lbdeploy {__version__}</p>
{lost}
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(event: PastEvent) -> str:
    at, what, who, changed, cost = map(escape, row(event))
    listed = "".join(f"<li>{escape(f'{node}: {each}')}</li>" for node, each in event.changed)
    detail = f"<details><summary>{changed}</summary><ul>{listed}</ul></details>" if listed else changed
    return f'<tr class="{_kind(event)}">{"".join(_cells((at, what, who, detail, cost)))}</tr>'


def _cells(values: tuple[str, ...]) -> Iterator[str]:
    yield from (f"<td>{value}</td>" for value in values)


def _kind(event: PastEvent) -> str:
    if event.kind == "move":
        return "move"
    return {None: "", 0: "good"}.get(event.ended.get("exit_code"), "bad")
