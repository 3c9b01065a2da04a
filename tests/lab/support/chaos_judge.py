"""What must hold after a fault in the middle of a change, judged by the nodes' own tools and by the client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from chaos_changes import Change
from chaos_faults import PEER_LOST, Fault
from chaos_pair import NODES, Command, Look, Pair
from clients import CLOSED, RESET, SILENT, TWICE, instants

SETTLED = 60.0  # s: the node's wait for a confirmation (about 25), undoing, the election, and preempt_delay
FREED = 60.0  # s until a dead run's lock and its unit are gone
RUN = 200.0  # s: the longest that one lbdeploy may take; it waits 150 s for a node that is off
IN_FLIGHT = 1.0  # s that a probe may be under way when a VIP moves
APART = 0.5  # s between two failed probes of different outages
HOLDER = "lb1"  # before the change

Files = dict[str, dict[str, str]]


def allowed_outage(change: Change, fault: Fault, target: str) -> float:
    """For how long (s) new connections may fail.

    While VRRP elects anew, nodes don't hear each other: the standby takes the VIPs when it misses the holder, and the
    holder lets go of them though the standby, which had taken them, has just failed.
    """
    lost = fault.outage and (target == HOLDER or change.breaks)
    unheard = change.agreed and change.breaks
    longest = max(fault.outage, PEER_LOST) if unheard else fault.outage
    return longest * change.slower + change.alone if lost else 0.0


def allowed_cut(change: Change, fault: Fault, target: str) -> float:
    """For how long (s) connections that a VIP accepts may be cut: those that are open at the instant of a move.

    A holder whose keepalived starts anew while VRRP elects anew has the VIPs beside the node that took them meanwhile,
    which it does not hear before its own change: clients find this one or that one.
    """
    beside = change.agreed and change.breaks and fault.restarts and target == HOLDER
    return fault.outage if beside else IN_FLIGHT


def may_break(change: Change, fault: Fault, target: str) -> bool:
    """Whether open streams may break."""
    return bool(change.breaks) or bool(fault.breaks and target == HOLDER)


def allowed_codes(change: Change, fault: Fault) -> frozenset[int]:
    """The right exit codes of the command that makes the change."""
    return change.codes | fault.codes


def of_command(command: Command, codes: Iterable[int], name: str = "lbdeploy") -> Iterator[str]:
    """It ended in time, with a right exit code, and showed no traceback."""
    if command.code is None:
        yield f"{name} did not end"
    elif command.code not in codes:
        yield f"{name} exited with {command.code}, not with one of {sorted(codes)}"
    if any("Traceback" in line for line in command.lines):
        yield f"{name} showed a traceback"


def settle(pair: Pair, vips: Iterable[str], seconds: float = SETTLED) -> tuple[dict[str, Look], list[str]]:
    """Look until each VIP has one holder, no node is at work, and all servers are up; what was seen, what is wrong."""
    deadline = time.monotonic() + seconds
    while True:
        looks = {node: pair.look(node) for node in NODES}
        wrong = [*_unsettled(looks, vips)]
        if not wrong or time.monotonic() > deadline:
            return looks, [f"after {seconds:g} s: {each}" for each in wrong]
        time.sleep(0.5)


def _unsettled(looks: dict[str, Look], vips: Iterable[str]) -> Iterator[str]:
    for vip in vips:
        holders = [node for node, look in looks.items() if vip in look.addresses]
        if len(holders) != 1:
            yield f"{vip} is held by {' and '.join(holders) or 'nobody'}"
    for node, look in looks.items():
        if not look.idle:
            yield f"{node} is still at work"
        if look.down:  # a node that was cut off finds them again within interval + rise checks
            yield f"{node} finds {look.down} servers down"


def of_files(looks: dict[str, Look], *, recorded: bool = False) -> Iterator[str]:
    """No file is half written, and the nodes' validators find nothing.

    `recorded`: files may be left over whose removal is on record, as after a power cut in a rehearsal.
    """
    for node, look in looks.items():
        yield from (f"{node} has {path}" for path in look.staged if not recorded or path not in look.recorded)
        yield from (f"{node}: {text}" for text in look.says)


CONF = "/etc/keepalived/keepalived.conf"


def agreed(before: Files, after: Files) -> Iterator[str]:
    """The nodes have the old keepalived.conf or the new one, but not one this and one that."""
    changed = [node for node in NODES if before[node].get(CONF) != after[node].get(CONF)]
    if len(changed) == 1:
        yield f"only {changed[0]} has another {CONF}, on which the nodes must agree"


def as_before(before: Files, after: Files, nodes: Iterable[str]) -> Iterator[str]:
    """Files and modes of these nodes are those from before."""
    for node in nodes:
        differing = [path for path in before[node] | after[node] if before[node].get(path) != after[node].get(path)]
        yield from (f"{node} {path} is not as before" for path in differing)


def old_or_new(known: Iterable[Files], between: Files) -> Iterator[str]:
    """After the fault each file was one that was there in whole before, or that the next `up` leaves."""
    for node in NODES:
        whole = [files[node] for files in known]
        for path in {path for files in [*whole, between[node]] for path in files}:
            if between[node].get(path) not in [files.get(path) for files in whole]:
                yield f"{node} {path} was neither the old file nor the new one"


def converge(pair: Pair) -> tuple[list[Command], list[str]]:
    """The next `up` does what is left to do, once a dead run's lock is free, and one more finds nothing."""
    commands = [_up(pair, "--lock-wait", f"{FREED:g}")]
    wrong = [*of_command(commands[-1], {0}, "the next up")]
    if not wrong:
        commands.append(_up(pair))
        wrong = [*of_command(commands[-1], {0}, "the up after it")]
        wrong += [f"the up after it had changes: {each}" for each in commands[-1].json().get("changes", ["no JSON"])]
    return commands, wrong


