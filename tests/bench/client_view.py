"""What clients feel of each event, by lbdeploy and by a client that is not: the table of docs/reliability.md.

    client_view.py [--only handover,power] [--write]

Needs root, as the lab does, and about a quarter of an hour. --write puts the table into docs/reliability.md. A busy
machine makes everything longer; the table says how busy it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
sys.path += [str(TOP / "tests/lab/support"), str(TOP / "tests/support")]

from clients import gap, traffic  # noqa: E402  they are where the tests have them
from harness import VIPS, Lab, held_by, wait_for  # noqa: E402
from measure import progress  # noqa: E402
from watchers import longest, watching  # noqa: E402

PAGE = TOP / "docs" / "reliability.md"
MARK, NEXT = "### Measured in one run\n", "## What may go wrong during a run\n"
EVENTS = {  # what is run, and what the table calls it
    "handover": (("handover", "--to", "lb2"), "handover"),
    "back": (("handover", "--back"), "and back"),
    "haproxy": (("drill", "haproxy"), "haproxy stopped"),
    "hang": (("drill", "hang"), "haproxy hangs"),
    "keepalived": (("drill", "keepalived"), "keepalived killed"),
    "power": (("drill", "power"), "power of the holder lost"),
    "freeze": (("drill", "freeze", "--hold", "10"), "the holder is frozen for 10 s"),
    "path": (("drill", "path"), "the holder loses its way to the servers"),
    "server": (("drill", "server"), "power of a server lost"),
    "drain": (("drill", "drain", "--hold", "20"), "a server drains"),
}
HEADS = ("event", "new connections: lbdeploy", "the other client", "streams that talk: lbdeploy", "the other client",
         "watches that only read: lbdeploy", "the other client")  # fmt: skip
TEXT = """\
Written by `make client-view` on {date} UTC: each event once, on a pair of lab nodes (Debian 12, defaults but for
`preempt_delay = 10`, and `check = "https"`). Each cell has the longest time (s) without an answer, or an event; beside
it new connections that failed, of {rate} a second, or streams and watches that ended, and of how many. lbdeploy's
handover has neither of these. The other client asks for /readyz, and waits for longer: of a server that drains, each
500 counts as failed until it gets no more connections. Where some of many connections fail, it takes those that were
apart by less than it had to wait for the machine for one time without an answer. Nodes and clients shared {cores} cores
with other work: the load was {least:.1f} to {most:.1f}, and the other client had to wait for up to {lag:.2f} s.

{table}
"""


@dataclass
class Row:
    """What both clients saw of an event."""

    name: str
    told: dict[str, Any]  # by lbdeploy
    seen: dict[str, Any]  # by `traffic`
    watches: list[dict[str, Any]]
    load: float

    def cells(self) -> tuple[str, ...]:
        """By lbdeploy and by the other one, for each kind of client."""
        streams = self.told.get("streams") or {}
        own = self.told.get("watches") or {}
        return (
            f"{(self.told['outage_ms'] or 0) / 1000:.2f}; {self.told['failed']}",
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
    args, called = EVENTS[name]
    with traffic(lab, *VIPS) as seen, watching(lab, *VIPS) as watches:
        done = lab.run("--json", *args)
        time.sleep(2)
    if done.code not in (0, 6):
        sys.exit(done.out + done.err)
    if name != "handover":
        wait_for(lambda: held_by(lab, "lb1"), 60)
        wait_for(lambda: lab.run("verify").code == 0, 60)
    return Row(called, done.json, seen, watches, os.getloadavg()[0])


def table(rows: list[Row]) -> str:
    """In Markdown."""
    lines = [HEADS, ("---",) * len(HEADS), *((row.name, *row.cells()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def run(names: list[str]) -> str:
    """Everything, on a pair of its own; the text for the page."""
    with tempfile.TemporaryDirectory(prefix="lbdeploy-bench-") as folder:
        file = Path(folder) / "hosts.toml"
        text = (TOP / "hosts.toml").read_text().replace("preempt_delay = 30", "preempt_delay = 10")
        file.write_text(text.replace('check = "tcp"', 'check = "https"'))
        lab = Lab(file)
        try:
            lab.lab("up")
            lab.do("up")
            rows = [measured(lab, name) for name in names]
        finally:
            lab.lbdeploy("lab", "down")
    loads = [row.load for row in rows]
    return TEXT.format(
        date=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        rate=50 * len(VIPS),
        cores=os.cpu_count(),
        least=min(loads),
        most=max(loads),
        lag=max(row.seen["lag_s"] for row in rows),
        table=table(rows),
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default=",".join(EVENTS), help="events, with commas between them [all]")
    arguments.add_argument("--write", action="store_true", help=f"write it into {PAGE.relative_to(TOP)}")
    asked = arguments.parse_args()
    if os.geteuid() != 0:
        arguments.error("the lab needs root: run it with sudo")
    text = run(asked.only.split(","))
    print(text)
    if asked.write:
        page = PAGE.read_text()
        before = page.partition(MARK if MARK in page else NEXT)[0].rstrip()
        PAGE.write_text(f"{before}\n\n{MARK}\n{text}\n{NEXT}{page.partition(NEXT)[2]}")


if __name__ == "__main__":
    main()
