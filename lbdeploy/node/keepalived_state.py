"""What a running keepalived reports: its VRRP state, its effective priority, since when; and who was told of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from lbdeploy.common.shell import Raw
from lbdeploy.node.answers import UNREADABLE

LAST = 1e11  # the latest time (s, Unix) that is believed
STATES = {0: "INIT", 1: "BACKUP", 2: "MASTER", 3: "FAULT"}  # VRRP_STATE_* of keepalived (measured on 2.2.7 and 2.3.3)

# keepalived dumps its data on SIGRTMIN + 2 (SIGJSON in its source, since 2017), 36 in glibc. That ends a process that
# does not expect it, so it is sent only to one that catches it or, as keepalived does, reads it from a signalfd(2), and
# blocks it for that. `keepalived --signum=JSON` says the number, too, and takes 7 ms: a tenth of a look.
# The dump is trusted only if it is owned by root, no link, and no older than the request: /tmp is world-writable.
# Where that does not work, keepalived's journal has the last state that it entered.
PROBE = Raw(r"""
pid=''
for file in /run/keepalived.pid /run/keepalived/keepalived.pid; do [ ! -e $file ] || read -r pid < $file; done
[ -d "/proc/${pid:-none}" ] || exit 1
heeds=''
while read -r key signals; do # a set, in hexadecimal: 36 is the highest bit of the ninth digit from the right
    case $key$signals in SigBlk:*[89a-f]???????? | SigCgt:*[89a-f]????????) heeds=yes ;; esac
done < "/proc/$pid/status"
if [ "$heeds" ]; then
    asked=/run/lbdeploy-status.$$ # only root can write there
    : > "$asked" || exit 1
    trap 'rm -f "$asked"' EXIT
    kill -s 36 "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        for file in /proc/$pid/root/tmp/keepalived.json /proc/$pid/root/run/keepalived/keepalived.json; do
            if [ -f $file ] && [ ! -L $file ] && [ -O $file ] && [ ! "$asked" -nt $file ]; then
                said=$(cat $file)
                case $said in *']') printf '%s\n' "$said"; exit ;; esac
            fi
        done
        sleep 0.03
    done
fi
journalctl -q -u keepalived -o cat -n 500 | sed -n 's/.*Entering \([A-Z]*\) STATE.*/\1/p' | tail -n 1""")


@dataclass(frozen=True, slots=True)
class KeepalivedState:
    """What keepalived reports; `since`: when it entered the state (s, Unix), 0 where only its journal was read."""

    state: str = ""
    priority: int | None = None
    since: float = 0.0


def parse_vrrp(text: str, instance: str, *, alone: bool = True) -> KeepalivedState:
    """keepalived's JSON, or a state's name from its journal. Unreadable text gives an empty KeepalivedState.

    `alone`: there is no other instance, so that what any says is what this one does.
    """
    if not alone and instance not in text:
        return KeepalivedState()
    if text.strip() in STATES.values():
        return KeepalivedState(text.strip())
    with suppress(*UNREADABLE):
        found = [each["data"] for each in json.loads(text)]
        data = next((each for each in found if each.get("iname") == instance), found[0] if found and alone else {})
        priority, since = _number(data, "effective_priority", 255), _number(data, "last_transition", LAST)
        return KeepalivedState(STATES[data["state"]], int(priority), since)
    return KeepalivedState()


def _number(data: Mapping[str, float], key: str, most: float) -> float:
    """A number of a JSON document, which may also hold 1e999. Raises ValueError unless it is from 0 to `most`."""
    if not 0 <= data[key] <= most:
        raise ValueError(f"{key} is {data[key]!r}")
    return float(data[key])


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