def _up(pair: Pair, *options: str) -> Command:
    command = Command(pair, "up", *options)
    command.until_end(RUN)
    return command


def of_services(looks: dict[str, Look]) -> Iterator[str]:
    """haproxy and keepalived run on both nodes, and will after a reboot."""
    for node, look in looks.items():
        if look.services != "active active enabled enabled":
            yield f"{node}: haproxy and keepalived are {look.services or 'not to be seen'}"


def of_client(seen: dict[str, Any], outage: float, *, breaks: bool, cut_for: float = IN_FLIGHT) -> Iterator[str]:
    """The client lost no more than the table allows. Times are in s since the run began.

    What TCP got at the second attempt was lost, too, but for the packets that are under way at the instant of a move.
    """
    moved = [*seen["failures"], *seen["late"]] if breaks and not outage else seen["failures"]
    lost = [*seen["failures"], *(seen["late"] if moved is seen["failures"] else ())]
    for vip in sorted({each["vip"] for each in [*moved, *lost]}):
        failures = [each for each in lost if each["vip"] == vip and not (breaks and _was_open(each))]
        spans = outages([each["at"] for each in failures])
        if sum(end - begin for begin, end in spans) > outage:
            yield f"{vip} failed: {_spans(spans)}; {outage:g} s are allowed: {_whys(failures)}"
        # Whenever they began (TCP asks again while no node has the VIP), what counts is when they were cut.
        cut = outages(instants([each for each in moved if each["vip"] == vip and _was_open(each)]))
        if breaks and any(end - begin > cut_for for begin, end in cut):
            yield f"{vip} accepted connections and cut them: {_spans(cut)}"
    if not breaks:
        yield from (f"the stream through {each['vip']} broke at {each['at']}: {each['why']}" for each in seen["broken"])
    if not seen["probes"] or not seen["streams"]:
        yield "the client was not at work"


def _was_open(failure: dict[str, Any]) -> bool:
    """Whether it had been accepted, and was cut when the VIP moved: an open connection, as a stream is one."""
    return bool(failure["connected"]) and failure["why"] in (RESET, CLOSED, SILENT, TWICE)


def _whys(failures: list[dict[str, Any]]) -> str:
    return "; ".join(sorted({each["why"] for each in failures}))


def outages(times: list[float]) -> list[tuple[float, float]]:
    """From when to when (s) probes failed, each with the 20 ms that a failed probe stands for."""
    spans: list[tuple[float, float]] = []
    for at in sorted(times):
        if spans and at - spans[-1][1] < APART:
            spans[-1] = (spans[-1][0], at + 0.02)
        else:
            spans.append((at, at + 0.02))
    return spans


def _spans(spans: list[tuple[float, float]]) -> str:
    return ", ".join(f"{end - begin:.2f} s at {begin:.2f}" for begin, end in spans)
