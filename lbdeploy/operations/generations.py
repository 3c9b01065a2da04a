"""The generations on the nodes: what each file held before a run, for the last runs that changed any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbdeploy.common.shell import cmd, nonce
from lbdeploy.common.typed import typed
from lbdeploy.errors import RemoteError, UsageError
from lbdeploy.node.answers import base64_text, count
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.paths import GENERATIONS
from lbdeploy.node.resources import File
from lbdeploy.node.resources.base import Resource
from lbdeploy.node.resources.restored import restored
from lbdeploy.planning.desired import KEEPALIVED_CONF, is_secret


@dataclass(frozen=True, slots=True)
class Generation:
    """A node's files before the run `id`. `about`: who started it; `hosts`: the hosts.toml before it, or "".

    `files` are (mode, content) by path, without files that did not exist. `number`: the node counts its generations,
    since the time in an id is that of a laptop; 0: from before they were counted.
    """

    id: str
    about: str
    hosts: str
    files: Mapping[str, tuple[str, str]]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What a node has stored of its past. `hosts`: the hosts.toml that its present files are made from, or "".

    It decides about that node only: nobody else can know whether it is true.
    """

    generations: Sequence[Generation]  # in the node's own order, the latest first
    hosts: str = ""


class Reader:
    """The script that prints what a node has stored, and the reader of what it prints."""

    def __init__(self) -> None:
        self.nonce = nonce()

    def script(self) -> str:
        """POSIX sh for root: a line for each file of each generation, with its mode and its content in base64.

        Beside them lies the present hosts.toml.
        """
        line = f'printf \'%s %s %s %s\\n\' {self.nonce} "$path" "$(stat -c %a "$path")" "$(base64 -w 0 "$path")"'
        present = "if [ -f ../hosts.toml ]; then echo ../hosts.toml; fi"
        files = f"{{ {present}; find . -mindepth 2 -type f; }}"
        return f"{PRELUDE}cd {cmd(GENERATIONS)} 2>/dev/null || exit 0\n{files} | while read -r path; do {line}; done\n"

    def read(self, output: str) -> Stored:
        """The stored generations from the script's output. Raises ValueError."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for path, mode, content in self._lines(output):
            name, _, rest = path.removeprefix("./").partition("/")
            found.setdefault(name, {})[rest] = (mode, content)
        _, hosts = found.pop("..", {}).get("hosts.toml", ("", ""))
        each = [_generation(name, files) for name, files in found.items()]
        return Stored(sorted(each, key=lambda one: (one.number, one.id), reverse=True), hosts)

    def _lines(self, output: str) -> Iterator[tuple[str, str, str]]:
        for path, mode, content in re.findall(rf"^{self.nonce} (\S+) (\d+) ?(\S*)$", output, re.MULTILINE):
            yield path, mode, base64_text(content)


def _generation(name: str, files: Mapping[str, tuple[str, str]]) -> Generation:
    texts = {path: content for path, (_, content) in files.items()}
    kept = {path.removeprefix("files"): each for path, each in files.items() if path.startswith("files/")}
    number = count(texts.get("number", "0"))
    return Generation(name, texts.get("about", "").strip(), texts.get("hosts.toml", ""), kept, number)


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """What to roll back to: the nodes before the run `id`. `nodes` has those that were changed by it or since."""

    id: str
    about: str
    nodes: Mapping[str, Generation]

    def wanted(self, name: str, resources: Sequence[Resource[Any]]) -> list[Resource[Any]]:
        """The resources of a node, with the files as the node itself kept them."""
        files = self.nodes[name].files if name in self.nodes else {}
        then = {path: File(path, content, mode, secret=is_secret(path)) for path, (mode, content) in files.items()}
        return restored(resources, then)


def target(generations: Mapping[str, Sequence[Generation]], run: str | None) -> RollbackTarget:
    """The state before `run`, or before the last run where it is None.

    Raises UsageError for a run that no node knows, and RemoteError where there is nothing to roll back to.
    """
    known = runs(generations)
    if not known:
        raise RemoteError("no run has changed any file yet", state="nothing was changed", fix=typed("plan"))
    if run is not None and run not in known:
        raise UsageError(f"no node knows a run {run}", state="nothing was changed", fix=f"one of: {', '.join(known)}")
    chosen = run or _last(generations)
    _refuse_forgotten(generations, chosen)
    nodes = {name: then for name, those in generations.items() if (then := _before(those, chosen, named=bool(run)))}
    bare = [name for name, each in nodes.items() if KEEPALIVED_CONF not in each.files]
    if bare:
        raise RemoteError(
            f"before that run, {' and '.join(bare)} had no load balancer to go back to",
            node=bare[0],
            state="nothing was changed",
            fix=typed(
                "rollback", "--list", after=" shows the runs that can be undone; lbdeploy down removes everything"
            ),
        )
    return RollbackTarget(chosen, known[chosen][0], nodes)


def runs(generations: Mapping[str, Sequence[Generation]]) -> dict[str, tuple[str, list[str]]]:
    """Who started each run, and the nodes that it changed; the last run first, in the order that the nodes state.

    Runs of which no node has both are ordered by their ids.
    """
    left = {name: [each.id for each in those] for name, those in generations.items()}
    found: dict[str, tuple[str, list[str]]] = {}
    while any(left.values()):
        latest = max(_latest(left) or {those[0] for those in left.values() if those})
        about = [(name, each.about) for name, those in generations.items() for each in those if each.id == latest]
        found[latest] = about[0][1], [name for name, _ in about]
        left = {name: [each for each in those if each != latest] for name, those in left.items()}
    return found


def _latest(ids: Mapping[str, Sequence[str]]) -> set[str]:
    """The latest runs: those after which no node has another one that it took part in.

    There are several if no node took part in two of them.
    """
    heads = {those[0] for those in ids.values() if those}
    return {each for each in heads if not any(each in those[1:] for those in ids.values())}


def _last(generations: Mapping[str, Sequence[Generation]]) -> str:
    """The run that came last on every node that it changed. Raises RemoteError where the nodes do not say which."""
    latest = _latest({name: [each.id for each in those] for name, those in generations.items()})
    if len(latest) == 1:
        return latest.pop()
    first = {name: those[0].id for name, those in generations.items() if those}
    said = ", ".join(f"on {name} {run}" for name, run in first.items())
    fix = " or ".join(f"lbdeploy rollback --to {run}" for run in sorted(set(first.values()), reverse=True))
    raise RemoteError(f"the nodes do not agree which run was the last: {said}", state="nothing was changed", fix=fix)


def _refuse_forgotten(generations: Mapping[str, Sequence[Generation]], run: str) -> None:
    """Raise RemoteError where a node no longer has what it had before a run: it keeps its last generations only.

    Where all that it has are later, and it had others before these, it may have taken part in that run, too.
    """
    for name, those in generations.items():
        if those and those[-1].number > 1 and all(each.id > run for each in those):
            message = (
                f"it no longer has its state before run {run}: the oldest that it has is that before {those[-1].id}"
            )
            others = ",".join(each for each in generations if each != name)
            without = f"; or without {name}: lbdeploy rollback --to {run} --limit {others}" if others else ""
            fix = typed("rollback", "--to", those[-1].id, after=without)
            raise RemoteError(message, node=name, state="nothing was changed", fix=fix)


def _before(generations: Sequence[Generation], run: str, *, named: bool) -> Generation | None:
    """What a node kept of the time before a run. One that took no part in it goes back to before later runs.

    Which runs are later than one that it does not know, only the times in the ids say: this is done only where the
    operator has `named` the run.
    """
    own = [each for each in generations if each.id == run]
    later = [each for each in generations if named and each.id >= run]
    return own[0] if own else later[-1] if later else None
