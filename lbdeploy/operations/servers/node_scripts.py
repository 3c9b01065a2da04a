"""What a node is asked and told about servers that are to be drained, or to be used again: scripts, and their readers.

The record is written before haproxy is told, so that a reload at that moment goes by it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.common.shell import Raw, cmd, here, nonce
from lbdeploy.config.model import Node, Server
from lbdeploy.errors import RemoteError
from lbdeploy.node.answers import count, understood
from lbdeploy.node.health_probes import show_stat
from lbdeploy.node.observation import PRELUDE, ProbeScript
from lbdeploy.node.parsers import ServerStat, parse_show_stat
from lbdeploy.node.paths import HAPROXY_CFG, HAPROXY_SOCKET, SERVER_STATE, STAGED
from lbdeploy.node.resources import ServerState
from lbdeploy.node.resources.drains import Drain, Pair, Ports, parse
from lbdeploy.operations.servers.names import Member, State
from lbdeploy.rollout.lock import take
from lbdeploy.rollout.progress import MARK, locked


def _has(directive: str, value: str) -> str:
    """Whether haproxy.cfg has a directive, with any white space and a comment behind it, since it may be hand-made."""
    line = rf'[[:space:]]*{directive}[[:space:]]+"?{value}"?[[:space:]]*(#.*)?'
    return cmd("grep", "-Eqsx", line, HAPROXY_CFG)


LOADS = f"{_has('server-state-file', SERVER_STATE)} && {_has('load-server-state-from-file', 'global')}"
MASTER_SOCKET = "/run/haproxy-master.sock"  # Debian's unit has haproxy's master process listen there


@dataclass(frozen=True, slots=True)
class NodeServers:
    """A node's view of the servers. `loads`: its haproxy.cfg has haproxy read the record when it starts.

    `open`: connections that its haproxy has to a server, those of old workers included.
    """

    node: Node
    record: str
    answers: bool
    loads: bool
    stats: Sequence[ServerStat]
    open: Mapping[Pair, int]

    @property
    def drains(self) -> tuple[Drain, ...]:
        return parse(self.record)

    def drain(self, pair: Pair) -> Drain | None:
        return next((each for each in self.drains if each.pair == pair), None)

    def stat(self, pair: Pair) -> ServerStat | None:
        return next((each for each in self.stats if (each.frontend, each.server) == pair), None)


class ServersProbe(ProbeScript):
    """Asks a node for its record, its haproxy's view of all servers, and the open connections of some."""

    def __init__(self, node: Node, ports: Ports, members: Sequence[Member]) -> None:
        servers = tuple((*pair, port) for pair, port in ports.items())
        more = {"show stat": show_stat(), "loads": Raw(LOADS), "open": Raw(open_connections(members))}
        super().__init__(node, [ServerState(servers)], more)

    def view(self, output: str) -> NodeServers:
        """The node's view, from the script's output. Raises RemoteError."""
        marks = self.answers(output)
        (state,) = self.states(marks).values()
        stats = marks["show stat"].output
        return NodeServers(
            node=self.node,
            record=state.content,
            answers=stats.startswith("# "),
            loads=marks["loads"].status == 0,
            stats=parse_show_stat(stats),
            open=self.understood("open connections", lambda each: parse_open(each.output), marks["open"]),
        )


def open_connections(members: Iterable[Member]) -> str:
    """Print for each server how many connections haproxy has to it; a check of it is one, too, for an instant."""
    return "\n".join(
        f"printf 'open %s %s %s\\n' {cmd(frontend.name, server.name)} "
        f'"$(ss -Htnp state established dst {cmd(_endpoint(server))} | grep -c \'("haproxy",\')"'
        for frontend, server in members
    )


def _endpoint(server: Server) -> str:
    return f"[{server.address}]:{server.port}" if server.address.version == 6 else f"{server.address}:{server.port}"


def parse_open(text: str) -> dict[Pair, int]:
    """The lines that `open_connections` prints. Raises ValueError."""
    words = [line.split() for line in text.splitlines() if line.startswith("open ")]
    return {(frontend, server): count(number) for _, frontend, server, number in words}


