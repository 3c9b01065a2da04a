"""Reading a pair that was built by hand, over SSH, and writing nothing on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lbdeploy.config import reader
from lbdeploy.config.model import Ssh
from lbdeploy.errors import LbdeployError, Problem, RemoteError, together
from lbdeploy.events import Emit
from lbdeploy.operations.adopt.pair import UNTOUCHED, adopted, alone, understood
from lbdeploy.operations.adopt.reading import machine
from lbdeploy.operations.adopt.reading.machine import DEFAULT, Daemon, Machine
from lbdeploy.operations.adopt.result import Adopted
from lbdeploy.operations.visit import visit

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

ROUNDS = 25  # of files that name other files


def adopt(hosts: Mapping[str, str], cluster: str, ssh: Ssh, emit: Emit) -> Adopted:
    """What hosts.toml does the same as these nodes, {name: what SSH connects to}, do now.

    Raises what a node that can't be asked raises, RemoteError for a pair that hosts.toml can't express, and UsageError
    for a single node, with the peers that it has.
    """
    seen = visit(hosts, ssh, emit, "read what runs, and its files", lambda name, on: _read(name, hosts[name], on))
    errors = [each.but(state=UNTOUCHED) for each in seen.values() if isinstance(each, LbdeployError)]
    if errors:
        raise together(errors)
    nodes = [understood(each) for each in seen.values() if isinstance(each, Machine)]
    if len(nodes) == 1:
        raise alone(nodes[0])
    found = adopted(nodes, cluster, None if ssh.in_lab else ssh.user)
    _refuse(reader.problems(found.draft, dict(found.files)))
    return found


def _read(name: str, host: str, session: Session) -> Machine:
    """A node, with all files that its daemons read, the scripts that they run, and the addresses of servers' names."""
    found = machine.understood(name, host, session.run(machine.look()).output)
    for _ in range(ROUNDS):
        understood(found)
        wanted = {daemon: sorted(found.sources[daemon].missing) for daemon in DEFAULT}
        names = sorted(found.names.missing)
        if not any(wanted.values()) and not names:
            break
        for daemon, patterns in wanted.items():
            _fetch(found, daemon, patterns, session)
        if names:
            found.names.add(machine.addresses_in(names, session.run(machine.resolving(names)).output))
    return found


def _fetch(found: Machine, daemon: Daemon, patterns: list[str], session: Session) -> None:
    if patterns:
        output = session.run(machine.reading(patterns, found.root_of(daemon))).output
        found.sources[daemon].add(machine.files_in(patterns, output))


def _refuse(problems: list[Problem]) -> None:
    """Raises RemoteError where the tables are no valid hosts.toml."""
    if problems:
        listed = "".join(f"\n  {'.'.join(each.parts)}: {each.message}; {each.fix}" for each in problems)
        raise RemoteError(
            f"what these nodes have can't be a hosts.toml as it is:{listed}",
            node=None,
            state=UNTOUCHED,
            fix="correct it on the nodes, or write the file by lbdeploy init",
        )
