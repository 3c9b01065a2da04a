"""What a drill breaks, and how that is undone: as shell text for the node. Building a command never runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import UsageError, key_text
from lbdeploy.node.paths import DRILL_UNIT

Name = Literal["haproxy", "hang", "keepalived", "freeze", "path", "link", "power", "server", "drain"]
NAMES: tuple[Name, ...] = get_args(Name)
OUTSIDE: tuple[Name, ...] = ("link", "power")  # what cuts the node off, so that it can't be undone over SSH
ON_SERVERS: tuple[Name, ...] = ("server", "drain")  # what happens to a server; outside the lab, by the operator's hand

BREAK_UNIT = f"{DRILL_UNIT}-break"  # a break that ends the connection it came over
BREAK_DELAY = 1.0  # seconds by which such a break is delayed, so that its command is acknowledged first


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of failure. `cuts_off`: the node can't be reached while it lasts."""

    name: Name
    what: str
    breaking: Raw
    repairing: Raw
    cuts_off: bool = False


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """What is broken where: on a node, or, where `node` is None, on the server of that name."""

    name: str
    kind: Kind
    node: Node | None = None

    @property
    def what(self) -> str:
        return f"{self.name}: {self.kind.what}"


def kind(name: Name, cluster: Cluster, node: Node) -> Kind:
    """What a kind of drill does on `node`. VRRP's interface goes down first: no advert of priority 0 gets out."""
    interfaces = tuple(dict.fromkeys((node.interfaces[cluster.vrrp.network], *node.interfaces.values())))
    servers = sorted({str(server.address) for _, server in cluster.servers()})
    kinds = {
        "haproxy": Kind("haproxy", "haproxy is stopped", cmd("systemctl", "stop", "haproxy"), _start("haproxy")),
        "hang": Kind("hang", "haproxy hangs (SIGSTOP)", _signal("SIGSTOP", "haproxy"), _signal("SIGCONT", "haproxy")),
        "keepalived": Kind("keepalived", "keepalived is killed (SIGKILL)", _kill("keepalived"), _start("keepalived")),
        # Of systemd alone, which no signal reaches, nothing is stopped: it has the timer that undoes it.
        "freeze": Kind("freeze", "all of it is frozen", Raw("kill -STOP -1"), Raw("kill -CONT -1"), cuts_off=True),
        "path": Kind("path", "it loses its way to the servers", _lose(servers), _find()),
        "link": Kind("link", "its cables are pulled", _down(interfaces), _up(interfaces), cuts_off=True),
        # Without power, systemd can undo nothing; but this is a reset, after which the machine boots by itself.
        "power": Kind("power", "its power is cut", Raw("echo b > /proc/sysrq-trigger"), Raw("true"), cuts_off=True),
    }
    return kinds[name]


def of_server(name: Name) -> Kind:
    """What happens to a server, which lbdeploy does not log in to."""
    what = {"server": "its power is cut", "drain": "it drains: its /readyz answers 500"}
    return Kind(name, what[name], Raw("true"), Raw("true"))


def refuse_for_good(name: Name, *, undoable: bool) -> None:
    """Raise UsageError for what might stay broken."""
    if name in OUTSIDE and not undoable:
        raise UsageError(
            f"{name} can be undone in the lab only: on a real node, somebody may have to go to its console",
            state="nothing was contacted",
            fix=f"lbdeploy --lab drill {name}; or, with its console at hand: lbdeploy drill {name} --i-have-console",
        )


def refuse_pointless(name: Name, cluster: Cluster, server: str | None = None) -> None:
    """Raise UsageError for what would show nothing, or something else."""
    first = cluster.frontends[0]
    if name == "drain" and first.check == "tcp":
        key = key_text("frontends", first.name)
        raise UsageError(
            f"the check of {first.name} asks for a TCP connection only: a server that drains is not noticed",
            state="nothing was contacted",
            fix=f'set check = "https" in [{key}]',
        )
    if refusal := on_a_node(name, cluster, server):
        raise refusal


def on_a_node(name: Name, cluster: Cluster, server: str | None = None) -> UsageError | None:
    """Why this can't be done to servers that run on the nodes themselves; `server` is the one meant, or the first."""
    state, first = "nothing was contacted", cluster.frontends[0]
    on = {each.name: node.name for _, each in cluster.servers() if (node := cluster.node_at(each.address))}
    if name == "path" and on:
        where = next(f"{each} is on {node}" for each, node in on.items())
        what = f"{where}: without a way there, nodes would not hear each other"
        return UsageError(what, state=state, fix="lbdeploy --lab drill link")
    meant = server or first.servers[0].name
    if name == "server" and meant in on:
        what = f"{meant} runs on {on[meant]}, and has no power and no cable of its own"
        return UsageError(what, state=state, fix=f"lbdeploy --lab drill power --node {on[meant]}")
    return None


