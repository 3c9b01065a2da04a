"""Metrics as the exporters print them: recorded scrapes of haproxy's, and what verify prints; and what promtool says.

The scrapes are those of a haproxy with two frontends: k8s-api, of whose servers master1 and master2 are up and master3
refuses connections; and tls, whose check_ca_file is not that of its servers master1 and master2.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from documents import server, verified

from lbdeploy.cli.report.formats import Format

CAPTURED = Path(__file__).parent / "captured" / "haproxy_metrics"
VERSIONS = ("2.2", "2.6", "3.0")
PROMTOOL = str(Path(sys.executable).with_name("promtool"))
WITH_METRICS = """
[frontends.tls]
port = 7443
check = "https"
[frontends.tls.servers]
master1 = "192.168.1.21:6443"
master2 = "192.168.1.22:6443"
[metrics]
network = "management"
"""
INSTANCES = ("192.168.1.11:8404", "192.168.1.12:8404")
WITH_VRRP = "vrrp = true\n"  # below the above
Series = dict[str, str]  # promtool's notation of values over time, by series

PACKAGES = [
    {"node": node, "name": name, "version": "1"} for node in ("lb1", "lb2") for name in ("haproxy", "keepalived")
]
SERVERS = [server("master1", "UP", node) for node in ("lb1", "lb2")]
STALE = "lbdeploy_verify_timestamp_seconds"


def scrape(version: str) -> str:
    """What this haproxy printed."""
    return (CAPTURED / f"{version}.txt").read_text()


def names(text: str) -> set[str]:
    """The metrics in what an exporter printed."""
    return set(re.findall(r"^([a-z_]+)[{ ]", text, re.MULTILINE))


def named(expression: str) -> set[str]:
    """The metrics that an expression of PromQL names."""
    return set(re.findall(r"\b(?:lbdeploy|haproxy)_[a-z_]+", re.sub(r"`[^`]*`|\"[^\"]*\"", "", expression)))


def series(text: str, instance: str = "", minutes: int = 90) -> Series:
    """What an exporter printed, as if it printed that all the time; promtool has no notation for NaN."""
    found: Series = {}
    for line in text.splitlines():
        if line and not line.startswith("#") and not line.endswith(" NaN"):
            name, value = line.rsplit(" ", 1)
            found[labelled(name, instance)] = f"{value}x{minutes}"
    return found


def verify_says(*findings: dict[str, object], **more: object) -> Series:
    """What verify prints, each minute: its last look is never old."""
    document = verified(*findings, packages=PACKAGES) | {"servers": SERVERS} | more  # type: ignore[arg-type]
    printed = series(Format("prometheus").text(document))
    return {name: "0+60x90" if name.startswith(STALE) else value for name, value in printed.items()}


def labelled(name: str, instance: str) -> str:
    """A series with the label that Prometheus adds to what it scrapes."""
    if not instance:
        return name
    bare, _, rest = name.partition("{")
    return f'{bare}{{instance="{instance}",{rest}' if rest else f'{bare}{{instance="{instance}"}}'


def promtool(*args: str) -> str:
    """What it prints; it fails where it finds something wrong."""
    done = subprocess.run([PROMTOOL, *args], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def firing(folder: Path, rules: str, given: Series, expected: Mapping[str, Iterable[str]], at: str = "80m") -> None:
    """See that these alerts fire after `at`, and no others, each for these series: labels, as PromQL writes them."""
    (folder / "rules.yml").write_text(rules)
    samples = [
        {"labels": f'{{alertname="{name}",alertstate="firing",{labels}}}', "value": 1}
        for name, each in expected.items()
        for labels in each
    ]
    # Without the labels that each alert has anyway.
    expr = 'max without (__name__, severity, cluster) (ALERTS{alertstate="firing"})'
    case = {"input_series": [{"series": name, "values": values} for name, values in given.items()], "interval": "1m"}
    test: dict[str, Any] = {"promql_expr_test": [{"expr": expr, "eval_time": at, "exp_samples": samples}]}
    _tested(folder, case | test)


def _tested(folder: Path, case: Mapping[str, Any]) -> None:
    file = folder / "test.yml"
    file.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]}))
    promtool("test", "rules", str(file))


def told(folder: Path, rules: str, given: Series, alert: str, expected: Mapping[str, Any], at: str = "80m") -> None:
    """See that an alert fires, with these labels and these words."""
    (folder / "rules.yml").write_text(rules)
    case = {"input_series": [{"series": name, "values": values} for name, values in given.items()], "interval": "1m"}
    _tested(folder, case | {"alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": [expected]}]})
