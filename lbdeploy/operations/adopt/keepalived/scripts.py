"""The scripts that keepalived runs on a pair built by hand: which watches haproxy, what the others become. Pure.

hosts.toml names scripts by a file beside it. What can't be one becomes a script of a line or two that runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from lbdeploy.common.config_words import keepalived_words
from lbdeploy.operations.adopt.keepalived.instances import HandMade, number
from lbdeploy.operations.adopt.keepalived.watching import asks_for_haproxy_alone
from lbdeploy.operations.adopt.reading.keepalived_conf import ConfEntry
from lbdeploy.operations.adopt.reading.sources import Sources

_NOTIFY = ("notify", "notify_master", "notify_backup", "notify_fault", "notify_stop")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A vrrp_script that an instance tracks: `key` is its name in hosts.toml; "" where lbdeploy's own check is it."""

    entry: ConfEntry
    use: ConfEntry
    key: str

    @property
    def weight(self) -> int:
        """That of the instance's line counts before the script's own."""
        given = self.use.words[self.use.words.index("weight") + 1 :] if "weight" in self.use.words else ()
        text = given[0] if given else self.entry.get("weight") or "0"
        return int(text) if re.fullmatch(r"-?[0-9]{1,3}", text) else 0

    def whole(self, key: str, default: int, most: int = 60) -> int:
        return number((self.entry.get(key) or "").partition(".")[0], 1, most) or default


@dataclass(slots=True)
class Scripts:
    """What the scripts become: `tracked` by name in keepalived.conf, and `files` that lie beside hosts.toml.

    `notify` is the one that runs what was `notified`: the commands by their keywords.
    """

    tracked: dict[str, Tracked] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    notify: str = ""
    notified: dict[str, str] = field(default_factory=dict)

    @property
    def check(self) -> Tracked | None:
        """The one that watches haproxy."""
        return next((each for each in self.tracked.values() if not each.key), None)

    def tables(self) -> dict[str, Any]:
        """[vrrp.track_scripts]."""
        return {each.key: _table(each) for each in self.tracked.values() if each.key}


def scripts(entries: Sequence[ConfEntry], instance: HandMade, sources: Sources, ports: Set[int]) -> Scripts:
    """The scripts of an instance; `ports` are those at which haproxy answers the node itself."""
    found = Scripts()
    vips = {str(each.address.ip) for each in instance.vips}
    defined = {each.value: each for each in entries if each.key == "vrrp_script" and each.block is not None}
    for name, use in instance.tracked.items():
        entry = defined.get(name)
        if entry is not None:
            command = _script(entry)
            key = "" if watches_haproxy(command, sources, ports, vips) else _plain(name, found)
            found.tracked[name] = Tracked(entry, use, key)
            if key:
                found.files[f"scripts/{key}"] = _text(command, sources)
    if commands := _notified(instance.with_group):
        found.notified = commands
        found.notify = "scripts/notify"
        found.files[found.notify] = _notify(commands, sources)
    return found


def watches_haproxy(command: str, sources: Sources, ports: Set[int], vips: Set[str] = frozenset()) -> bool:
    """Whether a command only asks whether haproxy runs, or what it has at these ports: as lbdeploy's own check does."""
    return asks_for_haproxy_alone(_file(command, sources) or command, ports, vips)


def missing(entries: Sequence[ConfEntry], sources: Sources) -> None:
    """Asks for the files of all scripts that are named."""
    for each in entries:
        if each.block is not None:
            for line in each.block:
                if line.key == "script" or line.key.startswith("notify"):
                    _file(command_of(line), sources)


def _file(command: str, sources: Sources) -> str | None:
    """The text of a command's script, if it is one of a file's name."""
    words = [word for word, _ in keepalived_words(command)]
    path = next((word for word in words if word.startswith("/")), "")
    first = words[0].rpartition("/")[2] if words else ""
    if not path or (path != words[0] and first not in ("sh", "bash", "dash")):
        return None
    text = sources.file(path)
    return text if text and (path != words[0] or text.startswith("#!")) else None


def command_of(notification: ConfEntry) -> str:
    """The command of a notification, without the user and the group that may follow it."""
    return next(iter(notification.script_words), "")


def _script(entry: ConfEntry) -> str:
    """The command of a vrrp_script."""
    line = entry.last("script")
    return " ".join(line.script_words) if line else ""


def _text(command: str, sources: Sources, arguments: str = "") -> str:
    """The script beside hosts.toml: the file itself, or a line that runs the command on the node."""
    script = sources.file(command) if command.startswith("/") and not command.split()[1:] else None
    return script if script and script.startswith("#!") else f"#!/bin/sh\nexec {command}{arguments}\n"


def _notified(instance: ConfEntry) -> dict[str, str]:
    """The commands of an instance's notifications, by their keywords."""
    lines = ((key, instance.last(key)) for key in _NOTIFY)
    return {key: command for key, line in lines if line and (command := command_of(line))}


def _notify(commands: Mapping[str, str], sources: Sources) -> str:
    """One script for all of keepalived's notifications."""
    every = commands.get("notify", "")
    states = {key.removeprefix("notify_").upper(): each for key, each in commands.items() if key != "notify"}
    return "".join(_by_state(every, states)) if states else _text(every, sources, ' "$@"')


def _by_state(every: str, chosen: dict[str, str]) -> Iterator[str]:
    """sh that runs what the state asks for: keepalived gives it as the third argument."""
    yield "#!/bin/sh\n# Written by lbdeploy adopt. Arguments: INSTANCE, its name, the state, the priority.\n"
    yield f'{every} "$@"\n' if every else ""
    yield "case $3 in\n"
    for state, command in chosen.items():
        yield f"    {state}) {command} ;;\n"
    yield "esac\n"


def _plain(name: str, found: Scripts) -> str:
    """A name that hosts.toml takes, and that no other script has."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name).strip("-_")[:28] or "script"
    taken = {each.key for each in found.tracked.values()}
    return next(each for each in (plain, *(f"{plain}-{n}" for n in range(2, 999))) if each not in taken)


def _table(each: Tracked) -> dict[str, Any]:
    interval = each.whole("interval", 1)
    values = {
        "script": f"scripts/{each.key}",
        "interval": interval,
        "timeout": each.whole("timeout", interval),
        "fall": each.whole("fall", 1, 100),
        "rise": each.whole("rise", 1, 100),
        "weight": max(-253, min(253, each.weight)),
    }
    return {key: value for key, value in values.items() if key != "weight" or value}
