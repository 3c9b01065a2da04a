"""`iptables -S`, `ip6tables -S`: each rule judged by whether it fits one packet. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence

from lbdeploy.operations.doctor.firewall.packet_filter import (
    ACCEPT,
    DROP,
    Chain,
    Fits,
    Packet,
    Rule,
    every,
    inverted,
    of_address,
    some,
)

HOOKS = {"INPUT": "input", "OUTPUT": "output"}
VERDICTS = {"ACCEPT": ACCEPT, "NFQUEUE": ACCEPT, "QUEUE": ACCEPT, "DROP": DROP, "REJECT": DROP, "RETURN": "return"}
MODULES = ("tcp", "multiport", "conntrack", "state", "comment", "addrtype")  # loading these adds no condition by itself
NUMBERS = {"tcp": "6", "vrrp": "112"}


def chains(lines: Sequence[str], packet: Packet) -> dict[str, Chain]:
    """The chains by name; other lines are skipped."""
    words = [found for found in map(_words, lines) if len(found) > 1]
    found = {each[1]: Chain(each[1], HOOKS.get(each[1], "")) for each in words if each[0] in ("-P", "-N")}
    for first, name, *rest in words:
        if first == "-P" and rest:
            found[name].policy = VERDICTS.get(rest[0], ACCEPT)
        elif first == "-A" and name in found:
            found[name].rules.append(_rule(rest, packet))
    return found


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []


def _rule(words: Sequence[str], packet: Packet) -> Rule:
    fits: list[Fits] = []
    for negated, option, values in _options(words):
        if option in ("-j", "-g"):
            target = " ".join(values[:1])
            verdict = VERDICTS.get(target, "jump" if option == "-j" else "goto")  # no such chain: no effect
            return Rule(every(fits), verdict, target)
        fit = _fits(option, values, packet)
        fits.append(inverted(fit) if negated else fit)
    return Rule(every(fits), "")


def _options(words: Sequence[str]) -> Iterator[tuple[bool, str, list[str]]]:
    """Each option of a rule: whether it follows a "!", its name, and its arguments."""
    at = 0
    while at < len(words):
        negated = words[at] == "!"
        at += negated
        option, *rest = words[at:] or [""]
        count = 1 if option == "--comment" else _until_option(rest)
        yield negated, option, rest[:count]
        at += 1 + count


def _until_option(words: Sequence[str]) -> int:
    return next((at for at, word in enumerate(words) if word == "!" or word.startswith("-")), len(words))


def _fits(option: str, values: Sequence[str], packet: Packet) -> Fits:
    value = values[0] if values else ""
    judges: dict[str, Callable[[], Fits]] = {
        "-m": lambda: True if value in MODULES else None,
        "--comment": lambda: True,
        "-p": lambda: value in (packet.protocol, NUMBERS.get(packet.protocol), "all"),
        "-s": lambda: of_address(value, packet.source),
        "-d": lambda: of_address(value, packet.target),
        "-i": lambda: False if value == "lo" else None,
        "--dport": lambda: some(_has(each, packet.port) for each in value.split(",")),
        "--state": lambda: "NEW" in value.split(","),
        "--ctstatus": lambda: False,  # the first packet: no NAT or reply yet
        "--dst-type": lambda: value == "LOCAL",
        "--syn": lambda: True,
        "--tcp-flags": lambda: list(values[1:]) == ["SYN"] and "SYN" in value,
    }
    judge = judges.get({"--dports": "--dport", "--ctstate": "--state"}.get(option, option))
    return judge() if judge else None


def _has(ports: str, port: int | None) -> Fits:
    low, _, high = ports.partition(":")
    if port is None or not (low + (high or low)).isdigit():
        return None
    return int(low) <= port <= int(high or low)
