"""Drills as one web page for colleagues: self-contained, its pictures inline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from lbdeploy import __version__
from lbdeploy.cli.report.drill.text import holders, outages, silences, unreached
from lbdeploy.common.sanitize import safe_markup as escape
from lbdeploy.config.model import Cluster
from lbdeploy.operations.drill.result import DrillResult
from lbdeploy.operations.drill.timeline import Row, Span, Timeline, timeline
from lbdeploy.operations.outage.views import TOLERANCE

LABELS, WIDTH, RIGHT, TOP, PITCH, BAR = 210, 960, 20, 34, 30, 18  # sizes of the picture, in pixels

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2128; --paper: #fff; --faint: #6a737d; --rule: #d8dee4;
  --answers: #2da44e; --silent: #cf222e; --MASTER: #0969da; --BACKUP: #c8d1da; --FAULT: #d4a72c; --off: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #8b949e; --rule: #30363d;
  --BACKUP: #3d444d; --off: #6e7681; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--rule); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .tick { stroke: var(--rule); } svg .mark { stroke: var(--ink); stroke-dasharray: 3 3; }
svg .faint, .faint { fill: var(--faint); color: var(--faint); }
.key { display: inline-block; width: .9em; height: .9em; margin: 0 .3em 0 1em; vertical-align: -.1em; }
.bad { color: var(--silent); font-weight: 600; } .good { color: var(--answers); font-weight: 600; }
"""
KEYS = {
    "answers": "answers",
    "silent": "no answer",
    "MASTER": "master",
    "BACKUP": "backup",
    "FAULT": "fault",
    "off": "off",
}


def page(cluster: Cluster, results: Sequence[DrillResult]) -> str:
    """An HTML document. Everything that came from a node or a file is escaped."""
    title = f"Drills on {cluster.name}"
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(results[0].broken))
    keys = "".join(f'<span class="key" style="background: var(--{key})"></span>{text}' for key, text in KEYS.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>
<style>
{STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
<p class="faint">{when}, lbdeploy {__version__}</p>
{_summary(results)}
<p>{keys}</p>
{"".join(map(_section, results))}
<h2>How it was measured</h2>
<p>A client connected to every VIP 50 times a second, sent a TLS greeting, and waited 0.9 s at most for the first byte
of an answer. The outage is the longest time from the start of the last good probe before a failure to the start of the
first good one after it. What was predicted is the longest outage that the timers in hosts.toml allow; {TOLERANCE} s
more pass as noise. Watches asked for events through each VIP, and did nothing but read: the silence is the longest
time for which one of them heard nothing, from the break on. Who took over when is from keepalived's journal on each
node.</p>
</body>
</html>
"""


def _summary(results: Sequence[DrillResult]) -> str:
    head = (
        "drill",
        "on",
        "outage",
        "predicted at most",
        "silence",
        "predicted at most",
        "failed probes",
        "broken streams",
        "taken over by",
        "",
    )
    return _table(head, map(_numbers, results))


def _numbers(result: DrillResult) -> tuple[str, ...]:
    return (
        escape(result.kind.name),
        escape(result.node),
        f"{result.seen:.2f} s",
        f"{result.expected:.2f} s",
        f"{result.silence:.2f} s",
        "" if result.expected_silence is None else f"{result.expected_silence:.2f} s",
        f"{result.failed} of {result.probes}",
        f"{result.streams_broken} of {len(result.long_lived)}",
        escape(result.taker),
        f'<span class="{"good" if result.ok else "bad"}">{_verdict(result)}</span>',
    )


def _verdict(result: DrillResult) -> str:
    return "ok" if result.ok else "not healthy afterwards" if not result.healthy else "longer than predicted"


def _section(result: DrillResult) -> str:
    events = [(each.at, each.node, each.what) for each in result.events]
    events += [(result.broken, result.node, result.kind.what), (result.repaired, result.node, "undone")]
    rows = ((f"{at - result.broken:.2f} s", escape(node), escape(what)) for at, node, what in sorted(events))
    after = "".join(f"<p>{escape(detail)}</p>" for detail in result.after)
    heading = f"{result.node}: {result.kind.what}"
    after = "".join(f"<p>{escape(note)}.</p>" for note in (*outages(result), *unreached(result))) + after
    if result.watches:
        after = f"<p>Silence: {escape(silences(result))}.</p>{after}"
    if result.placed:
        after = f"<p>{escape(holders(result))}.</p>{after}"
    picture = svg(timeline(result, everyone=True), heading)
    return f"<h2>{escape(heading)}</h2>\n{picture}\n{_table(('after', 'node', 'what happened'), rows)}{after}"


def svg(shown: Timeline, title: str) -> str:
    """The timeline as a picture, one bar for each VIP and node."""
    rows = shown.rows
    height = TOP + len(rows) * PITCH + 30
    scale = (WIDTH - LABELS - RIGHT) / (shown.end - shown.start)

    def x(at: float) -> float:
        return LABELS + (at - shown.start) * scale

    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 200) if each * scale >= 40)
    for second in range(0, int(shown.end) + 1, step):
        parts.append(
            f'<line class="tick" x1="{x(second):.1f}" x2="{x(second):.1f}" y1="{TOP - 8}" y2="{height - 26}"/>'
        )
        parts.append(f'<text class="faint" x="{x(second):.1f}" y="{TOP - 14}" text-anchor="middle">{second} s</text>')
    for number, row in enumerate(rows):
        parts += _bar(row, TOP + number * PITCH, x)
    for at, label in ((0.0, "broken"), (shown.undone, "undone")):
        parts.append(f'<line class="mark" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP - 4}" y2="{height - 22}"/>')
        parts.append(f'<text x="{x(at):.1f}" y="{height - 8}" text-anchor="middle">{label}</text>')
    return "\n".join([*parts, "</svg>"])


def _bar(row: Row, y: int, x: Callable[[float], float]) -> Iterable[str]:
    yield f'<text x="0" y="{y + BAR - 4}">{escape(row.label)}</text>'
    for span in row.spans:
        yield _rect(span, y, x)


def _rect(span: Span, y: int, x: Callable[[float], float]) -> str:
    width = max(x(span.end) - x(span.start), 1.5)  # the shortest span stays visible
    hint = f"{KEYS[span.state]}, {span.start:.2f} s to {span.end:.2f} s"
    return (
        f'<rect x="{x(span.start):.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="var(--{span.state})">'
        f"<title>{hint}</title></rect>"
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are HTML already."""
    head = "".join(f"<th>{each}</th>" for each in headings)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"
