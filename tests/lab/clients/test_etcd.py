"""etcd and etcdctl, as others use the load balancer: what they lose where VIPs move."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from etcd import Reading, etcd_in
from harness import VIPS, Lab, held_by, wait_for

WRITING = "n=0; while {} put k $n; do n=$((n + 1)); sleep 0.1; done"
SILENT = 8.0  # s; the VIPs are away for 3.7, and gRPC waits for a second or two before it connects again


def test_no_event_is_missed_and_no_lease_is_lost(pair: Lab, programs: Path, tmp_path: Path) -> None:
    """Over a handover, and a power cut of the new holder: a watch that only reads, and a lease of 20 s, go on."""
    with etcd_in(pair, programs, tmp_path) as etcd:
        lease = re.findall(r"lease (\w+) granted", etcd.ask("lease", "grant", "20"))[0]
        keeping = Reading(etcd.ctl("client", VIPS[1], "lease", "keep-alive", lease))
        watch = Reading(etcd.ctl("client", VIPS[0], "watch", "k"))
        writing = Reading(["sh", "-c", WRITING.format(" ".join(etcd.ctl("etcd1", "192.168.1.31")))])
        try:
            wait_for(lambda: watch.lines, 20)
            pair.do("handover", "--to", "lb2")
            wait_for(lambda: held_by(pair, "lb2"), 30)
            seen = len(watch.lines)
            wait_for(lambda: len(watch.lines) > seen + 30, 30)
            pair.lab("stop", "lb2")
            wait_for(lambda: held_by(pair, "lb1", VIPS[0]), 20)
            seen = len(watch.lines)
            wait_for(lambda: len(watch.lines) > seen + 30, 30)
            left = etcd.ask("lease", "timetolive", lease)
        finally:
            writing.end()
            last = sum(line == "OK" for _, line in writing.lines) - 1
            wait_for(lambda: values(watch)[-1:] >= [last], 20)
            watch.end()
            keeping.end()
            pair.lab("start", "lb2")
    assert values(watch)[: last + 1] == list(range(last + 1))
    assert "remaining(" in left
    assert max(after - before for (before, _), (after, _) in pairwise(watch.lines)) < SILENT


def values(watch: Reading) -> list[int]:
    """What was written, as the watch has told it: an event is a line with what happened, one with the key, and this."""
    return [int(line) for _, line in watch.lines if line.isdecimal()]
