"""The dashboard: as Grafana's model has it, with queries that Prometheus understands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from builders import cluster
from documents import finding, verified
from goldens import BIG, GOOD
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from jsonschema import Draft202012Validator
from metrics import VERSIONS, WITH_METRICS, WITH_VRRP, named, names, promtool, scrape
from vrrp_script import Script

from lbdeploy.cli.report.exports.grafana import text, to_json, uid
from lbdeploy.cli.report.formats import Format

PACKAGES = [{"node": "lb1", "name": "haproxy", "version": "1"}]
SOURCE = {"const": {"type": "prometheus", "uid": "${datasource}"}}
# What Grafana's JSON model asks for of a dashboard, and of each kind of panel that this one has.
MODEL: dict[str, Any] = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time"],
    "properties": {
        "uid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"},
        "title": {"type": "string", "minLength": 1},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "refresh": {"type": "string", "pattern": "^[0-9]+[smhd]$"},
        "time": {"type": "object", "required": ["from", "to"]},
        "templating": {"properties": {"list": {"type": "array", "items": {"required": ["name", "type", "query"]}}}},
        "panels": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "datasource", "gridPos", "targets", "fieldConfig", "options"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"enum": ["stat", "state-timeline", "timeseries", "table"]},
                    "title": {"type": "string", "minLength": 1},
                    "datasource": SOURCE,
                    "gridPos": {
                        "required": ["x", "y", "w", "h"],
                        "properties": {"x": {"minimum": 0, "maximum": 23}, "w": {"minimum": 1, "maximum": 24}},
                    },
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "required": ["refId", "expr", "legendFormat", "datasource"],
                            "properties": {"refId": {"pattern": "^[A-Z]$"}, "datasource": SOURCE},
                        },
                    },
                    "fieldConfig": {
                        "required": ["defaults", "overrides"],
                        "properties": {
                            "defaults": {
                                "properties": {
                                    "unit": {"enum": ["short", "s", "cps", "Bps"]},
                                    "thresholds": {
                                        "required": ["mode", "steps"],
                                        "properties": {
                                            "steps": {
                                                "minItems": 1,
                                                "prefixItems": [{"properties": {"value": {"type": "null"}}}],
                                                "items": {"properties": {"value": {"type": "number"}}},
                                            }
                                        },
                                    },
                                }
                            }
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(params=[GOOD, GOOD + WITH_METRICS + WITH_VRRP, BIG + '\n[metrics]\nnetwork = "back"\n'])
def dashboard(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Without haproxy's and keepalived's metrics, with them, and with names and addresses of every kind."""
    return json.loads(text(cluster(tmp_path, request.param)))


@pytest.fixture
def lbdeploys_own(tmp_path: Path) -> str:
    """What verify prints, and what keepalived's script writes."""
    script = Script(tmp_path, cluster(tmp_path, GOOD + WITH_METRICS + WITH_VRRP), "lb1")
    return Format("prometheus").text(verified(finding("error", "x"), packages=PACKAGES)) + script.printed()


def queries(dashboard: Any) -> list[str]:
    return [query["expr"] for panel in dashboard["panels"] for query in panel["targets"]]


def test_it_is_of_grafanas_model(dashboard: Any) -> None:
    """Its keys and values, and identities that are each used once."""
    Draft202012Validator.check_schema(MODEL)
    assert [each.message for each in Draft202012Validator(MODEL).iter_errors(dashboard)] == []
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)) > 6
    for panel in dashboard["panels"]:
        assert len({query["refId"] for query in panel["targets"]}) == len(panel["targets"])


def test_grafanas_own_model_knows_all_of_it(dashboard: Any) -> None:
    """Its code for dashboards, which drops what it does not know, reads and writes it, and nothing is lost."""
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    assert [*lost(dashboard, again)] == []
    known = {**dashboard, "panels": [{**dashboard["panels"][0], "options": {"colourMode": "value"}}]}
    assert [*lost(known, json.loads(JSONEncoder().encode(Dashboard.from_json(known))))] == [
        "/panels/0/options/colourMode"
    ]


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What is not there any more, or not the same."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}/{at}")
    elif before != after:
        yield path


def test_panels_lie_side_by_side(dashboard: Any) -> None:
    """None over another, and none beyond the last column."""
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(each["x"] + each["w"] <= 24 for each in places)
    for one, other in combinations(places, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart or below


def test_every_metric_that_it_shows_is_printed_by_each_version(dashboard: Any, lbdeploys_own: str) -> None:
    """By haproxy 2.2, 2.6 and 3.0, by verify, or by keepalived's script."""
    own = names(lbdeploys_own)
    used = set[str]().union(*map(named, queries(dashboard)))
    for version in VERSIONS:
        assert used - names(scrape(version)) - own == set()


def test_legends_have_labels_that_the_series_have(dashboard: Any, lbdeploys_own: str) -> None:
    """A label that does not exist would be an empty place in each line."""
    printed = scrape("2.6") + lbdeploys_own
    known = {"instance", *re.findall(r'[{,]([a-z_]+)="', printed)}
    legends = [query["legendFormat"] for panel in dashboard["panels"] for query in panel["targets"]]
    assert {label for each in legends for label in re.findall(r"\{\{(\w+)\}\}", each)} <= known


@pytest.mark.terminal
def test_prometheus_understands_every_query(dashboard: Any, tmp_path: Path) -> None:
    """As promtool parses them, with the interval that Grafana puts in."""
    rules = [
        {"record": f"panel:{at}", "expr": each.replace("$__rate_interval", "5m")}
        for at, each in enumerate(queries(dashboard))
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_the_same_file_gives_the_same_dashboard(tmp_path: Path) -> None:
    """So that importing it again replaces the former one."""
    assert to_json(cluster(tmp_path, GOOD)) == to_json(cluster(tmp_path, GOOD))


@pytest.mark.parametrize("name", ["k8s-api", "prod.eu-1", "x" * 60])
def test_an_identity_fits_grafana(name: str) -> None:
    """And differs where the name does, whatever of it has no place in it."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid(name))
    assert len({uid(name), uid(name + "."), uid(name + "-")}) == 3
