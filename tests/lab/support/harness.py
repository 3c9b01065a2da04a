"""The lab of a test, driven by the lbdeploy command. What lbdeploy did there is judged by the nodes' own tools."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pexpect
from schemas import conforming

from lbdeploy.config import reader
from lbdeploy.lab.host.paths import Place, place_of
from lbdeploy.lab.host.processes import ENVIRONMENT
from lbdeploy.lab.machine.nodes import leader
from lbdeploy.operations.outage.client import LATE

TOP = Path(__file__).parents[3]
VIPS = ("192.168.0.10", "192.168.1.10")
# Before states are compared: to systemd, haproxy is "reloading" until its new worker says that it is ready, which may
# be a moment after `systemctl reload` has ended.
RELOADED = (
    "for _ in $(seq 100); do systemctl is-active haproxy keepalived | grep -q reloading || break; sleep 0.1; done; "
)
# sshd listens anew, with its settings, once this has ended (Type=notify), where `reload` only tells it to; sessions
# live on (KillMode=process). Without the first command, systemd starts nothing more than five times in 10 s.
SSHD_ANEW = "systemctl reset-failed ssh; systemctl restart ssh"
LBDEPLOY = str(Path(sys.executable).with_name("lbdeploy"))


@dataclass
class Done:
    """A finished lbdeploy command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return conforming(json.loads(self.out))


class Init:
    """A node's PID 1, by this machine's number for it, or 0.

    After a minute of tests, numbers come again, and another node's process may have it: what was opened stays the same.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._opened = os.pidfd_open(pid) if pid else None

    def __del__(self) -> None:
        if self._opened:
            os.close(self._opened)

    @property
    def runs(self) -> bool:
        """pidfd_open(2): it can be read from once the process has ended."""
        return bool(self._opened) and not select.select([self._opened], [], [], 0)[0]


@dataclass
class Lab:
    """The lab of one hosts.toml, through its front door: `program` is lbdeploy. `known` are all of this session."""

    known: ClassVar[list[Lab]] = []
    file: Path
    program: Sequence[str] = (LBDEPLOY,)
    environment: Mapping[str, str] = field(default_factory=dict)
    original: str = field(init=False)
    _inits: dict[str, Init] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.original = self.file.read_text()
        self.known.append(self)

    def lbdeploy(self, *args: str, env: dict[str, str] | None = None, timeout: float = 170) -> Done:
        """Run lbdeploy with this file; never inside the lab unless --lab is among the arguments."""
        argv = [*self.program, "-f", str(self.file), *args]
        around = {**os.environ, **self.environment, **(env or {})}
        run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=timeout, env=around)
        assert "Traceback" not in run.stderr
        return Done(run.returncode, run.stdout, run.stderr)

    def run(self, *args: str, env: dict[str, str] | None = None, timeout: float = 170) -> Done:
        """Run lbdeploy inside the lab."""
        return self.lbdeploy("--lab", *args, env=env, timeout=timeout)

    def do(self, *args: str, code: int = 0) -> Any:
        """Run lbdeploy inside the lab with --json; its document, once the exit code is as expected."""
        done = self.run("--json", *args)
        assert done.code == code, done.out + done.err
        assert done.json["exit_code"] == code
        return done.json

    def on(self, where: str, command: str, *, check: bool = True, seconds: float = 60) -> str:
        """The output of a shell command, run as root in a node, or in the network of a server, client or operator.

        It is what `lab exec` does, without a start of Python for each of the thousands of looks that the tests take.
        """
        argv = [*self._entry(where), "sh", "-c", command]
        run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=seconds, env=ENVIRONMENT)
        assert not check or run.returncode == 0, f"{where}: {command}: {run.stdout}{run.stderr}"
        return run.stdout.strip()

    def _entry(self, where: str) -> list[str]:
        if not where.startswith("lb"):
            return ["ip", "netns", "exec", self._place.namespace(where)]
        if where not in self._inits or not self._inits[where].runs:
            # Of a node that is off there is no process, and nsenter says so.
            self._inits[where] = Init(leader(self._place, where) or 0)
        return ["nsenter", "--target", str(self._inits[where].pid), "--all", "--root", "--wd"]

    def journal(self, node: str, since: float) -> str:
        """The end of what daemons and lbdeploy logged since a time (s, Unix), with times like those of `traffic`."""
        log = f"journalctl -q -u haproxy -u keepalived -u lbdeploy --since=@{since:.0f} -o short-monotonic 2>&1"
        connections = r"\[[0-9]+/[A-Z][a-z]+/20"  # each has a line
        return self.on(node, f"journalctl --sync; {log} | grep -vE '{connections}' | tail -n 60", check=False)

    def root(self, node: str) -> Path:
        """A node's file system, as it is seen from here."""
        return Path(f"/proc/{self._entry(node)[2]}/root")

    def namespace(self, where: str) -> str:
        """The network namespace of a server, the client or the operator."""
        return self._place.namespace(where)

    @cached_property
    def _place(self) -> Place:
        cluster = reader.load(self.file, self.original)
        return place_of(cluster.name, cluster.path)

    def lab(self, *args: str) -> None:
        """A `lab` command, such as stop or fresh. `up` may have to build an image first, half a minute's work."""
        done = self.lbdeploy("lab", *args, timeout=600)
        assert done.code == 0, done.err

    def edit(self, old: str, new: str) -> None:
        """Change hosts.toml. The fixture puts it back after the test."""
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    @property
    def known_hosts(self) -> str:
        """The operator's known_hosts, as the lab's ssh_config names it."""
        config = self.on("operator", "cat /var/lib/lbdeploy-lab/*/ssh_config")
        lines = [line.split()[1] for line in config.splitlines() if "UserKnownHostsFile" in line]
        return next(line for line in lines if self.id in line)

    @property
    def id(self) -> str:
        """The lab's id."""
        return str(self.lbdeploy("--json", "lab", "status").json["lab"]["id"])

    def known_hosts_text(self, text: str) -> None:
        """Replace the operator's known_hosts."""
        Path(self.known_hosts).write_text(text)

    def holder(self, vip: str) -> list[str]:
        """The nodes whose kernel has the VIP. Where a node is just going down, nsenter may hang: then it has none."""
        return [node for node in ("lb1", "lb2") if f" {vip}/" in self._addresses(node)]

    def _addresses(self, node: str) -> str:
        with suppress(subprocess.TimeoutExpired):
            return self.on(node, "ip -4 -o addr", check=False, seconds=10)
        return ""

    def answers(self, vip: str) -> str:
        """What the API answers through a VIP to the client: the body of /readyz, or "" where there is no answer."""
        program = (
            "import ssl, sys, urllib.request as r; c = ssl._create_unverified_context();"
            f"print(r.urlopen('https://{vip}:6443/readyz', timeout=3, context=c).read().decode())"
        )
        return self.on("client", f'{sys.executable} -c "{program}"', check=False)


