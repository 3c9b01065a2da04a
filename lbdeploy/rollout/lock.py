"""One run at a time per cluster: a lock on every node, held for as long as the node hears from this process.

On each node a small process holds a lock file, and listens. It ends when the connection does, or when it has heard
nothing for a while, so the lock of a dead run is released. A change that continues on a node without its operator also
counts as a lock, until it ends; and so does what a node undoes by itself, as it boots or after a drill that was killed.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from lbdeploy.common.debian import TRANSIENT_UNITS_FOLDER, UNITS_FOLDER
from lbdeploy.common.shell import cmd
from lbdeploy.config.model import Node
from lbdeploy.errors import InterruptedRunError, LbdeployError, LockedError, LostError
from lbdeploy.events import Emit, Note
from lbdeploy.node.observation import PRELUDE
from lbdeploy.node.paths import DRILL_UNIT, JOURNAL, LOCK, UNIT
from lbdeploy.rollout.progress import MARK, locked, outrun
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Held, Session

T = TypeVar("T")

BEAT_SECONDS = 5.0
SILENCE_SECONDS = 20  # a node that has heard nothing for so long releases the lock
RETRY_SECONDS = 1.0
ARMED = f"{UNITS_FOLDER}/{UNIT}-undo.service"  # what undoes a change at boot: see commit.sh

_TAKE = """\
taken() {
    printf '%s locked %s\\n' "$mark" "$*"
    exit
}
# at_work UNIT: whether systemd runs what a run has begun there, or will run it.
at_work() {
    [ -e "$transient/$1" ] || return
    case $(systemctl is-active "$1") in active | activating | deactivating) ;; *) return 1 ;; esac
}
umask 077
mkdir -p "${lock%/*}"
chmod 700 "${lock%/*}"
exec 9>> "$lock"
flock -n 9 || taken "$(cat "$lock")"
# One that was kept, and only watches its peers, gives way to this run: see launch.sh.
if at_work "$unit.service" && [ -z "$(find "${lock%/*}" -name '*.agreeing')" ]; then
    about=$(systemctl show -p Description --value "$unit")
    taken "${about#lbdeploy: } (its operator has disconnected; the node ends it by itself)"
fi
# What is armed for the boot may be at work, or wait for its turn.
if [ -e "$armed" ]; then
    case $(systemctl show -p ActiveState -p Job --value "$unit-undo.service") in activating* | *[1-9]*)
        taken 'what was under way when this node lost its power (it is being undone or completed)' ;;
    esac
fi
for each in "$drill.service" "$drill.timer" "$drill-break.service" "$drill-break.timer"; do
    if at_work "$each"; then taken 'a drill that was killed (the node undoes by itself what it broke)'; fi
done
printf '%s\\n' "$about" > "$lock"
"""
_OUTRUN = """\
holder=$(cat "$lock" 2> /dev/null)
case $holder in '' | "$about") ;; *)
    printf '%s outrun %s\\n' "$mark" "$holder"
    exit ;;
esac
"""
_HOLD = """\
exec bash -c 'printf "%s held %s\\n" "$0" "$1"; while read -r -t "$2" _; do :; done' \
    "$mark" "$(sed -n 's/^run //p' "$journal" 2> /dev/null)" "$silence"
"""


class Lock:
    """The lock of a cluster. `runs` is the last run of each node, at the moment when it was locked."""

    def __init__(self, about: str) -> None:
        self.runs: dict[str, str] = {}
        self._about = about
        self._held: dict[str, Held] = {}
        self._over = threading.Event()

    def take(self, node: Node, session: Session) -> None:
        """Take the lock of one node. Raises LockedError and LostError."""
        hold = f"journal={cmd(JOURNAL)}\nsilence={SILENCE_SECONDS}\n{_HOLD}"
        held, answer = session.hold(f"{PRELUDE}{take(MARK, self._about)}{hold}", MARK)
        word, _, rest = answer.partition(" ")
        if word != "held":
            held.release()
            raise locked(node.name, rest)
        self._held[node.name] = held
        self.runs[node.name] = rest

    def keep(self) -> None:
        """Send heartbeats to the nodes from now on, in the background."""
        threading.Thread(target=self._beat, daemon=True).start()

    def check(self, fix: str) -> None:
        """Raise LostError where a node has released it, so another run may be at work. `fix`: what to type then."""
        for name, held in self._held.items():
            if not held.alive:
                raise LostError(
                    "the node released the lock, since it heard nothing from this run",
                    node=name,
                    state="nothing more was changed",
                    fix=fix,
                )

    def take_again(self, node: Node, pool: SessionPool) -> None:
        """Take the lock of a node that has rebooted, since it is gone. Raises LockedError and ConnectError."""
        self._held.pop(node.name, None)
        _raise_first(pool.each([node], self.take))

    def leave(self) -> None:
        """Stop the heartbeats without waiting: the nodes release the lock when their connections end."""
        self._over.set()

    def release(self) -> None:
        self._over.set()
        for held in self._held.values():
            held.release()
        self._held.clear()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            for held in list(self._held.values()):
                held.beat()


def take(mark: str, about: str) -> str:
    """Shell text that takes a node's lock for as long as descriptor 9 is open, or says who has it, and ends."""
    units = {"unit": UNIT, "drill": DRILL_UNIT, "transient": TRANSIENT_UNITS_FOLDER, "armed": ARMED}
    given = {"mark": mark, "about": about, "lock": LOCK, **units}
    return "\n".join((*(f"{name}={cmd(value)}" for name, value in given.items()), _TAKE))


def unless_outrun(about: str) -> str:
    """Shell text that ends its script where another run has had the node's lock since, as launch.sh does.

    A laptop that slept has lost its own. See `refuse_outrun`.
    """
    return f"mark={cmd(MARK)}\nabout={cmd(about)}\nlock={cmd(LOCK)}\n{_OUTRUN}"


def outran(output: str) -> str:
    """Who has had the lock since, where a script has ended so; otherwise ""."""
    found = re.search(rf"^{MARK} outrun (.*)$", output, re.MULTILINE)
    return found[1] if found else ""


def refuse_outrun(node: str, output: str) -> None:
    """Raise LockedError where a script has ended so."""
    if who := outran(output):
        raise outrun(node, who)


def waiting(attempt: Callable[[], T], wait: float, emit: Emit) -> T:
    """The result of the attempt, made again for up to `wait` seconds where another run is at work; then LockedError."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return attempt()
        except LockedError as error:
            if time.monotonic() >= deadline:
                raise
            emit(Note(None, f"waiting for the lock: {error.message}"))
            time.sleep(RETRY_SECONDS)


@contextmanager
def locking(pool: SessionPool, nodes: Sequence[Node], about: str, wait: float, emit: Emit) -> Iterator[Lock]:
    """The cluster's lock, for the duration of the block. If it is taken, retries for `wait` s; then LockedError.

    The first node is locked before the others, so that exactly one of two simultaneous runs gets the lock.
    """
    lock = waiting(lambda: _taken(about, pool, nodes), wait, emit)
    try:
        lock.keep()
        yield lock
    except InterruptedRunError:
        lock.leave()
        raise
    except BaseException:
        lock.release()
        raise
    lock.release()


def _taken(about: str, pool: SessionPool, nodes: Sequence[Node]) -> Lock:
    lock = Lock(about)
    try:
        _take(lock, pool, nodes)
    except LbdeployError:
        lock.release()
        raise
    return lock


def _take(lock: Lock, pool: SessionPool, nodes: Sequence[Node]) -> None:
    first, rest = sorted(nodes, key=lambda node: node.name)[:1], sorted(nodes, key=lambda node: node.name)[1:]
    for group in (first, rest):
        _raise_first(pool.each(group, lock.take))


def _raise_first(results: Mapping[str, object]) -> None:
    for each in results.values():
        if isinstance(each, LbdeployError):
            raise each
