"""Who else lives on a node: what the first look of a command asks besides, and the reader of the answers. Pure.

Not every look asks for it: it changes seldom, and costs the node a few dozen programs.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from lbdeploy.common.debian import UNITS_FOLDER
from lbdeploy.common.shell import Raw, here
from lbdeploy.config.model import Address, Cluster
from lbdeploy.node.answers import UNREADABLE
from lbdeploy.node.health_probes import FOLDERS
from lbdeploy.node.keepalived_state import PROBE, STATES
from lbdeploy.node.observation import Observation
from lbdeploy.node.remote import remote_text
from lbdeploy.node.resources.sysctl import NONLOCAL_BIND

NAME = "surroundings"
DEFAULT = {"keepalived": "/etc/keepalived/keepalived.conf"}  # what a daemon reads that is told of no file
SYSCTL_CONF = "/etc/sysctl.conf"
UNDOES = "undoes a setting at the next boot, or when sysctl --system runs"
SETTINGS = (*NONLOCAL_BIND.values(), "net.ipv4.conf.all.promote_secondaries")
WRITTEN = (*FOLDERS, UNITS_FOLDER)  # folders in which files are replaced
_EXEC = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# By a part of the file's path: what is before an address that the node gets, and not before a gateway, a name server,
# or the target of a route. netplan has addresses in lists only, with a prefix length, as name servers never are.
_GIVES = {
    "/netplan/": r"(?:^|-\s|[\[,])\s*[\"']?{address}/\d",
    "/systemd/network/": r"^(?:Server)?Address\s*=\s*{address}",
    "/NetworkManager/": r"^address(?:es)?\d*\s*=(?:.*;)?\s*{address}",
    "": r"^address\s+{address}|\bip\s.*\ba\w*\s+(?:add|replace)\s+{address}|\bifconfig\s+\S+\s+(?:add\s+)?{address}",
}


@dataclass(frozen=True, slots=True)
class VipManager:
    """A manager of addresses that is no keepalived.service; `knows`: vips or none, by its file, or unknown."""

    pid: str
    name: str
    knows: str
    command: str


@dataclass(frozen=True, slots=True)
class Unwritable:
    """A file or folder that root can't write to: `why` is immutable, append-only, ro (its file system), or unknown."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Port:
    """A port on which something listens that others in the network can reach, and its process's name."""

    protocol: str
    number: str
    process: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line of a file."""

    file: str
    number: str
    text: str


def probe(cluster: Cluster) -> dict[str, Raw]:
    """What a first look asks besides, by name."""
    given = {
        "vips": [str(vip.ip) for vip in cluster.vips],
        "settings": SETTINGS,
        "folders": WRITTEN,
        "restricted": dict.fromkeys(str(each.port) for each in cluster.frontends if each.allow),
        "firewall": [] if cluster.firewall == "none" else [cluster.firewall],
    }
    variables = "\n".join(f"{name}={here(' '.join(words))}" for name, words in given.items())
    return {NAME: Raw(f"{variables}\nvrrp() (\n{PROBE}\n)\n{remote_text('surroundings.sh')}")}


def lines(seen: Observation, kind: str) -> Sequence[str]:
    """The lines of a kind, without it."""
    answer = seen.marks.get(NAME)
    return _by_kind(answer.output).get(kind, []) if answer else []


@lru_cache(maxsize=8)  # many questions are asked about each node
def _by_kind(output: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        kind, space, rest = line.partition(" ")
        if space:
            found.setdefault(kind, []).append(rest)
    return found


def held(seen: Observation) -> dict[str, str]:
    """The VIPs that the node has: the interface of each."""
    found = [line.split() for line in lines(seen, "address")]
    return {words[3].partition("/")[0]: words[1] for words in found if len(words) > 3}


def vrrp_states(seen: Observation) -> list[str]:
    """The states of all instances of the node's keepalived.service, each time it was asked; none if it says none."""
    return [state for text in lines(seen, "state") for state in _states(text.strip())]


def _states(text: str) -> list[str]:
    if text in STATES.values():
        return [text]
    with suppress(*UNREADABLE):
        return [STATES[each["data"]["state"]] for each in json.loads(text)]
    return []


def processes(seen: Observation) -> list[VipManager]:
    """The managers of addresses; of one that has several processes, the first."""
    found = [line.split(" ", 3) for line in lines(seen, "process")]
    made = [VipManager(*words) for words in found if len(words) == 4]
    return list({each.command: each for each in reversed(made)}.values())


def unwritable(seen: Observation) -> list[Unwritable]:
    """What root can't write to, of what lbdeploy may want to write."""
    found = [line.partition(" ") for line in lines(seen, "unwritable")]
    return [Unwritable(path, why) for why, _, path in found]