def heed_ctrl_c() -> None:
    """A shell has what it runs in the background ignore it, and these tests, too, if they are run there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def asked(lab: Lab, question: str, answer: str, *args: str, term: str = "dumb") -> Done:
    """Run lbdeploy in the lab on a terminal, and answer its question; what stood there before and after that."""
    env = {**os.environ, "TERM": term}
    argv = ["-f", str(lab.file), "--lab", *args]
    terminal = pexpect.spawn(
        LBDEPLOY, argv, encoding="utf-8", env=env, timeout=60, dimensions=(50, 200), preexec_fn=heed_ctrl_c
    )
    terminal.expect_exact(question)
    before = terminal.before or ""
    terminal.send(answer)
    terminal.expect(pexpect.EOF)
    after = terminal.before or ""
    terminal.close()
    assert terminal.exitstatus is not None
    assert "Traceback" not in before + after
    return Done(terminal.exitstatus, before, after)


def held_by(lab: Lab, node: str, *vips: str) -> bool:
    """Whether a node, and no other, has these VIPs, or all."""
    return all(lab.holder(vip) == [node] for vip in vips or VIPS)


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of `what`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return value


def served_by(lab: Lab, node: str) -> set[tuple[str, str]]:
    """How the servers of a node's haproxy are: the status and the last check's of each."""
    ask = "echo 'show stat' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock 2> /dev/null"
    lines = [line.split(",") for line in lab.on(node, ask, check=False).splitlines() if not line.startswith("#")]
    return {(each[17], each[36]) for each in lines if len(each) > 36 and each[1].startswith("master")}


def all_up(lab: Lab) -> bool:
    """Whether each node's haproxy has proved all servers up, since its last reload."""
    return all(served_by(lab, node) == {("UP", "L4OK")} for node in ("lb1", "lb2"))


def _undo_what_lasts(lab: Lab) -> None:
    """End handovers and drains: a test that fails in the middle of one is one failure, not ten."""
    if any(lab.on(node, "cat /run/lbdeploy-handover", check=False) not in ("", "0") for node in ("lb1", "lb2")):
        lab.do("handover", "--back")
    if any(status.startswith("DRAIN") for node in ("lb1", "lb2") for status, _ in served_by(lab, node)):
        for server in ("master1", "master2", "master3"):
            lab.do("undrain", server)


def converge(lab: Lab) -> None:
    """Make it healthy, and as hosts.toml says, `up` ends with 0 only then; all servers up, and the VIPs on lb1."""
    if lab.run("up").code:
        healed = lab.run("verify", "--wait", "60")
        assert healed.code == 0, healed.out + healed.err
    _undo_what_lasts(lab)
    wait_for(lambda: held_by(lab, "lb1"), 30)
    wait_for(lambda: all_up(lab), 30)


def sound(lab: Lab) -> None:
    """Every VIP is on exactly one node, no file is half written, and the next `up` has nothing left to do after one."""
    wait_for(lambda: all(len(lab.holder(vip)) == 1 for vip in VIPS))
    for node in ("lb1", "lb2"):
        assert lab.on(node, "keepalived -t -f /etc/keepalived/keepalived.conf 2>&1") == ""
        assert lab.on(node, "haproxy -c -f /etc/haproxy/haproxy.cfg >/dev/null 2>&1; echo $?") == "0"
        assert lab.on(node, "find /etc -name '*.lbdeploy-new'") == ""
    # A run that died may still be undoing its change: that is waited for. No other attempt is made.
    done = lab.run("up", "--lock-wait", "60")
    assert done.code == 0, done.out + done.err
    assert lab.do("up")["changes"] == []


def all_answered(moved: Mapping[str, Any]) -> bool:
    """Whether no new connection failed, by a handover's own client: TCP may have asked for them again.

    Where more than two were on their way at once, as on a busy machine, they count as failed there: as an outage does.
    """
    return {each["why"] for each in moved["failures"]} <= {LATE}
