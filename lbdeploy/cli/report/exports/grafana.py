"""A dashboard for Grafana, made from hosts.toml. The same file gives the same dashboard, so that importing it again
replaces the former one: uid and panels' ids do not change.

Source: Grafana documentation, Dashboard JSON model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from lbdeploy.cli.report.exports.panels import Panel, panels
from lbdeploy.config.model import Cluster

SCHEMA_VERSION = 36  # of Grafana 9; newer ones migrate it
COLUMNS = 24  # of the grid that panels lie on
LONGEST_UID = 40
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
# What each kind of panel has to have, in words that all versions of Grafana since 9 know.
OPTIONS: dict[str, dict[str, Any]] = {
    "stat": {
        "colorMode": "background",  # red is seen from the other end of the room
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "textMode": "auto",
    },
    "state-timeline": {"legend": LEGEND, "tooltip": {"mode": "single", "sort": "none"}, "rowHeight": 0.9},
    "table": {"frameIndex": 0, "showHeader": True},
    "timeseries": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
}


def text(cluster: Cluster) -> str:
    """The file."""
    return json.dumps(to_json(cluster), indent=2) + "\n"


def to_json(cluster: Cluster) -> dict[str, object]:
    """The dashboard, as Grafana imports it."""
    return {
        "uid": uid(cluster.name),
        "title": f"Load balancer {cluster.name}",
        "description": "Made from hosts.toml by: lbdeploy export grafana",
        "tags": ["lbdeploy", "haproxy", "keepalived"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "timezone": "",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_choice_of_source()]},
        "annotations": {"list": []},
        "links": [],
        "panels": list(_placed(panels(cluster))),
    }


def uid(name: str) -> str:
    """The dashboard's identity: 40 letters, digits, - and _ at the most; of other names, by a hash."""
    plain = f"lbdeploy-{re.sub(r'[^A-Za-z0-9_-]', '-', name)}"
    if plain == f"lbdeploy-{name}" and len(plain) <= LONGEST_UID:
        return plain
    return f"{plain[: LONGEST_UID - 9]}-{sha256(name.encode()).hexdigest()[:8]}"


def _choice_of_source() -> dict[str, object]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus", "hide": 0}


def _placed(found: list[Panel]) -> Iterator[dict[str, object]]:
    """The panels from left to right, in rows as high as their first one."""
    x = y = height = 0
    for number, panel in enumerate(found, 1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + height
        height = panel.height if x == 0 else height
        yield _drawn(panel, number, {"x": x, "y": y, "w": panel.width, "h": height})
        x += panel.width


def _drawn(panel: Panel, number: int, place: dict[str, int]) -> dict[str, object]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [_query(panel, at, *each) for at, each in enumerate(panel.queries.items())],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": OPTIONS[panel.kind] | dict(panel.options),
    }


def _query(panel: Panel, at: int, legend: str, expression: str) -> dict[str, object]:
    query = {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
    return query | ({"instant": True, "range": False, "format": "table"} if panel.kind == "table" else {"range": True})


def _defaults(panel: Panel) -> dict[str, object]:
    steps = [{"color": color, "value": value} for value, color in panel.colors]
    names = {str(value): {"text": word, "index": at} for at, (value, word) in enumerate(panel.words.items())}
    return {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "thresholds" if steps else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps or [{"color": "text", "value": None}]},
        "mappings": [{"type": "value", "options": names}] if names else [],
    }
