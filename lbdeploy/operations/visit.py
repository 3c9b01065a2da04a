"""Looking at hosts that no hosts.toml has yet: each is logged into, asked, and left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from lbdeploy.config.model import Node, Ssh
from lbdeploy.errors import LbdeployError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.ssh.config import Resolving
from lbdeploy.ssh.connect import dial
from lbdeploy.ssh.prompts import ask_pending, is_question

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

T = TypeVar("T")
Look = Callable[[str, "Session"], T]


@dataclass(frozen=True, slots=True)
class _Visitor(Generic[T]):
    """How hosts are logged into, and what is asked of each, in the words of `task`."""

    ssh: Ssh
    emit: Emit
    task: str
    look: Look[T]


def visit(hosts: Mapping[str, str], ssh: Ssh, emit: Emit, task: str, look: Look[T]) -> dict[str, T | LbdeployError]:
    """Ask all hosts, {name: what SSH connects to}, in parallel. One that fails is an entry, not an exception."""
    pool = ThreadPoolExecutor(max_workers=len(hosts), thread_name_prefix="lbdeploy")
    visitor = _Visitor(ssh, emit, task, look)
    found: dict[str, T | LbdeployError] = {}
    left = dict(hosts)
    try:
        while left:
            looks = {name: pool.submit(_look, name, host, visitor) for name, host in left.items()}
            found |= {name: each.result() for name, each in looks.items()}
            asked = ask_pending(found.values(), ssh.answers)
            left = {name: host for name, host in hosts.items() if asked and is_question(found[name])}
        return found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C, wait for no timeout


def _look(name: str, host: str, visitor: _Visitor[T]) -> T | LbdeployError:
    ssh, emit = visitor.ssh, visitor.emit
    node = Node(name, 1, host, {}, {})
    emit(Step(name, "connect"))
    try:
        target = Resolving(ssh, host).result()
        dialled = dial(node, target)
        from lbdeploy.ssh.transport.session import connect

        session = connect(node, target, ssh, dialled, emit)
        emit(Step(name, visitor.task))
        seen = visitor.look(name, session)
        session.close()
    except LbdeployError as error:
        if not (ssh.answers.asker and is_question(error)):
            emit(Done(name, error.message, ok=False))
        return error
    emit(Done(name, "seen"))
    return seen
