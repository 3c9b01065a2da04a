"""The pair that chaos works on, by its own tools, and an lbdeploy at work on it, by its front door."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from harness import LBDEPLOY, RELOADED, TOP, Lab

NODES = ("lb1", "lb2")
FILES = (
    "/etc/haproxy/haproxy.cfg",
    "/etc/keepalived/keepalived.conf",
    "/etc/keepalived/check-haproxy",
    "/etc/keepalived/check-address",
    "/etc/keepalived/announce",
    "/etc/sysctl.d/zz-lbdeploy.conf",
    "/etc/systemd/system/haproxy.service.d/lbdeploy.conf",
    "/etc/systemd/system/keepalived.service.d/lbdeploy.conf",
)
JOURNAL = "/var/lib/lbdeploy/journal"
UNIT = "lbdeploy"  # a node's transaction, as `systemctl` shows it

_LOOK = f"""\
echo unit $(systemctl is-active {UNIT})
ip -o addr | sed -n 's|.* inet6* \\([^/ ]*\\)/.*|address \\1|p'
find /etc -name '*.lbdeploy-new*' | sed 's/^/staged /'
grep -qsE '^(exit|restored|kept|undoing)' {JOURNAL} || for path in $(sed -n 's/^staged //p' {JOURNAL}); do
    printf 'recorded %s\\n' $path $path-rehearsed
done
for file in {" ".join(FILES)}; do
    [ ! -e $file ] || echo file $file $(stat -c '%a:%u:%g' $file):$(sha256sum < $file)
done
keepalived -t -f /etc/keepalived/keepalived.conf 2>&1 | sed 's/^/says keepalived: /'
haproxy -c -f /etc/haproxy/haproxy.cfg 2>&1 | grep -v '^Configuration file is valid$' | sed 's/^/says haproxy: /'
echo down $(echo 'show stat' | socat -t 2 stdio /run/haproxy/admin.sock | grep -c '^[^#,]*,master[0-9]*,.*,DOWN')
{RELOADED}
echo services $(systemctl is-active haproxy keepalived) $(systemctl is-enabled haproxy keepalived)
"""


@dataclass(frozen=True)
class Look:
    """A node, as its own tools show it at one moment.

    `staged`: files that are left over; `recorded`: those that an unfinished run has on record, for the next one to
    remove. `says`: what its validators have against its files; `down`: how many servers its haproxy finds down.
    """

    idle: bool
    addresses: frozenset[str]
    staged: tuple[str, ...]
    recorded: tuple[str, ...]
    files: dict[str, str]
    says: tuple[str, ...]
    down: int
    services: str


@dataclass
class Pair:
    """Two nodes, their hosts.toml, and what of their machines the lab was brought up for."""

    lab: Lab
    machines: str = field(init=False)

    def __post_init__(self) -> None:
        self.machines = self.lab.original

    def on(self, node: str, command: str) -> str:
        """The output of a shell command as root on a node, whatever its exit code."""
        return self.lab.on(node, command, check=False)

    def run(self, node: str, command: str) -> None:
        """Do something as root on a node."""
        self.lab.on(node, command)

    def look(self, node: str) -> Look:
        """A node as it is. One that is off has nothing."""
        lines = [line.partition(" ") for line in self.on(node, _LOOK).splitlines()]
        of = {kind: tuple(rest for word, _, rest in lines if word == kind) for kind, _, _ in lines}
        return Look(
            idle=of.get("unit", ("off",))[0] in ("inactive", "failed"),
            addresses=frozenset(of.get("address", ())),
            staged=of.get("staged", ()),
            recorded=of.get("recorded", ()),
            files=dict(line.split(" ", 1) for line in of.get("file", ())),
            says=of.get("says", ()),
            down=int(of.get("down", ("0",))[0]),
            services=" ".join(of.get("services", ())),
        )

    def files(self) -> dict[str, dict[str, str]]:
        """Mode, owner and hash of each managed file, by node."""
        return {node: self.look(node).files for node in NODES}

    def vips(self) -> tuple[str, ...]:
        """The VIPs of hosts.toml as it is now."""
        return tuple(re.findall(r'"([\d.]+)/24"', self.lab.file.read_text()))

    def power(self, *command: str) -> None:
        """A `lab` command on machines and cables, which wants the hosts.toml that the lab was brought up for."""
        text = self.lab.file.read_text()
        self.lab.file.write_text(self.machines)
        try:
            self.lab.lab(*command)
        finally:
            self.lab.file.write_text(text)

    def add_machines(self) -> None:
        """Bring the lab up for hosts.toml as it is now."""
        self.lab.lab("up")
        self.machines = self.lab.file.read_text()

    def template(self, name: str, old: str, new: str) -> None:
        """An operator's own template: the built-in one with a change."""
        text = (TOP / "templates" / name).read_text()
        assert old in text
        folder = self.lab.file.parent / "templates"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(old, new))

    def logs(self, node: str, since: str) -> str:
        """What a node can tell of a run that began at the time `since`, but for haproxy's line for each connection."""
        units = "-u lbdeploy -u haproxy -u keepalived"
        looks = [
            f"journalctl -qo short-iso-precise --no-pager --since '{since}' {units} | grep -v ' k8s-api/' | tail -n150",
            "cat /var/lib/lbdeploy/journal",
            "ls -lA /run/lbdeploy /var/lib/lbdeploy /var/lib/lbdeploy/generations /etc/haproxy /etc/keepalived",
            "ip -br addr; systemctl --no-pager is-active lbdeploy haproxy keepalived; cat /run/lbdeploy-handover",
        ]
        return "\n".join(f"{node}$ {look}\n{self.on(node, f'({look}) 2>&1')}" for look in looks)

    def journal(self, node: str) -> str:
        """What the last run on a node did, as its disk has it; "" where it is off."""
        try:
            return (self.lab.root(node) / "var/lib/lbdeploy/journal").read_text(errors="replace")
        except OSError:
            return ""

    def plan(self) -> str:
        """What lbdeploy makes of the nodes, to compare."""
        command = Command(self, "plan")
        command.until_end(60)
        return "\n".join([command.text(), *(str(each) for each in command.json().get("changes", ()))])

    def original(self) -> None:
        """hosts.toml and templates as they were at first."""
        shutil.rmtree(self.lab.file.parent / "templates", ignore_errors=True)
        self.lab.file.write_text(self.lab.original)


