"""What clients feel of each event, by lbdeploy and by a client that is not: the tables of docs/reliability.md.

    client_view.py [--only handover,power] [--suites bookworm] [--write]

Needs root, as the lab does, and about 20 minutes. --write puts the tables into docs/reliability.md. A busy machine
makes everything longer; the text says how busy it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
sys.path += [str(TOP / "tests/lab/support"), str(TOP / "tests/support")]

from clients import gap, traffic  # noqa: E402  they are where the tests have them
from forger import OWN, adverts, forge  # noqa: E402
from harness import VIPS, Lab, held_by, wait_for  # noqa: E402
from measure import progress  # noqa: E402
from watchers import longest, watching  # noqa: E402

PAGE = TOP / "docs" / "reliability.md"
MARK, NEXT = "### Measured in one run\n", "## What may go wrong during a run\n"
SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
SERVERS = ("master1", "master2", "master3")
HEADS = ("event", "VIPs moved", "new connections: lbdeploy", "the other client", "streams that talk: lbdeploy",
         "the other client", "watches that only read: lbdeploy", "the other client")  # fmt: skip
TEXT = """\
Written by `make client-view` on {date} UTC: each event once, on pairs of lab nodes (defaults but for
`preempt_delay = 10`, and `check = "https"`). Each cell has the longest time (s) without an answer, or an event; beside
it new connections that failed, of {rate} a second, or streams and watches that ended, and of how many; their silences
of less than 0.4 s are not noted. lbdeploy measures drills and handovers. The other client asks for /readyz, and waits
for longer: of a server that drains, each 500 counts as failed until it gets no more connections. Nodes and clients
shared {cores} cores with other work: the load was between {least:.1f} and {most:.1f}, and the other client had to wait
for up to {lag:.2f} s.

