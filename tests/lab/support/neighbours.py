"""Whom a client believes to have a VIP, and who has it: sampled every 20 ms in three network namespaces.

Run as a script in one of them, with VIPs as arguments, it prints a JSON line at each change of what it sees: the time
(system's monotonic, s), the MACs in the table of neighbours by VIP, and the VIPs that are local. It ends when its
standard input does.
"""

from __future__ import annotations

import json
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness import Lab

EVERY = 0.02  # s


@contextmanager
def watched(lab: Lab, *vips: str) -> Iterator[dict[str, float]]:
    """Watches within the block; afterwards, the dictionary has by VIP for how long the client was wrong at most (s)."""
    macs = {node: set(lab.on(node, "cat /sys/class/net/*/address").split()) for node in ("lb1", "lb2")}
    found: dict[str, float] = {}
    with ExitStack() as stack:
        running = {each: stack.enter_context(_sampler(lab, each, vips)) for each in ("client", *macs)}
        yield found
        seen = {each: _ended(process) for each, process in running.items()}
    for vip in vips:
        found[vip] = longest_error(seen, macs, vip)


@contextmanager
def held_twice(lab: Lab, *vips: str) -> Iterator[dict[str, float]]:
    """Watches within the block; afterwards, the dictionary has by VIP for how long both nodes had it at most (s)."""
    found: dict[str, float] = {}
    with ExitStack() as stack:
        running = {each: stack.enter_context(_sampler(lab, each, vips)) for each in ("lb1", "lb2")}
        yield found
        seen = {each: _ended(process) for each, process in running.items()}
    for vip in vips:
        found[vip] = longest_shared(seen, vip)


def longest_shared(seen: dict[str, list[Any]], vip: str) -> float:
    """The longest time (s) in which all of them had the VIP; where the last sample of all says so, up to there."""
    at = sorted({when for lines in seen.values() for when, _, _ in lines})
    longest, since = 0.0, None
    for when, after in pairwise([*at, at[-1]]):
        shared = all(vip in _last(lines, when)[1] for lines in seen.values())
        since = (since or when) if shared else None
        longest = max(longest, after - since) if since else longest
    return round(longest, 3)


@contextmanager
def _sampler(lab: Lab, where: str, vips: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    argv = ["ip", "netns", "exec", lab.namespace(where), sys.executable, __file__, *vips]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.communicate(timeout=10)


def _ended(process: subprocess.Popen[str]) -> list[Any]:
    out, _ = process.communicate(timeout=10)
    return [json.loads(line) for line in out.splitlines()]


def longest_error(seen: dict[str, list[Any]], macs: dict[str, set[str]], vip: str) -> float:
    """The longest time (s) in which the client took a node for the VIP's holder that was not, while another one was.

    Where the last sample of all is an error, it counts up to there.
    """
    at = sorted({when for lines in seen.values() for when, _, _ in lines})
    longest, since = 0.0, None
    for when in at:
        now = {where: _last(lines, when) for where, lines in seen.items()}
        holders = [node for node in macs if vip in now[node][1]]
        known = now["client"][0].get(vip, "")
        wrong = bool(known and holders) and not any(known in macs[node] for node in holders)
        since = (since or when) if wrong else None
        after = next((each for each in at if each > when), when)
        longest = max(longest, after - since) if since else longest
    return round(longest, 3)


def _last(lines: list[Any], when: float) -> tuple[dict[str, str], list[str]]:
    before = [(macs, local) for time_, macs, local in lines if time_ <= when]
    return before[-1] if before else ({}, [])


def _sample(vips: list[str]) -> tuple[dict[str, str], list[str]]:
    arp = [line.split() for line in Path("/proc/net/arp").read_text().splitlines()[1:]]
    macs = {words[0]: words[3] for words in arp if words[0] in vips and words[2] != "0x0"}
    six = [vip for vip in vips if ":" in vip]
    if six:
        told = subprocess.run(["ip", "-6", "neigh"], check=True, capture_output=True, text=True).stdout
        for words in map(str.split, told.splitlines()):
            if words[0] in six and "lladdr" in words:
                macs[words[0]] = words[words.index("lladdr") + 1]
    return macs, [vip for vip in vips if _is_local(vip)]


def _is_local(vip: str) -> bool:
    if ":" in vip:
        return ip_address(vip).exploded.replace(":", "") in Path("/proc/net/if_inet6").read_text()
    return bool(re.search(rf"-- {re.escape(vip)}\n +/32 host LOCAL", Path("/proc/net/fib_trie").read_text()))


def main(vips: list[str]) -> None:
    """Sample until standard input ends."""
    last = None
    while not select.select([sys.stdin], [], [], EVERY)[0]:
        now = _sample(vips)
        if now != last:
            print(json.dumps([time.monotonic(), *now]), flush=True)
            last = now
    print(json.dumps([time.monotonic(), *_sample(vips)]))


if __name__ == "__main__":
    main(sys.argv[1:])
