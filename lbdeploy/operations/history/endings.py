"""The last line of a run's log: what `history` tells of it later. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MARK = "ended: "
MOST = 200  # names of changes that are kept
# Of a document; not diffs, findings or probes, which would fill the log.
KEPT = (
    "command", "exit_code", "duration_s", "kind", "node", "from", "to", "outage_ms", "expected_ms", "probes", "failed",
)  # fmt: skip


def line(document: Mapping[str, Any]) -> str:
    """What is kept of a command's document."""
    kept = {key: document[key] for key in KEPT if key in document}
    if changes := document.get("changes"):
        kept["changes"] = [[each["node"], f"{each['action']} {each['name']}"] for each in changes[:MOST]]
    if drills := document.get("drills"):
        kept["drills"] = [{key: each[key] for key in KEPT if key in each} for each in drills]
    if error := document.get("error"):
        kept["error"] = f"{error['node']}: {error['message']}" if error.get("node") else error["message"]
    return MARK + json.dumps(kept, ensure_ascii=False)


def read(text: str) -> dict[str, Any]:
    """What was kept; empty where the line is no such line any more: a secret in it was hidden, or it was cut off."""
    try:
        found = json.loads(text.removeprefix(MARK))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
