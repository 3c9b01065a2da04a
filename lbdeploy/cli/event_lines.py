"""Events as documents, for programs that follow a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lbdeploy.events import Event


def as_document(event: Event) -> dict[str, Any]:
    """The document for an event; {} for a RemoteCommand, which only the log has. `time`: Unix time in seconds."""
    kind = type(event).__name__.lower()
    if kind not in ("step", "done", "note"):
        return {}
    about = {"event": kind, "time": round(time.time(), 3), "node": event.who, "text": getattr(event, "text", "")}
    ended = {"ok": getattr(event, "ok", True)} if kind == "done" else {}
    return about | ended
