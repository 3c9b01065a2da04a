"""What becomes of the lines of a vrrp_script. Pure."""

from __future__ import annotations

import re

from lbdeploy.operations.adopt.keepalived.meanings import SCRIPT
from lbdeploy.operations.adopt.keepalived.scripts import command_of
from lbdeploy.operations.adopt.keepalived.side import KeepalivedSide, compared, looked_up
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry
from lbdeploy.operations.adopt.rows import Meaning

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")  # or a word that no keepalived takes, and that may be anything
NOTIFICATIONS = ("notify", "notify_master", "notify_backup", "notify_fault")


def script_head(side: KeepalivedSide, entry: ConfEntry) -> Meaning:
    """The line that begins it."""
    tracked = side.scripts.tracked.get(entry.value)
    if tracked is None:
        return untracked(side, entry.value)
    return ("kept", f"vrrp.track_scripts.{tracked.key}") if tracked.key else ("equal", "lbdeploy's own check_haproxy")


def untracked(side: KeepalivedSide, name: str) -> Meaning:
    """A script that hosts.toml does not have."""
    if name not in side.tracked:
        return "equal", "nothing tracks it: nothing changes without it"
    if name not in side.defined:
        return "equal", "there is no such vrrp_script: keepalived ignores it"
    return "ends", f"all track what {side.main.name} does on {side.preferred}, and it does not track this one"


def script_line(side: KeepalivedSide, outer: ConfEntry, entry: ConfEntry) -> Meaning:
    """A line of it; `outer` is the block."""
    tracked = side.scripts.tracked.get(outer.value)
    if tracked is None:
        return untracked(side, outer.value)
    if tracked.key:
        return _own_script(side, tracked.key, entry)
    if entry.key == "script" and "pidof" in entry.value:
        return "equal", f"{SCRIPT['script'][1]}. keepalived before 2.3 runs what pidof links to, killall5, which fails"
    if entry.key == "weight":
        return weight_of_check(side, tracked.weight)
    wanted = {"interval": "check_interval", "fall": "check_fall", "rise": "check_rise"}.get(entry.key)
    return compared(side, side.vrrp, f"vrrp.{wanted}", entry) if wanted else looked_up(SCRIPT, entry)


def weight_of_check(side: KeepalivedSide, weight: int) -> Meaning:
    """A weight of the script that watches haproxy."""
    if not weight:
        return "kept", "a node whose haproxy does not answer leaves the election"
    if side.ignores_weights:
        return (
            "changes",
            "keepalived ignores a script with a weight in a vrrp_sync_group, so no haproxy is watched now; "
            "with lbdeploy a node whose haproxy does not answer gives up the VIPs",
        )
    return (
        "changes",
        f"weight {weight} only lowers a priority, which moves the VIPs if that is enough; "
        "with lbdeploy a node whose haproxy does not answer always gives them up",
    )


def _own_script(side: KeepalivedSide, key: str, entry: ConfEntry) -> Meaning:
    table = side.vrrp["track_scripts"][key]
    if entry.key == "script":
        return "kept", f"{table['script']}, beside hosts.toml: put on the nodes from there"
    if entry.key == "user":
        return "changes", "root runs it"
    return compared(side, table, f"vrrp.track_scripts.{key}.{entry.key}", entry)


def notification(side: KeepalivedSide, entry: ConfEntry, *, of_group: bool = False) -> Meaning:
    """A line of an instance, or of its sync group, that names a script for changes of state."""
    if side.scripts.notified.get(entry.key) != command_of(entry):
        return "ends", f"what {side.main.name} runs on {side.preferred} is run on all nodes, and that is another script"
    lost = ["its first argument is INSTANCE, no longer GROUP"] if of_group and entry.key == "notify" else []
    user = next(iter(entry.script_words[1:]), "root")
    if user != "root":
        lost.append(f"no longer {user if _USER.fullmatch(user) else 'another user'} does")
    what = f"vrrp.notify = {side.scripts.notify}, beside hosts.toml: root runs it at every change of state"
    return ("changes", "; ".join((what, *lost))) if lost else ("kept", what)