def ports(seen: Observation) -> list[Port]:
    """The ports on which something listens, but for what only the node itself reaches; where that was asked."""
    return list(dict.fromkeys(each for words in map(str.split, lines(seen, "listens")) for each in _port(words)))


def _port(words: Sequence[str]) -> Iterator[Port]:
    address, _, number = words[4].rpartition(":") if len(words) > 4 else ("", "", "")
    who = re.search(r'"([^"]*)"', words[-1]) if words else None
    if number.isdecimal() and not address.startswith(("127.", "[::1]")) and not address.endswith("%lo"):
        yield Port(words[0], number, who[1] if who else "something")


def clients(seen: Observation) -> list[tuple[str, Address]]:
    """The ports that only some may use from now on, and who is connected there, each once."""
    found = (line.split() for line in lines(seen, "client"))
    pairs = [(words[0], _address(words[1])) for words in found if len(words) == 2]
    return [(port, address) for port, address in pairs if address]


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def places(seen: Observation, kind: str, word: str = "") -> Iterator[FileLine]:
    """The lines of files that were found, without comments; with `word`, only those that have it."""
    for line in lines(seen, kind):
        if word not in line:
            continue
        file, number, text = ([*line.split(":", 2), "", ""])[:3]
        if not text.lstrip().startswith(("#", ";")):
            yield FileLine(file, number, text.strip())


def gives(line: FileLine, address: str) -> bool:
    """Whether a line of a file gives the node this address; what is of no known folder is ifupdown's."""
    pattern = next(pattern for folder, pattern in _GIVES.items() if folder in line.file)
    whole = rf"(?<![\w.:]){re.escape(address)}(?![\w.:])"
    return re.search(pattern.format(address=whole), line.text[:1000]) is not None


def other_files(seen: Observation, daemon: str, path: str) -> tuple[list[str], bool]:
    """The files that a daemon reads instead of `path`, and whether only the running process does; none if it reads it.

    A process keeps the command line that it was started with, also over a reload, until it is restarted.
    """
    told = [line.removeprefix(f"{daemon} ").partition("=") for line in lines(seen, "unit") if line.startswith(daemon)]
    values = [(key, value) for key, _, value in told]
    variables = dict(_variables(values))
    to_start = [_expanded(words, variables) for key, value in values if key == "ExecStart" for words in _argv(value)]
    running = [tuple(value.split()) for key, value in values if key == "Running"]
    for commands, only_running in ((to_start, False), (running, True)):
        for words in commands:
            files = _files(words) or [each for each in [DEFAULT.get(daemon)] if each]
            if files and not any(each.rstrip("/") in (path, path.rpartition("/")[0]) for each in files):
                return files, only_running
    return [], False


def later_sysctl(seen: Observation, setting: str, value: str, own: str) -> FileLine | None:
    """Where a kernel setting gets another value after our own file was read, at a boot or by `sysctl --system`.

    Both read the files of all folders in the order of their names; /etc/sysctl.conf comes last (sysctl(8)).
    """
    found = [(each, to) for each in places(seen, "sysctl", setting.rpartition(".")[2]) for to in _given(each, setting)]
    mine = own.rpartition("/")[2]
    after = [(each, to) for each, to in found if each.file == SYSCTL_CONF or each.file.rpartition("/")[2] > mine]
    after.sort(key=lambda pair: (pair[0].file == SYSCTL_CONF, pair[0].file.rpartition("/")[2]))
    return after[-1][0] if after and after[-1][1] != value else None


def _given(line: FileLine, setting: str) -> list[str]:
    """The value that a line gives a kernel setting, in whose name slashes may stand for dots; none for another one."""
    name, _, value = line.text.removeprefix("-").partition("=")
    return value.split()[:1] if name.strip().replace("/", ".") == setting else []


def _argv(text: str) -> list[str]:
    return [found[1] for found in _EXEC.finditer(text)]


def _variables(values: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those of the unit, then those of its EnvironmentFiles, which take precedence (systemd.exec(5))."""
    for key, value in sorted(values, key=lambda pair: pair[0] == "Variable"):
        if key in ("Environment", "Variable"):
            for word in _split(value):
                name, _, text = word.partition("=")
                yield name, text


def _expanded(command: str, variables: dict[str, str]) -> tuple[str, ...]:
    return _split(_VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), command))


@lru_cache(maxsize=64)  # packages give all nodes of a fleet the same units
def _split(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())


def _files(words: Collection[str]) -> list[str]:
    """The files, or folders, that follow -f on the command line of haproxy or keepalived."""
    found, rest = [], list(words)[1:]
    for index, word in enumerate(rest):
        if word in ("-f", "--use-file", "--"):
            found += rest[index + 1 : index + 2]
        elif word.startswith("--use-file="):
            found.append(word.partition("=")[2])
        elif re.match(r"-f[^-]", word):
            found.append(word[2:])
    return found
