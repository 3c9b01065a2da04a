"""What clients use on a node now, and what a change takes from them: ports, VIPs, servers, a way in. Pure.

On a node that lbdeploy has never changed, somebody set these up by hand, and hosts.toml may simply lack them: that is a
problem. In what lbdeploy wrote itself, they end because hosts.toml says so: the plan tells what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from lbdeploy.config.model import STATUS
from lbdeploy.health.finding import Finding
from lbdeploy.node import haproxy_conf, keepalived_conf, surroundings
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.haproxy_conf import EVERYWHERE, Bind
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import File
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning.desired import FIREWALL, HAPROXY_CFG, KEEPALIVED_CONF
from lbdeploy.planning.plan import Stage
from lbdeploy.planning.shut_out import Shut, by_allow, by_firewall

CHECK = "ends"
OURS = "# Written by lbdeploy"
FILES = (KEEPALIVED_CONF, HAPROXY_CFG, FIREWALL)  # the files that say what clients can use
_NOT_LOOKED_UP = "lbdeploy does not look that up here, and can't tell whether hosts.toml has the same"
_HAVE_IT_READ = (
    "have lbdeploy adopt write hosts.toml, which looks it up, or put what is meant into that file; if hosts.toml "
    f"has all of it: --ignore {CHECK}"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that clients can use now and not after the change: `what`, as `file` has it, and `instead`."""

    file: str
    what: str
    why: str
    fix: str


def wanted_files(plan: NodePlan) -> dict[str, str]:
    """The contents that a plan is to give to the files that say what clients can use."""
    files = (part.resource for part in plan.parts if isinstance(part.resource, File))
    return {each.path: each.content for each in files if each.path in FILES}


def endings(seen: Observation, wanted: Mapping[str, str]) -> list[Ending]:
    """What ends on a node whose daemons run, once these files have the wanted contents."""
    if all(_content(seen, path) == content for path, content in wanted.items()):
        return []  # nothing is replaced, as in most runs
    vrrp = _current(seen, "keepalived", KEEPALIVED_CONF), wanted.get(KEEPALIVED_CONF)
    gone = _vips(*vrrp)
    ports = _ports(_current(seen, "haproxy", HAPROXY_CFG), wanted.get(HAPROXY_CFG), {each.what for each in gone})
    return [*gone, *_unread(*vrrp), *ports, *_shut(seen, wanted)]


def _shut(seen: Observation, wanted: Mapping[str, str]) -> list[Ending]:
    """What nobody, or not everybody, gets to any more, though it goes on."""
    if HAPROXY_CFG not in wanted:
        return []
    before = haproxy_conf.listeners(_current(seen, "haproxy", HAPROXY_CFG))
    after = haproxy_conf.listeners(wanted[HAPROXY_CFG])
    found = [(HAPROXY_CFG, each) for each in by_allow(before, after, surroundings.clients(seen))]
    rules = _content(seen, FIREWALL), wanted.get(FIREWALL, "")
    found += [(FIREWALL, each) for each in by_firewall(*rules, surroundings.ports(seen))]
    return [_shut_by(file, each) for file, each in found]


def _shut_by(file: str, shut: Shut) -> Ending:
    what, why, fix = shut
    return Ending(file, what, why, f"{fix}; if nobody needs it: --ignore {CHECK}")


def findings(seen: Observation, wanted: Mapping[str, str]) -> Iterator[Finding]:
    """What ends, as problems where lbdeploy has never changed the node, and as warnings otherwise."""
    for each in endings(seen, wanted):
        found = Finding.failed(seen.node.name, CHECK, f"{each.what} ends: {each.why}", each.fix, subject=each.what)
        yield found if is_untouched(seen) else found.as_warning()


def is_untouched(seen: Observation) -> bool:
    """Whether lbdeploy has never changed the node: no record of a run, and no file of its own."""
    hosts = seen.marks.get("hosts")
    return not (hosts and hosts.output.strip()) and not _content(seen, HAPROXY_CFG).startswith(OURS)


def with_endings(stages: Sequence[Stage], seen: Mapping[str, Observation]) -> tuple[Stage, ...]:
    """The same stages; each says in its cost what ends with it: what is in a file ends where it is replaced last."""
    told = list(stages)
    replacing = any(_replaces(stage, file) for stage in stages for file in FILES)
    found = [each for stage in stages for each in _endings_of(stage, seen)] if replacing else []
    for file in FILES:
        changing = [index for index, stage in enumerate(told) if _replaces(stage, file)]
        if changing:
            ending = [each.what for each in found if each.file == file]
            told[changing[-1]] = _costing(told[changing[-1]], list(dict.fromkeys(ending)))
    return tuple(told)


