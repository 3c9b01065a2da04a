"""What nodes remember, and logs of this machine, for `history`."""

from __future__ import annotations

from lbdeploy.operations.generations import Generation
from lbdeploy.operations.history.laptop import LoggedCommand
from lbdeploy.operations.history.node import Past

ME = "ann@laptop"
T = 1795974000.0  # 2026-11-29 17:40:00 UTC
UP, ROLLBACK = "20261129T174000.000Z", "20261129T175000.000Z"
CONF = "/etc/keepalived/keepalived.conf"


def about(who: str, process: int, at: str, typed: str) -> str:
    """How a run is recorded on the nodes."""
    return f"{who} (process {process}), since 2026-11-29 {at} UTC: {typed}"


FIRST = about(ME, 100, "17:40:00", "lbdeploy up")
SECOND = about("bob@desk", 7, "17:50:00", "lbdeploy rollback")


def remembered(**more: object) -> Past:
    """Two runs, of which the second has changed keepalived.conf."""
    known: dict[str, object] = {
        "generations": [Generation(ROLLBACK, SECOND, "", {}, 2), Generation(UP, FIRST, "", {}, 1)],
        "files": {UP: {}, ROLLBACK: {CONF: "1"}, "": {CONF: "2"}},
        "started": [(T + 1, FIRST), (T + 601, SECOND)],
        "ended": [T + 20, T + 620],
    }
    return Past(**known | more)  # type: ignore[arg-type]


def session(at: float, typed: str, process: int = 100, seconds: float = 20, **ended: object) -> LoggedCommand:
    """A command of this machine's."""
    return LoggedCommand(at, at + seconds, process, typed.split()[1], typed, {"exit_code": 0, **ended})
