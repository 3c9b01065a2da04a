"""How far the operator's `notify_*` scripts were told of the state that keepalived has. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToldState:
    """A node's state, and what came of telling: `result` is delivering, delivered or failing.

    `since`: when keepalived told of it (s, Unix); `status` is the exit status of the last of so many `attempts`.
    """

    state: str = ""
    result: str = ""
    since: float = 0.0
    attempts: int = 0
    status: int = 0


def told_state(text: str) -> ToldState:
    """What deliver-state.sh has written; an empty one where that is not to be understood."""
    found = re.fullmatch(
        r"(MASTER|BACKUP|FAULT|STOP) (delivering|delivered|failing) (\d{1,12}) (\d{1,9}) (\d{1,3})", text.strip()
    )
    return ToldState(found[1], found[2], float(found[3]), int(found[4]), int(found[5])) if found else ToldState()
