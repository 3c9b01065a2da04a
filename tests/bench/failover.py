"""What drills measure on lab nodes, with normal and with fast timers: the table of docs/performance.md on failover.

    failover.py [--rounds 3] [--write]

Needs root, as the lab does. --write puts the table into docs/performance.md. The shortest and the longest outage are
shown: where within a timer's period something breaks is chance, and a busy machine makes it longer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import progress
from pair import TOP, Pair

PAGE = TOP / "docs" / "performance.md"
MARK = "## Failover\n"
KINDS = ("haproxy", "hang", "keepalived", "power", "link")
TIMERS = {"1": {"haproxy": 1.2, "hang": 4.0, "power": 3.7}, "0.1": {"haproxy": 0.4, "power": 0.6}}
TEXT = """\
Written by `sudo .venv/bin/python tests/bench/failover.py --write`: {rounds} drills of each kind with each
`advert_interval`, one after the other, on a pair of lab nodes (Debian 12, priorities 200 and 100, `preempt_delay = 2`,
`check_interval` and `check_fall` 1, `check_timeout` 2). Shown is the longest time without a good probe, in seconds: of
the shortest and of the longest of these drills. Nodes and client share the machine's {cores} cores with other work.

{table}

- "At most" is what the timers allow: see [drills](drill.md). Scheduling and the placing of addresses come on top.
- After SIGKILL of keepalived, each VIP was on one node again within {holder:.1f} s (target: 5 s). Where the other node
  takes the VIPs before systemd has started keepalived again, both have them for a moment, and clients notice nothing.
- `hang` gets no faster by adverts: a hung haproxy is noticed by a check, which waits for `check_timeout`, in whole
  seconds.
- A keepalived that is silent for three adverts loses its VIPs: at `advert_interval = 0.1`, after 0.3 s. Choose that for
  nodes that are not busy, on a network that loses nothing.
- VIPs that move sooner than haproxy sees that a server is gone gain little: `lbdeploy check` says so, and what helps.
"""


def measured(pair: Pair, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each drill's document, with the advert_interval that it was made with."""
    text = pair.file.read_text().replace("preempt_delay = 30", "preempt_delay = 2")
    for advert in TIMERS:
        pair.file.write_text(text.replace("advert_interval = 1", f"advert_interval = {advert}"))
        pair.settle()
        for _ in range(rounds):
            for kind in KINDS:
                progress(f"{kind} ")
                yield advert, drill(pair, kind)


def drill(pair: Pair, kind: str) -> dict[str, Any]:
    """One drill; what came of it is in its document, also where the outage was too long."""
    run = subprocess.run(
        pair.lbdeploy("--json", "--lab", "drill", kind, "--hold", "5"), check=False, capture_output=True, text=True
    )
    document: dict[str, Any] = json.loads(run.stdout)
    if "outage_ms" not in document:
        sys.exit(run.stderr)
    return document


def table(found: list[tuple[str, dict[str, Any]]]) -> str:
    """A row for each kind, and three columns for each advert_interval."""
    heads = [head for advert in TIMERS for head in (f"`advert_interval = {advert}`", "at most", "target")]
    rows = [["drill", *heads], ["---"] * (len(heads) + 1)]
    for kind in KINDS:
        cells = [cell for advert in TIMERS for cell in _cells(found, advert, kind)]
        rows.append([f"`{kind}`", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(found: list[tuple[str, dict[str, Any]]], advert: str, kind: str) -> tuple[str, str, str]:
    mine = [document for each, document in found if (each, document["kind"]) == (advert, kind)]
    outages = sorted(document["outage_ms"] / 1000 for document in mine)
    target = TIMERS[advert].get(kind)
    return f"{outages[0]:.2f} to {outages[-1]:.2f}", f"{mine[0]['expected_ms'] / 1000:.2f}", f"{target or ''}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3, help="drills of each kind [3]")
    arguments.add_argument("--write", action="store_true", help=f"write it into {PAGE.relative_to(TOP)}")
    asked = arguments.parse_args()
    if os.geteuid() != 0:
        arguments.error("the lab needs root: run it with sudo")
    with tempfile.TemporaryDirectory(prefix="lbdeploy-bench-") as folder:
        pair = Pair(Path(folder))
        try:
            pair.up()
            found = list(measured(pair, asked.rounds))
        finally:
            pair.down()
    holder = max(document["one_holder_ms"] for _, document in found if document["kind"] == "keepalived") / 1000
    text = TEXT.format(table=table(found), rounds=asked.rounds, cores=os.cpu_count(), holder=holder)
    print(text)
    if asked.write:
        PAGE.write_text(f"{PAGE.read_text().partition(MARK)[0].rstrip()}\n\n{MARK}\n{text}")


if __name__ == "__main__":
    main()