class Tell:
    """Replaces a node's record, and has its haproxy drain servers, or use them again, at once."""

    def __init__(self, view: NodeServers, record: str, members: Sequence[Member], state: State, about: str) -> None:
        self.node = view.node
        self._view = view
        self._record = record
        self._members = members
        self._state = state
        self._about = about
        self._mark = f"{MARK}-{nonce()}"

    def script(self) -> str:
        """POSIX sh for root."""
        given = {"file": SERVER_STATE, "staged": SERVER_STATE + STAGED, "socket": HAPROXY_SOCKET}
        given["seen"] = self._view.record.rstrip("\n")
        given["orders"] = "; ".join(
            f"set server {frontend.name}/{server.name} state {self._state}" for frontend, server in self._members
        )
        variables = "\n".join(f"{name}={here(value)}" for name, value in given.items())
        write = f"printf '%s' {here(self._record)} > \"$staged\""
        told = f"{_TELL.format(write=write)}\n{open_connections(self._members)}"
        return f"{PRELUDE}{variables}\n{take(self._mark, self._about)}\n{told}\n"

    def read(self, output: str) -> dict[Pair, int] | None:
        """The open connections, once all was done; None where the record had changed since it was looked at.

        Raises LockedError and RemoteError.
        """
        told = [line.partition(f"{self._mark} ")[2] for line in output.splitlines() if self._mark in line]
        last = told[-1] if told else ""
        if last.startswith("locked"):
            raise locked(self.node.name, last.removeprefix("locked ")).but(state="nothing was changed there")
        if last == "changed":
            return None
        if last != "done":
            raise self._failed(told, output)
        return understood(self.node.name, "open connections", parse_open, output)

    def _failed(self, told: Sequence[str], output: str) -> RemoteError:
        reason = next((each.removeprefix("said ") for each in told if each.startswith("said ")), "")
        if "written" not in told:
            message, state = f"{SERVER_STATE} could not be written there", "nothing was changed there"
            fix = "see what is wrong with its file system: df -h /var/lib there; then the same command again"
            return RemoteError(message, node=self.node.name, state=state, fix=fix, detail=output)
        return RemoteError(
            f"haproxy there did not do it: {reason or 'it does not answer on its socket'}",
            node=self.node.name,
            state="it is on record there, so haproxy does it when it reloads",
            fix="journalctl -u haproxy -n 20 there; then the same command again",
            detail=output,
        )


# With set -e: what is not told was not done. A node without a running haproxy has the record for its next start.
_TELL = """\
set -e
umask 077
tell() {{ printf '%s %s\\n' "$mark" "$*"; }}
[ "$(cat "$file")" = "$seen" ] || {{ tell changed; exit 0; }}
{write}
sync -- "$staged"
mv -fT -- "$staged" "$file"
sync -- "${{file%/*}}"
tell written
if [ -S "$socket" ] && systemctl is-active --quiet haproxy; then
    said=$(echo "$orders; show info" | timeout 5 socat -t 5 - "UNIX-CONNECT:$socket" 2> /dev/null) || exit 0
    said=$(printf '%s' "$said" | tr -s '\\n' ' ')
    case $said in 'Name: '* | ' Name: '*) ;; *) tell "said ${{said%%Name: *}}"; exit 0 ;; esac
fi
tell done
set +e"""


def close_connections(members: Sequence[Member]) -> str:
    """POSIX sh that closes haproxy's connections to servers, also those of workers from before a reload."""
    names = [f"{frontend.name}/{server.name}" for frontend, server in members]
    orders = "; ".join(f"shutdown sessions server {name}" for name in names)
    given = f"names={here(' '.join(names))}\norders={here(orders)}"
    return f"{PRELUDE}{given}\n{_CLOSE}\n{open_connections(members)}\n"


# An old worker is asked through the master process, and takes the order for single sessions only: to it, the frontend
# is gone ("Proxy is disabled", measured on 2.6). What @! says is for one order only.
_CLOSE = f"""\
ask() {{ timeout 5 socat -t 5 - "UNIX-CONNECT:$1" 2> /dev/null; }}
echo "$orders" | ask {HAPROXY_SOCKET}
old_workers() {{
    echo 'show proc' | ask {MASTER_SOCKET} | sed -n '/^# old workers/,/^# programs/p' |
        while read -r pid kind _; do if [ "$kind" = worker ]; then echo "$pid"; fi; done
}}
sessions() {{
    echo "@!$1 show sess" | ask {MASTER_SOCKET} |
        while read -r session line; do
            for name in $names; do
                case " $line " in
                    *" be=${{name%/*}} srv=${{name#*/}} "*) echo "@!$1 shutdown session ${{session%:}}" ;;
                esac
            done
        done
}}
# A line of the command line interface has 16 kB at the most.
order() {{
    batch='' number=0
    while read -r each; do
        batch="$batch; $each" number=$((number + 1))
        [ "$number" -lt 100 ] || {{ echo "${{batch#; }}" | ask {MASTER_SOCKET}; batch='' number=0; }}
    done
    [ -z "$batch" ] || echo "${{batch#; }}" | ask {MASTER_SOCKET}
}}
[ ! -S {MASTER_SOCKET} ] || for pid in $(old_workers); do sessions "$pid" | order; done"""