def _endings_of(stage: Stage, seen: Mapping[str, Observation]) -> Iterator[Ending]:
    for name, plan in stage.plans.items():
        yield from endings(seen[name], wanted_files(plan))


def _replaces(stage: Stage, file: str) -> bool:
    return any(change.name == file for plan in stage.plans.values() for change in plan.changes)


def _costing(stage: Stage, ending: Sequence[str]) -> Stage:
    """The stage with the ending in its cost, unless the cost has it already, as for VIPs that end with connections."""
    new = [each for each in ending if each not in stage.cost]
    if not new:
        return stage
    end = f"{', '.join(new)} {'ends' if len(new) == 1 else 'end'}"
    rest = stage.cost.replace("clients notice nothing", "others notice nothing")
    return replace(stage, cost=f"{end}; {rest}")


def _current(seen: Observation, daemon: str, path: str) -> str:
    """A daemon's file as it is; "" where the daemon does not run, and nobody uses what is in there."""
    return _content(seen, path) if seen.service(daemon).running else ""


def _content(seen: Observation, path: str) -> str:
    state = seen.states.get(f"file {path}")
    return state.content if isinstance(state, FileState) else ""


def _vips(before: str, after: str | None) -> list[Ending]:
    """VIPs of any instance, and virtual servers, which keepalived keeps by itself."""
    if after is None:
        return []
    fix = f"add it to a network of hosts.toml; if nobody needs it: --ignore {CHECK}"
    vips = keepalived_conf.all_vips(before) - keepalived_conf.all_vips(after)
    servers = keepalived_conf.defined(before, "virtual_server") - keepalived_conf.defined(after, "virtual_server")
    why = f"{KEEPALIVED_CONF} has it, and hosts.toml does not"
    return [
        *(Ending(KEEPALIVED_CONF, each, why, fix) for each in sorted(vips)),
        *(
            Ending(KEEPALIVED_CONF, f"virtual_server {each}", why, f"lbdeploy has none; --ignore {CHECK}")
            for each in sorted(servers)
        ),
    ]


def _unread(before: str, after: str | None) -> list[Ending]:
    """What nobody can tell who reads this file alone, such as what it includes; it may have more VIPs."""
    lines = keepalived_conf.unread(before)
    if after is None or not lines or lines == keepalived_conf.unread(after):
        return []
    what = f"what {KEEPALIVED_CONF} means by {lines[0][:80]}"
    return [Ending(KEEPALIVED_CONF, what, _NOT_LOOKED_UP, f"{_HAVE_IT_READ}, and VRRP elects anew")]


def _ports(before: str, after: str | None, gone: set[str]) -> list[Ending]:
    if after is None:
        return []
    theirs = [each for each in haproxy_conf.listeners(before) if each.section != STATUS]  # not for the other nodes
    now = [each for each in theirs if each.address not in gone]
    later = haproxy_conf.listeners(after)
    found = [_port(each, [new for new in later if new.serves(each.address, each.port)]) for each in now]
    return list(dict.fromkeys(each for each in found if each))


def _port(listener: Bind, later: Sequence[Bind]) -> Ending | None:
    """What ends for the clients of a port: all of it, or only the servers that it led to."""
    port = f"port {listener.port}" if listener.address == EVERYWHERE else f"{listener.address} port {listener.port}"
    if not later and not listener.ports:
        return Ending(HAPROXY_CFG, f"what {HAPROXY_CFG} means by {port}", _NOT_LOOKED_UP, _HAVE_IT_READ)
    if not later:
        why = f"haproxy serves {listener.section} there, and hosts.toml has nothing for it"
        fix = f"add a frontend with port = {listener.port} to hosts.toml; if nobody needs it: --ignore {CHECK}"
        return Ending(HAPROXY_CFG, port, why, fix)
    servers = frozenset(server for each in later for server in each.servers)
    if not listener.servers or not servers or listener.servers & servers or not all(map(_numeric, listener.servers)):
        return None
    why = f"{listener.section} leads to {', '.join(sorted(listener.servers))} now, and hosts.toml has none of these"
    fix = f"correct the servers in hosts.toml; if they are right: --ignore {CHECK}"
    return Ending(HAPROXY_CFG, f"what {port} led to", why, fix)


def _numeric(server: str) -> bool:
    """Whether a server is given by its address: a name may be that of one of the new ones."""
    try:
        ip_address(server.rpartition(":")[0])
    except ValueError:
        return False
    return True
