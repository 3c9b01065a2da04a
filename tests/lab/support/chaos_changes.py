"""The changes that chaos makes to a live pair, and what each may cost its clients: the table of issue 3 as data.

No change may fail a new connection, not even one that can't work. Open streams may break only where `breaks` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from chaos_pair import NODES, Pair

Codes = frozenset[int]
DONE: Codes = frozenset({0})
AS_BEFORE: Codes = frozenset({7})
REFUSED: Codes = frozenset({1, 7})  # before anything was touched, or undone
MOVED = "the VIPs move"
STRANGERS = "nodes that do not hear each other both hold the VIPs for a moment"


@dataclass(frozen=True)
class Change:
    """`make` it, with hosts.toml, a template, or on a node; then `command` is run, which exits with one of `codes`.

    `breaks`: why open streams may break, "" where they must not; VIPs may be with either node then. What the loss of
    a holder costs besides: `slower`, how much longer VRRP takes to notice, and `alone`, for how long (s) there is no
    other node. `agreed`: nodes must have it together or not at all. `lines`: about how many progress lines there are,
    in about as many times 0.4 s. `hopeless`: the nodes that can't take the change, and must be as before. `mend`: what
    is to be undone on the nodes before the next `up`.
    """

    name: str
    make: Callable[[Pair, Random], tuple[str, ...]]  # the arguments of lbdeploy
    codes: Codes = DONE
    breaks: str = ""
    slower: float = 1.0
    alone: float = 0.0
    lines: int = 16
    hopeless: Callable[[Pair], tuple[str, ...]] = lambda pair: ()
    mend: Callable[[Pair], None] = lambda pair: None
    agreed: bool = False

    @property
    def works(self) -> bool:
        return 0 in self.codes


def _edit(pair: Pair, old: str, new: str) -> tuple[str, ...]:
    pair.lab.edit(old, new)
    return ("up",)


def _haproxy_setting(pair: Pair, rng: Random) -> tuple[str, ...]:
    key, old, values = rng.choice([("fall", 2, (3, 4, 6)), ("rise", 3, (1, 2, 4)), ("interval", 10, (2, 5, 8))])
    return _edit(pair, f"\n{key} = {old}\n", f"\n{key} = {rng.choice(values)}\n")


def _server_added(pair: Pair, rng: Random) -> tuple[str, ...]:
    args = _edit(pair, 'master3 = "192.168.1.23"', 'master3 = "192.168.1.23"\nmaster4 = "192.168.1.24"')
    pair.add_machines()
    return args


def _server_removed(pair: Pair, rng: Random) -> tuple[str, ...]:
    number = rng.choice("123")
    return _edit(pair, f'master{number} = "192.168.1.2{number}"\n', "")


def _check_timer(pair: Pair, rng: Random) -> tuple[str, ...]:
    key, values = rng.choice([("check_fall", (2, 3)), ("check_rise", (1, 3)), ("check_interval", (2, 3))])
    return _edit(pair, "preempt_delay = 2", f"preempt_delay = {rng.choice((2, 3))}\n{key} = {rng.choice(values)}")


def _advert_interval(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, "advert_interval = 1", "advert_interval = 2")


def _vrrp_version(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, "advert_interval = 1", "advert_interval = 0.5")


def _router_id(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, "router_id = 101", "router_id = 102")


def _vrrp_network(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, 'network = "management"', 'network = "external"')


def _vrrp_mode(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, "router_id = 101", 'router_id = 101\nmode = "multicast"')


def _standby_priority(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, "priority = 100", f"priority = {rng.choice((50, 120, 199))}")


def _second_vip(pair: Pair, rng: Random) -> tuple[str, ...]:
    return _edit(pair, '"192.168.0.10/24"', '["192.168.0.10/24", "192.168.0.20/24"]')


def _roles_swapped(pair: Pair, rng: Random) -> tuple[str, ...]:
    pair.lab.edit("priority = 200", "priority = 99")
    return ("up",)


def _hand_edit(pair: Pair, rng: Random) -> tuple[str, ...]:
    node, file = rng.choice(NODES), rng.choice(["haproxy/haproxy.cfg", "keepalived/keepalived.conf"])
    pair.run(node, f"echo '# by hand' >> /etc/{file}")
    return ("up",)


def _sysctl_drift(pair: Pair, rng: Random) -> tuple[str, ...]:
    pair.run(rng.choice(NODES), "sysctl -q -w net.ipv4.ip_nonlocal_bind=0")
    return ("up",)


def _standby_disabled(pair: Pair, rng: Random) -> tuple[str, ...]:
    pair.run("lb2", f"systemctl disable -q --now {rng.choice(['haproxy', 'keepalived'])}")
    return ("up",)


def _invalid_template(pair: Pair, rng: Random) -> tuple[str, ...]:
    template, old = rng.choice([("haproxy.cfg.j2", "    mode tcp\n"), ("keepalived.conf.j2", "    script_user root\n")])
    pair.template(template, old, old + "    no-such-keyword\n")
    return ("up",)


def _port_taken(pair: Pair, rng: Random) -> tuple[str, ...]:
    unit = "[Service]\\nExecStart=/usr/bin/socat TCP-LISTEN:9999,fork /dev/null\\n[Install]\\nWantedBy=basic.target\\n"
    pair.run(rng.choice(NODES), f"printf '{unit}' > /etc/systemd/system/taker.service; systemctl enable -q --now taker")
    bind = "    bind unix@"
    pair.template("haproxy.cfg.j2", bind, f"    bind :9999\n{bind}")
    return ("up",)


def _takers(pair: Pair) -> tuple[str, ...]:
    return tuple(node for node in NODES if pair.on(node, "systemctl is-active taker") == "active")


def _port_given_back(pair: Pair) -> None:
    for node in NODES:
        pair.on(node, "systemctl disable -q --now taker; rm -f /etc/systemd/system/taker.service")


def _no_answer(pair: Pair, rng: Random) -> tuple[str, ...]:
    balance = "    balance {{"
    pair.template("haproxy.cfg.j2", balance, f"    tcp-request connection reject\n{balance}")
    return ("up",)


def _rollback(pair: Pair, rng: Random) -> tuple[str, ...]:
    _haproxy_setting(pair, rng)
    pair.lab.do("up")
    return ("rollback",)


def _reinstall(pair: Pair, rng: Random) -> tuple[str, ...]:
    return ("up", "--reinstall", rng.choice(["haproxy", "keepalived"]))


CHANGES = (
    Change("haproxy setting", _haproxy_setting),
    Change("server added", _server_added),
    Change("server removed", _server_removed),
    Change("timer of the check", _check_timer),
    Change("advert_interval", _advert_interval, slower=2, agreed=True),
    Change("priority of the standby", _standby_priority, lines=10),
    Change("second VIP", _second_vip, agreed=True),
    Change("hand-edited file", _hand_edit, lines=11),
    Change("sysctl drift", _sysctl_drift, lines=8),
    Change("service of the standby disabled", _standby_disabled, alone=30, lines=9),
    Change("rollback", _rollback),
    Change("VRRP version", _vrrp_version, breaks=STRANGERS, lines=20, agreed=True),
    Change("router_id", _router_id, breaks=STRANGERS, lines=20, agreed=True),
    Change("VRRP's network", _vrrp_network, breaks=STRANGERS, lines=20, agreed=True),
    Change("VRRP's mode", _vrrp_mode, breaks=STRANGERS, lines=20, agreed=True),
    Change("roles swapped", _roles_swapped, breaks=MOVED),
    Change("package reinstalled", _reinstall, breaks=f"{MOVED} first, since the daemon is restarted", alone=6),
    Change("invalid template", _invalid_template, REFUSED, lines=6, hopeless=lambda pair: NODES),
    Change("port taken on a node", _port_taken, AS_BEFORE, lines=9, hopeless=_takers, mend=_port_given_back),
    Change("template that answers nobody", _no_answer, AS_BEFORE, lines=11, hopeless=lambda pair: NODES),
)
