"""The faults that chaos lets happen in the middle of a change, and what each may cost: as data, with the reasons."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from chaos_changes import Codes
from chaos_pair import NODES, Command, Pair

PEER_LOST = 3.7  # s: 3 adverts, the skew of priority 100 (0.61 s), and the move itself
NONE: Codes = frozenset()


@dataclass
class Scene:
    """A change under way: what a fault happens to. `target` is the node that it hits, if it hits one."""

    pair: Pair
    command: Command
    target: str
    rng: Random
    others: list[Command] = field(default_factory=list)  # further lbdeploys

    def hit(self, command: str) -> None:
        self.pair.run(self.target, command)


Act = Callable[[Scene], None]


def _nothing(scene: Scene) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """`strike` lets it happen; `heal` ends it, `lasts` seconds later, or when lbdeploy has ended.

    `codes`: exit codes that are right besides the change's own. `prepare`: on a node of the healthy
    pair, before the change.
    `outage`: for how long (s) new connections may fail, and `breaks`: why open streams may break, both only where it
    hits the node that holds the VIPs. `restarts`: its keepalived starts again, with the configuration that is there.
    """

    name: str
    strike: Act = _nothing
    codes: Codes = NONE
    heal: Act = _nothing
    lasts: float = 0.0
    prepare: Callable[[Pair, str], None] | None = None
    outage: float = 0.0
    breaks: str = ""
    restarts: bool = False


def _interrupt(scene: Scene) -> None:
    scene.command.signal(signal.SIGINT)


def _interrupt_twice(scene: Scene) -> None:
    _interrupt(scene)
    time.sleep(scene.rng.uniform(0.2, 1.5))
    _interrupt(scene)


def _again(scene: Scene) -> None:
    scene.others.append(Command(scene.pair, *scene.command.args))


def _end_of_others(scene: Scene) -> None:
    for other in scene.others:
        other.until_end(300)


_SMALL_DISK = """\
cp -a /etc/haproxy /root/kept
mount -t tmpfs -o size=4m,mode=755 tmpfs /etc/haproxy
cp -a /root/kept/. /etc/haproxy
"""
_LARGE_DISK = """\
rm -rf /etc/haproxy/fill /root/kept
cp -a /etc/haproxy /root/kept
umount /etc/haproxy
find /etc/haproxy -mindepth 1 -delete
cp -a /root/kept/. /etc/haproxy
rm -rf /root/kept
"""


def _until_idle(scene: Scene) -> None:
    deadline = time.monotonic() + 90
    while not all(scene.pair.look(node).idle for node in NODES) and time.monotonic() < deadline:
        time.sleep(0.5)


def _disk_replaced(scene: Scene) -> None:
    _until_idle(scene)
    scene.hit(_LARGE_DISK)


def _sleep(scene: Scene) -> None:
    scene.command.signal(signal.SIGSTOP)


def _wake(scene: Scene) -> None:
    scene.command.signal(signal.SIGCONT)


def _unit_killed(scene: Scene) -> None:
    scene.hit("systemctl kill -s KILL lbdeploy 2> /dev/null || true")


UNSEEN: Codes = frozenset({1, 4, 6, 7})  # a node that can't be seen: left out, lost, VIPs elsewhere, or undone
UNSOUND: Codes = frozenset({1, 6, 7})  # a daemon that was not there when lbdeploy looked

NOTHING = Fault("none")
FAULTS = (
    NOTHING,
    Fault("SIGKILL of lbdeploy", lambda scene: scene.command.signal(signal.SIGKILL), frozenset({-9})),
    Fault("SIGINT", _interrupt, frozenset({130})),
    Fault("the laptop asleep", _sleep, frozenset({1, 4, 6, 7}), heal=_wake, lasts=45),
    Fault("SIGKILL of the unit", _unit_killed, frozenset({1, 4, 7})),
    Fault("SIGINT twice", _interrupt_twice, frozenset({130})),
    Fault("a second run", _again, frozenset({5}), heal=_end_of_others),
    Fault(
        "the operator's cables cut",
        lambda scene: scene.pair.power("cut", "operator"),
        UNSEEN,
        heal=lambda scene: scene.pair.power("join", "operator"),
        lasts=25,
    ),
    Fault(
        "a node's cables cut",
        lambda scene: scene.pair.power("cut", scene.target),
        UNSEEN,
        heal=lambda scene: scene.pair.power("join", scene.target),
        lasts=25,
        outage=PEER_LOST,
        breaks="the other node takes the VIPs",
    ),
    Fault(
        "a node's power cut",
        lambda scene: scene.pair.power("stop", scene.target),
        UNSEEN,
        heal=lambda scene: scene.pair.power("start", scene.target),
        lasts=8,
        outage=PEER_LOST,
        breaks="the connections were the node's",
    ),
    Fault(
        "haproxy killed",
        lambda scene: scene.hit("systemctl kill -s KILL haproxy"),
        UNSOUND,
        outage=0.9,  # systemd starts it again in 0.2 s; where the check was sooner, the VIPs move (0.8 s)
        breaks="the connections were its",
    ),
    Fault(
        "keepalived killed",
        lambda scene: scene.hit("systemctl kill -s KILL keepalived"),
        UNSOUND,
        outage=PEER_LOST,  # systemd starts it again in 1 s, it removes the VIPs, and the other node takes them
        breaks="the other node takes the VIPs",
        restarts=True,
    ),
    Fault(
        "disk full",
        lambda scene: scene.hit("cat /dev/zero > /etc/haproxy/fill 2>/dev/null || true"),
        frozenset({1, 7}),
        prepare=lambda pair, node: pair.run(node, _SMALL_DISK),
        heal=_disk_replaced,
    ),
)
