"""The operator's own sections of haproxy.cfg, behind lbdeploy's: what can't stand beside these is refused. Pure.

One file has both, since haproxy then judges them together, and replaces them together: see decision 64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lbdeploy.common.config_words import haproxy_arguments
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import Problem, RenderError
from lbdeploy.node import haproxy_conf
from lbdeploy.node.haproxy_conf import HEADS, Bind

SectionHead = tuple[str, str, int]  # keyword, name, line
Fault = tuple[int, str, str]  # line, what is wrong, what would be right
# frontends and backends have names apart from each other; a listen is both.
_NAMESPACES = {"frontend": ("frontend",), "backend": ("backend",), "listen": ("frontend", "backend")}


def joined(cluster: Cluster, node: Node, conf: str, own: Mapping[str, str]) -> str:
    """haproxy.cfg with these texts, by the path of their file, at its end. Raises RenderError."""
    for path, text in own.items():
        if text.strip():
            _refuse(cluster, node, path, next(_faults(cluster, node, conf, text), None))
            conf += f"{_mark(path)}{text.rstrip()}\n"
    return conf


def parts(cluster: Cluster, conf: str) -> tuple[str, dict[str, str]]:
    """What was joined: lbdeploy's part, and the operator's texts by path."""
    own: dict[str, str] = {}
    for each in reversed(cluster.extra):
        before, mark, text = conf.rpartition(_mark(each.path))
        if mark:
            conf, own = before, {each.path: text, **own}
    return conf, own


def heads(text: str) -> Iterator[SectionHead]:
    """Where each section begins."""
    for number, line in enumerate(text.splitlines(), 1):
        words = haproxy_arguments(line, {})
        if words and words[0] in HEADS:
            yield words[0], words[1] if len(words) > 1 else "", number


def binds(cluster: Cluster, node: Node, conf: str) -> list[Bind]:
    """What lbdeploy's part listens on, also for the other nodes."""
    peers = Bind("peers", str(node.addresses[cluster.vrrp.network]), str(cluster.peers_port), frozenset())
    return [peers, *haproxy_conf.listeners(conf)]


def line_of(text: str, bind: Bind) -> int:
    """The line of a bind, or that of its section."""
    start = next((line for _, name, line in heads(text) if name == bind.section), 1)
    lines = text.splitlines()[start - 1 :]
    found = (at for at, line in enumerate(lines, start) if line.split()[:1] == ["bind"] and f":{bind.port}" in line)
    return next(found, start)


def _mark(path: str) -> str:
    return f"\n# From {path}, beside hosts.toml.\n"


def _refuse(cluster: Cluster, node: Node, path: str, fault: Fault | None) -> None:
    if fault:
        line, message, fix = fault
        state = "nothing was contacted"
        problem = Problem("sections", (), f"line {line}, as rendered: {message}", fix, file=path)
        raise RenderError(
            f"{path}:{line}, as rendered: {message}", node=node.name, state=state, fix=fix, problems=[problem]
        )


def _faults(cluster: Cluster, node: Node, conf: str, text: str) -> Iterator[Fault]:
    yield from _before_a_section(text)
    yield from _taken_names(conf, text)
    yield from _taken_ports(binds(cluster, node, conf), text)


def _before_a_section(text: str) -> Iterator[Fault]:
    """A line before the first section would be one of lbdeploy's last section.

    Not one with a condition, such as `.if`. It is not quoted: in a file that was taken for another, it may be secret.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words = haproxy_arguments(line, {})
        if words and not words[0].startswith("."):
            if words[0] not in HEADS:
                yield number, "this line stands in no section", "begin the file with a section, such as listen NAME"
            return


def _taken_names(conf: str, text: str) -> Iterator[Fault]:
    taken = {key: kind for kind, name, _ in heads(conf) for key in _keys(kind, name)}
    for kind, name, line in heads(text):
        if there := next((taken[key] for key in _keys(kind, name) if key in taken), ""):
            yield line, f"there is a section {there} {name} already", "give one of them another name"
        taken |= dict.fromkeys(_keys(kind, name), kind)


def _keys(kind: str, name: str) -> list[tuple[str, str]]:
    unique = name and kind not in ("defaults", "global")
    return [(each, name) for each in _NAMESPACES.get(kind, (kind,))] if unique else []


def _taken_ports(taken: list[Bind], text: str) -> Iterator[Fault]:
    """haproxy would share the connections of one address and port between both sections, and not say so."""
    for each in haproxy_conf.listeners(text):
        if there := next((one for one in taken if one.address == each.address and one.meets(each.port)), None):
            message = f"{there.address}:{there.port} is where {there.section} listens"
            yield line_of(text, each), message, "give one of them another port, or another address"