{tables}
"""


def command(*args: str) -> Callable[[Lab], dict[str, Any]]:
    """An event that a command of lbdeploy makes, which measures it itself."""

    def run(lab: Lab) -> dict[str, Any]:
        done = lab.run("--json", *args)
        if done.code not in (0, 6):
            sys.exit(done.out + done.err)
        return done.json

    return run


def forged(lab: Lab) -> dict[str, Any]:
    """Adverts of a host that is no peer, and of one that claims to be from behind a router, of all kinds."""
    for who in ("no peer", "through a router"):
        for priority in (254, 0, 255):
            forge(lab, adverts(lab, who, priority), 3)
    return {}


def no_servers(lab: Lab) -> dict[str, Any]:
    """All servers are cut off for a minute, and come back one by one."""
    for each in SERVERS:
        lab.lab("cut", each)
    time.sleep(60)
    for each in SERVERS:
        lab.lab("join", each)
        time.sleep(15)
    return {}


EVENTS = {  # what is done, and what the tables call it
    "handover": (command("handover", "--to", "lb2"), "handover"),
    "back": (command("handover", "--back"), "and back"),
    "haproxy": (command("drill", "haproxy"), "haproxy stopped"),
    "hang": (command("drill", "hang"), "haproxy hangs"),
    "keepalived": (command("drill", "keepalived"), "keepalived killed"),
    "power": (command("drill", "power"), "power of the holder lost"),
    "freeze": (command("drill", "freeze", "--hold", "10"), "the holder is frozen for 10 s"),
    "path": (command("drill", "path"), "the holder loses its way to the servers"),
    "server": (command("drill", "server"), "power of a server lost"),
    "drain": (command("drill", "drain", "--hold", "20"), "a server drains"),
    "none": (no_servers, "all servers cut off for 60 s, back one by one"),
    "forged": (forged, "forged adverts: no peer's, and from behind a router"),
}


@dataclass
class Row:
    """What both clients saw of an event."""

    name: str
    told: dict[str, Any]  # by lbdeploy
    seen: dict[str, Any]  # by `traffic`
    watches: list[dict[str, Any]]
    moves: int
    load: float

    def cells(self) -> tuple[str, ...]:
        """By lbdeploy and by the other one, for each kind of client."""
        streams = self.told.get("streams") or {}
        own = self.told.get("watches") or {}
        return (
            f"{self.moves} x",
            f"{(self.told['outage_ms'] or 0) / 1000:.2f}; {self.told['failed']}" if self.told else "",
            f"{max(gap(self.seen, vip) for vip in VIPS):.2f}; {len(self.seen['failures'])}",
            f"{streams['broken']} of {streams['opened']}" if own else "",
            self._silence(talks=True),
            f"{own['silence_ms'] / 1000:.2f}; {own['ended']} of {own['opened']}" if own else "",
            self._silence(talks=False),
        )

    def _silence(self, *, talks: bool) -> str:
        ended = [bool(each["ends"]) for each in self.watches if each["talks"] == talks]
        return f"{longest(self.watches, talks=talks):.2f}; {sum(ended)} of {len(ended)}"


def measured(lab: Lab, name: str) -> Row:
    """One event, and its end: the VIPs are where they were, or it is a handover."""
    progress(f"{name} ")
    event, called = EVENTS[name]
    since = time.time()
    with traffic(lab, *VIPS) as seen, watching(lab, *VIPS) as watches:
        told = event(lab)
        time.sleep(2)
    if name != "handover":
        wait_for(lambda: held_by(lab, "lb1"), 60)
        wait_for(lambda: lab.run("verify").code == 0, 60)
    return Row(called, told, seen, watches, masters(lab, since), os.getloadavg()[0])


def masters(lab: Lab, since: float) -> int:
    """How often the VIPs went to another node since then (s, Unix)."""
    count = f"journalctl -q -u keepalived --since=@{since:.0f} -o cat | grep -c 'Entering MASTER STATE'"
    return sum(int(lab.on(node, count, check=False) or 0) for node in OWN)


def table(rows: list[Row]) -> str:
    """In Markdown."""
    lines = [HEADS, ("---",) * len(HEADS), *((row.name, *row.cells()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(names: list[str], suites: list[str]) -> str:
    """Everything, on a pair of its own of each suite; the text for the page."""
    rows = {suite: on_pair(suite, names) for suite in suites}
    every = [row for each in rows.values() for row in each]
    return TEXT.format(
        date=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        rate=50 * len(VIPS),
        cores=os.cpu_count(),
        least=min(row.load for row in every),
        most=max(row.load for row in every),
        lag=max(row.seen["lag_s"] for row in every),
        tables="\n\n".join(f"{SUITES[suite]}:\n\n{table(each)}" for suite, each in rows.items()),
    )


def on_pair(suite: str, names: list[str]) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="lbdeploy-bench-") as folder:
        file = Path(folder) / "hosts.toml"
        text = (TOP / "hosts.toml").read_text().replace("preempt_delay = 30", "preempt_delay = 10")
        file.write_text(text.replace('check = "tcp"', 'check = "https"'))
        lab = Lab(file)
        try:
            lab.lab("up", "--suite", suite)
            lab.do("up")
            return [measured(lab, name) for name in names]
        finally:
            lab.lbdeploy("lab", "down")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(EVENTS), help="events, with commas between them [all]")
    arguments.add_argument("--suites", default=",".join(SUITES), help="Debian's releases, with commas [all]")
    arguments.add_argument("--write", action="store_true", help=f"write it into {PAGE.relative_to(TOP)}")
    asked = arguments.parse_args()
    if os.geteuid() != 0:
        arguments.error("the lab needs root: run it with sudo")
    text = run(asked.only.split(","), asked.suites.split(","))
    print(text)
    if asked.write:
        page = PAGE.read_text()
        before = page.partition(MARK if MARK in page else NEXT)[0].rstrip()
        PAGE.write_text(f"{before}\n\n{MARK}\n{text}\n{NEXT}{page.partition(NEXT)[2]}")


if __name__ == "__main__":
    main()
