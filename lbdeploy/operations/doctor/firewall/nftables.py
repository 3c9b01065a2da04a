"""`nft -j list ruleset`: each rule judged by whether it matches one packet. Pure; grammar: libnftables-json(5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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

# Statements that neither match nor decide: the packet goes on to the rest of the rule.
NEUTRAL = ("counter", "log", "comment", "mangle", "notrack", "ct helper", "flow", "set", "last")
UNREAD = Rule(None, ACCEPT)  # a rule that can't be understood may match, and then accepts
NUMBERS = {"tcp": 6, "udp": 17, "vrrp": 112}


def chains(text: str, packet: Packet, but: str = "") -> dict[str, Chain]:
    """The chains of the packet's families, by "family table name", without the table `but`; none where not JSON."""
    try:
        objects = [(kind, body) for each in json.loads(text)["nftables"] for kind, body in each.items()]
        families = ("inet", "ip" if packet.version == 4 else "ip6")
        relevant = [(k, b) for k, b in objects if k != "metainfo" and b["family"] in families and _table(b) != but]
        found = {f"{_table(b)} {b['name']}": _chain(b) for k, b in relevant if k == "chain"}
        named = {f"{_table(b)} {b['name']}": b.get("elem", []) for k, b in relevant if k in ("set", "map")}
        rules = [(f"{_table(b)} {b['chain']}", b) for k, b in relevant if k == "rule"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    for chain, body in rules:
        if chain in found:
            found[chain].rules += _RulesetReader(packet, _table(body), named).rules(body.get("expr"))
    return found


def _table(body: Mapping[str, Any]) -> str:
    return f"{body['family']} {body['name'] if 'table' not in body else body['table']}"


def _chain(body: Mapping[str, Any]) -> Chain:
    hook = str(body["hook"]) if body.get("type") == "filter" and "hook" in body else ""
    return Chain(f"{_table(body)} {body['name']}", hook, str(body.get("policy", ACCEPT)))


@dataclass(frozen=True, slots=True)
class _RulesetReader:
    """The rules of one table."""

    packet: Packet
    table: str
    named: Mapping[str, list[Any]]

    def rules(self, expressions: Any) -> list[Rule]:
        """The rule, as several ones where it has a verdict map."""
        try:
            return list(self._rules(expressions))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return [UNREAD]

    def _rules(self, expressions: list[dict[str, Any]]) -> Iterator[Rule]:
        fits: Fits = True
        for statement in expressions:
            for kind, body in statement.items():
                if kind == "match":
                    fits = every((fits, self._match(body)))
                elif kind == "vmap":
                    yield from self._mapped(fits, body)
                elif rule := self._verdict(fits, kind, body):
                    yield rule
                elif kind not in NEUTRAL:
                    fits = every((fits, None))

    def _verdict(self, fits: Fits, kind: str, body: Any) -> Rule | None:
        if kind == "xt":  # from iptables-nft; at least its target has a name
            kind = {"REJECT": "reject", "LOG": "continue"}.get(str((body or {}).get("name")), "xt")
        if kind in ("jump", "goto"):
            return Rule(fits, kind, f"{self.table} {body['target']}")
        verdict = {"accept": ACCEPT, "queue": ACCEPT, "drop": DROP, "reject": DROP}.get(kind, kind)
        return Rule(fits, verdict) if verdict in (ACCEPT, DROP, "return", "continue") else None

    def _mapped(self, fits: Fits, body: Mapping[str, Any]) -> Iterator[Rule]:
        """One rule for each element of a verdict map: the first that matches decides."""
        for key, verdict in self._elements(body["data"]):
            ((kind, target),) = verdict.items()
            if rule := self._verdict(every((fits, self._fits(body["key"], key))), kind, target):
                yield rule

    def _match(self, body: Mapping[str, Any]) -> Fits:
        left, right, op = body["left"], body["right"], body["op"]
        if "payload" in left and self._foreign(left["payload"]["protocol"]):
            return False  # also for "!=": the packet has no such header
        if op in ("<", ">", "<=", ">="):
            return self._compared(left, op, right)
        elements = self._elements(right)
        if left.get("payload", {}).get("field") == "saddr" and self.packet.source is None and len(elements) != 1:
            return None  # the set may contain every client
        fits = some(self._fits(left, each) for each in elements)
        return inverted(fits) if op == "!=" else fits

    def _compared(self, left: Mapping[str, Any], op: str, right: Any) -> Fits:
        compare: dict[str, Callable[[int, int], bool]] = {
            "<": int.__lt__, ">": int.__gt__, "<=": int.__le__, ">=": int.__ge__,
        }  # fmt: skip
        port = self.packet.port
        is_port = left.get("payload", {}).get("field") == "dport" and isinstance(right, int)
        return compare[op](port, right) if is_port and port is not None else None

    def _elements(self, right: Any) -> list[Any]:
        """The values to compare with: a single one, or those of a set, a list of flags, or a named set."""
        if isinstance(right, str) and right.startswith("@"):
            right = self.named.get(f"{self.table} {right[1:]}", [])
        elif isinstance(right, dict) and ("set" in right or "|" in right):
            right = right["set"] if "set" in right else right["|"]
        found = right if isinstance(right, list) else [right]
        return [each["elem"]["val"] if isinstance(each, dict) and "elem" in each else each for each in found]

    def _fits(self, left: Any, wanted: Any) -> Fits:
        match left:
            case {"payload": {"protocol": "ip" | "ip6" as family, "field": field}}:
                return self._of_ip(family, field, wanted)
            case {"payload": {"protocol": protocol, "field": field}}:
                return False if self._foreign(protocol) else self._of_port(field, wanted)
            case {"meta": {"key": key}}:
                return self._of_meta(key, wanted)
        return self._of_first(left, wanted)

    def _of_first(self, left: Any, wanted: Any) -> Fits:
        """What holds for the first packet of any connection to this node."""
        match left:
            case {"ct": {"key": "state"}}:
                return bool(wanted == "new")
            case {"ct": {"key": "status"}}:
                return False  # no NAT or reply yet
            case {"fib": {"result": "type", "flags": "daddr" | ["daddr"]}}:
                return bool(wanted == "local")
            case {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, mask]} if "syn" in mask:
                return bool(wanted == "syn")
        return None

    def _foreign(self, protocol: str) -> bool:
        families = {"ip": 4, "ip6": 6, "arp": 0}
        if protocol in families:
            return families[protocol] != self.packet.version
        return protocol not in (self.packet.protocol, "th", "ether", "vlan")

    def _of_ip(self, family: str, field: str, wanted: Any) -> Fits:
        if self._foreign(family):
            return False
        if field in ("protocol", "nexthdr"):
            return self._is_protocol(wanted)
        if field not in ("saddr", "daddr"):
            return None
        if isinstance(wanted, dict) and "prefix" in wanted:
            wanted = f"{wanted['prefix']['addr']}/{wanted['prefix']['len']}"
        return of_address(str(wanted), self.packet.source if field == "saddr" else self.packet.target)

    def _of_port(self, field: str, wanted: Any) -> Fits:
        port = self.packet.port
        if field != "dport" or port is None:
            return None
        if isinstance(wanted, dict):
            low, high = wanted["range"]
            return bool(low <= port <= high)
        return wanted == port if isinstance(wanted, int) else None

    def _of_meta(self, key: str, wanted: Any) -> Fits:
        if key == "l4proto":
            return self._is_protocol(wanted)
        if key in ("nfproto", "protocol"):
            return wanted in (("ipv4", "ip") if self.packet.version == 4 else ("ipv6", "ip6"))
        return False if key in ("iif", "iifname") and wanted == "lo" else None

    def _is_protocol(self, wanted: Any) -> bool:
        return wanted in (self.packet.protocol, NUMBERS.get(self.packet.protocol))