class Command:
    """lbdeploy at work in the lab, with --json; its progress lines are read as they come."""

    def __init__(self, pair: Pair, *args: str) -> None:
        argv = [LBDEPLOY, "-f", str(pair.lab.file), "--lab", "--json", *args]
        self.args = args
        self.pair = pair
        self._journals = {node: pair.journal(node) for node in NODES}
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.began = time.monotonic()
        self.lines: list[str] = []  # of standard error, each with its time (s)
        self.out = ""
        self._news = threading.Condition()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_out)]
        for reader in self._readers:
            reader.start()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def code(self) -> int | None:
        """The exit code; negative for a signal's number."""
        return self.process.poll()

    @property
    def changing(self) -> str:
        """The node that was named last, or the one that is changed first."""
        names = [match[1] for line in self.lines if (match := re.search(r"\b(lb[12])\b", line))]
        return names[-1] if names else "lb2"

    def until_line(self, number: int, seconds: float) -> bool:
        """Wait until there are so many progress lines; False where there won't be, or not in time."""
        deadline = time.monotonic() + seconds
        with self._news:
            while len(self.lines) < number and not self.ended and time.monotonic() < deadline:
                self._news.wait(0.1)
        return len(self.lines) >= number and not self.ended

    def until_word(self, word: str, node: str, seconds: float) -> bool:
        """Wait until a node's journal, of a task that began since, has a line that begins with the word; as above."""
        deadline = time.monotonic() + seconds
        while not self.ended and time.monotonic() < deadline:
            text = self.pair.journal(node)
            if text != self._journals[node] and any(line.split(" ")[0] == word for line in text.splitlines()):
                return not self.ended
            time.sleep(0.005)
        return False

    def until_end(self, seconds: float) -> bool:
        """Wait until it has ended; False where it has not in time."""
        try:
            self.process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        for reader in self._readers:
            reader.join(5)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        self.process.send_signal(number)

    def json(self) -> dict[str, Any]:
        """Its document; {} where it wrote none."""
        try:
            return dict(json.loads(self.out))
        except ValueError:
            return {}

    def text(self) -> str:
        """What it said, to read."""
        head = f"$ lbdeploy {' '.join(self.args)}: exit code {self.code}"
        return "\n".join([head, *self.lines, json.dumps(self.json().get("error", {}))])

    def _read_lines(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._news:
                self.lines.append(f"{time.monotonic() - self.began:6.2f} {line.rstrip()}")
                self._news.notify_all()

    def _read_out(self) -> None:
        assert self.process.stdout
        self.out = self.process.stdout.read()