def break_it(kind: Kind, seconds: float) -> Raw:
    """Breaks it, and prints the time (the node's clock, s, Unix).

    Before that, it arms the repair: it runs on the node after `seconds`, whatever happens to the operator's machine.
    One script does both, and is read as a whole before it begins. However late it comes, since that machine was asleep,
    the repair is still to come. What cuts the node off is delayed by BREAK_DELAY, and with it the arming.
    """
    repair = f"systemctl reset-failed {DRILL_UNIT}.service 2>/dev/null\n{_later(DRILL_UNIT, seconds, kind.repairing)}"
    if not kind.cuts_off:
        return Raw(f"{{\n{repair} || exit\ndate +%s.%N\n{kind.breaking}\n}}")
    both = Raw(f"{repair} || exit\n{kind.breaking}")
    when = f"date +%s.%N --date='+{BREAK_DELAY:.0f} second'"
    return Raw(f"{{\n{when}\n{_later(BREAK_UNIT, BREAK_DELAY, both)}\n}}")


def _later(unit: str, seconds: float, script: Raw) -> Raw:
    """Has systemd run a script after `seconds`."""
    when = f"--on-active={seconds:.1f} --timer-property=AccuracySec=10ms"
    return Raw(f"systemd-run --quiet --collect --unit={unit} {when} /bin/sh -c {here(script)}")


def undo(kind: Kind, *, disarm: bool = True) -> Raw:
    """Undoes the break, then disarms the node's own repair: not where this one fails, as the node's may succeed.

    May be run at any time, and more than once.
    """
    disarmed = f"systemctl stop {DRILL_UNIT}.timer 2>/dev/null\n" if disarm else ""
    return Raw(f"(\n{kind.repairing}\n) || exit\n{disarmed}true")


def _start(unit: str) -> Raw:
    return Raw(f"systemctl reset-failed {unit} 2>/dev/null; systemctl start {unit}")


def _signal(signal: str, unit: str) -> Raw:
    """Sends a signal to every process of the unit."""
    return cmd("systemctl", "kill", f"--signal={signal}", unit)


def _kill(unit: str) -> Raw:
    """Kills every process of the unit at once.

    A child that outlived its parent for a moment would notice, and send an advert of priority 0.
    """
    return Raw(f"{_signal('SIGSTOP', unit)}\n{_signal('SIGKILL', unit)}")


def _lose(servers: Sequence[str]) -> Raw:
    """Sends what is for these addresses to the loopback interface, where it is lost without a word.

    For IPv6 the kernel takes that for a route that rejects. Rules come before all routes, whatever these are.
    """
    each = cmd(*servers)
    return Raw(
        f"for a in {each}; do\n"
        f'case $a in *:*) f=6 ;; *) f=4 ;; esac\nip "-$f" route replace default dev lo table {_TABLE} || exit\n'
        f'ip "-$f" rule add pref {_TABLE} to "$a" lookup {_TABLE} || exit\ndone'
    )


def _find() -> Raw:
    """Takes these rules away."""
    return Raw(
        f"for f in 4 6; do while ip -$f rule del pref {_TABLE} 2>/dev/null; do :; done\n"
        f"ip -$f route flush table {_TABLE} 2>/dev/null; done; true"
    )


_TABLE = 10646  # the table of routes, and the place of the rules that lead there, before 32766 (main)


def _down(interfaces: Sequence[str]) -> Raw:
    """Takes interfaces down, and preserves what the kernel drops with them: routes, and IPv6 addresses."""
    keep = (
        f'ip -4 route show dev "$i" >{_KEPT}.4; ip -6 route show dev "$i" >{_KEPT}.6; '
        f"cat {_STAY} >{_KEPT}.stay; echo 1 >{_STAY}"
    )
    each = cmd(*interfaces)
    return Raw(f'for i in {each}; do {keep}; done; for i in {each}; do ip link set "$i" down; done')


def _up(interfaces: Sequence[str]) -> Raw:
    """Brings them up again, with their routes; those that the kernel has added itself by then are not added twice.

    With `append`, since `replace` would replace the same route on another interface: fe80::/64 is on each.
    """
    routes = f'for f in 4 6; do while read -r route; do ip "-$f" route append $route dev "$i"; done <{_KEPT}.$f; done'
    tidy = f"cat {_KEPT}.stay >{_STAY}; rm -f {_KEPT}.4 {_KEPT}.6 {_KEPT}.stay"
    each = cmd(*interfaces)
    return Raw(
        f'for i in {each}; do ip link set "$i" up; done; sleep 1; '
        f"for i in {each}; do {routes}; {tidy}; done 2>/dev/null; true"
    )


_KEPT = '"/run/lbdeploy-drill.$i"'
_STAY = '"/proc/sys/net/ipv6/conf/$i/keep_addr_on_down"'
