"""`lbdeploy export`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console import Run


@pytest.mark.parametrize(("kind", "key"), [("prometheus", "rules"), ("grafana", "dashboard")])
def test_the_screen_a_file_or_a_document_gets_it(run: Run, tmp_path: Path, kind: str, key: str) -> None:
    """On standard output nothing else; what is left out without [metrics] is told beside it."""
    shown = run("export", kind)
    assert (shown.code, "no [metrics]" in shown.err) == (0, True)
    written = run("export", kind, "--output", "a.file")
    assert "Wrote a.file" in written.out
    assert (tmp_path / "a.file").read_text() == shown.out
    document = run("--json", "export", kind).json
    assert (document["ok"], document["path"], bool(document[key])) == (True, None, True)
    assert kind == "prometheus" or json.loads(shown.out) == document[key]


def test_with_metrics_nothing_is_left_out(run: Run, tmp_path: Path) -> None:
    """And nothing is warned of."""
    file = tmp_path / "hosts.toml"
    file.write_text(file.read_text() + '\n[metrics]\nnetwork = "management"\n')
    done = run("export", "prometheus")
    assert (done.err, "haproxy_server_status" in done.out) == ("", True)


def test_a_file_that_can_not_be_written_is_told(run: Run) -> None:
    """Exit 2, with what to do."""
    error = run("--json", "export", "grafana", "--output", "nowhere/a.json").json["error"]
    assert error["message"] == "nowhere/a.json can't be written: No such file or directory"
