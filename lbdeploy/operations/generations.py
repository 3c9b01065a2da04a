"""The generations on the nodes: what each file held before a run, for the last runs that changed any."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.common.shell import cmd
from lbdeploy.errors import RemoteError, UsageError
from lbdeploy.node.answers import base64_text
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.paths import GENERATIONS
from lbdeploy.node.resources import File
from lbdeploy.node.resources.base import Resource
from lbdeploy.planning.desired import KEEPALIVED_CONF, OWN_SCRIPTS


@dataclass(frozen=True, slots=True)
class Generation:
    """A node's files before the run `id`. `about`: who started it; `hosts`: the hosts.toml before it, or "".

    `files` are (mode, content) by path, without files that did not exist.
    """

    id: str
    about: str
    hosts: str
    files: Mapping[str, tuple[str, str]]


class Reader:
    """The script that prints a node's generations, and the reader of what it prints."""

    def __init__(self) -> None:
        self.nonce = secrets.token_hex(8)

    def script(self) -> str:
        """POSIX sh for root: a line for each file of each generation, with its mode and its content in base64."""
        line = f'printf \'%s %s %s %s\\n\' {self.nonce} "$path" "$(stat -c %a "$path")" "$(base64 -w 0 "$path")"'
        files = f"cd {cmd(GENERATIONS)} 2>/dev/null || exit 0\nfind . -mindepth 2 -type f"
        return f"{PRELUDE}{files} | while read -r path; do {line}; done\n"

    def read(self, output: str) -> list[Generation]:
        """The generations, newest first."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for path, mode, content in self._lines(output):
            name, _, rest = path.removeprefix("./").partition("/")
            found.setdefault(name, {})[rest] = (mode, content)
        return [_generation(name, found[name]) for name in sorted(found, reverse=True)]

    def _lines(self, output: str) -> Iterator[tuple[str, str, str]]:
        for path, mode, content in re.findall(rf"^{self.nonce} (\S+) (\d+) ?(\S*)$", output, re.MULTILINE):
            yield path, mode, base64_text(content)


def _generation(name: str, files: Mapping[str, tuple[str, str]]) -> Generation:
    texts = {path: content for path, (_, content) in files.items()}
    kept = {path.removeprefix("files"): each for path, each in files.items() if path.startswith("files/")}
    return Generation(name, texts.get("about", "").strip(), texts.get("hosts.toml", ""), kept)


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """What to roll back to: the nodes before the run `id`. `nodes` has those that were changed by it or since."""

    id: str
    about: str
    hosts: str
    nodes: Mapping[str, Generation]

    def wanted(self, name: str, resources: Sequence[Resource[Any]]) -> list[Resource[Any]]:
        """The resources of a node, with the files as they were then."""
        files = self.nodes[name].files if name in self.nodes else {}
        then = {
            path: File(path, content, mode, secret=path.startswith(OWN_SCRIPTS))
            for path, (mode, content) in files.items()
        }
        return [wanted for each in resources for wanted in each.as_kept(then)]


def target(generations: Mapping[str, Sequence[Generation]], run: str | None) -> RollbackTarget:
    """The state before `run`, or before the last run where it is None.

    Raises UsageError for a run that no node knows, and RemoteError where there is nothing to roll back to.
    """
    known = sorted({each.id for those in generations.values() for each in those}, reverse=True)
    if not known:
        raise RemoteError("no run has changed any file yet", state="nothing was changed", fix="lbdeploy plan")
    if run is not None and run not in known:
        raise UsageError(f"no node knows a run {run}", state="nothing was changed", fix=f"one of: {', '.join(known)}")
    chosen = run or known[0]
    nodes = {name: min(later, key=_by_id) for name, those in generations.items() if (later := _since(those, chosen))}
    bare = [name for name, each in nodes.items() if KEEPALIVED_CONF not in each.files]
    if bare:
        raise RemoteError(
            f"before that run, {' and '.join(bare)} had no load balancer to go back to",
            node=bare[0],
            state="nothing was changed",
            fix="lbdeploy rollback --list shows the runs that can be undone; lbdeploy down removes everything",
        )
    about = next(each.about for those in generations.values() for each in those if each.id == chosen)
    return RollbackTarget(chosen, about, next((each.hosts for each in nodes.values() if each.hosts), ""), nodes)


def _since(generations: Sequence[Generation], run: str) -> list[Generation]:
    return [each for each in generations if each.id >= run]


def _by_id(generation: Generation) -> str:
    return generation.id
