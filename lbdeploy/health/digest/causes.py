"""Which findings follow from others: a daemon that was stopped is one cause, however much no longer works without it.

Pure. For people, who are told the cause with its consequences under it. A program finds the same as `because`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lbdeploy.common.debian import DAEMONS
from lbdeploy.common.typed import typed
from lbdeploy.health.digest.overview import Overview
from lbdeploy.health.finding import Finding

# What may be the cause of others comes before what may follow from it.
ORDER = (
    "reach",
    "deployed",
    "packages",
    "file",
    "sysctl",
    "service",
    "address",
    "check",
    "track",
    "vrrp",
    "backend",
    "vip",
    "holder",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding that follows from no other, what follows from it, and the nodes of which the same was found."""

    finding: Finding
    effects: tuple[Finding, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it, or what follows from it, is an error."""
        return any(each.is_error for each in (self.finding, *self.effects))

    @property
    def drift(self) -> bool:
        """Whether it is no more than a difference from hosts.toml, which can wait for what affects clients."""
        return all(each.drift for each in (self.finding, *self.effects))

    @property
    def text(self) -> str:
        """The cause in one line."""
        return f"{', '.join(self.nodes)}: {self.finding.detail}" if self.nodes else self.finding.detail


def causes(findings: Iterable[Finding], seen: Overview) -> list[Cause]:
    """What is wrong, each cause once: errors first, and among them what others follow from."""
    return sorted(_merged(_groups(findings, seen)), key=lambda each: (not each.is_error, each.drift))


def _groups(findings: Iterable[Finding], seen: Overview) -> list[tuple[Finding, list[Finding]]]:
    """Each cause, with what follows from it."""
    wrong = [*_undeployed(seen), *(each for each in findings if not each.ok)]
    wrong.sort(key=lambda each: (_rank(each), each.is_warning))
    groups: list[tuple[Finding, list[Finding]]] = []
    for each in wrong:
        effects = next((more for cause, more in groups if any(explains(of, each, seen) for of in (cause, *more))), None)
        if effects is None:
            groups.append((each, []))
        else:
            effects.append(each)
    return groups


def explains(cause: Finding, other: Finding, seen: Overview) -> bool:
    """Whether a finding follows from another one, as far as what lbdeploy puts on nodes depends on each other."""
    rule = _RULES.get(cause.check)
    return rule is not None and rule(cause, other, seen)


def because(findings: Sequence[Finding], seen: Overview) -> dict[int, Finding]:
    """By the place of a finding in the list: the one that it follows from, if any."""
    # By identity: findings that were made at one moment are those of the list.
    found = {id(effect): cause for cause, effects in _groups(findings, seen) for effect in effects}
    known = {id(each) for each in findings}
    reasons = {at: found[id(each)] for at, each in enumerate(findings) if id(each) in found}
    return {at: cause for at, cause in reasons.items() if id(cause) in known}


def _undeployed(seen: Overview) -> Iterator[Finding]:
    """A node of a running cluster that has nothing of lbdeploy's: one cause of all that it lacks."""
    for name in seen.bare:
        detail = "is not deployed yet: it has nothing of lbdeploy's"
        yield Finding(name, "deployed", "error", detail, typed("plan", after=", then: lbdeploy up"))


def _rank(finding: Finding) -> int:
    return ORDER.index(finding.check) if finding.check in ORDER else len(ORDER)


def _merged(groups: Iterable[tuple[Finding, list[Finding]]]) -> list[Cause]:
    """The same thing found on several nodes, told once."""
    found: dict[tuple[str, ...], Cause] = {}
    for cause, effects in groups:
        key = (cause.check, cause.subject, cause.severity, cause.detail)
        known = found.get(key, Cause(cause))
        nodes = (cause.node,) if cause.node else ()
        found[key] = replace(known, effects=(*known.effects, *effects), nodes=(*known.nodes, *nodes))
    return list(found.values())


def _node_lost(cause: Finding, other: Finding, seen: Overview) -> bool:
    """A node that can't be looked at, or has nothing yet, may hold what no other one holds."""
    return _homeless(other) or (cause.check == "deployed" and other.node == cause.node)


def _package(cause: Finding, other: Finding, seen: Overview) -> bool:
    """A daemon that is not installed does not run."""
    return other.node == cause.node and other.check == "service" and cause.subject == other.subject


def _file(cause: Finding, other: Finding, seen: Overview) -> bool:
    """A service that is to read its file again, once that is as it should be."""
    named = cause.subject in other.detail or "/" not in other.detail
    return (
        (other.node, other.check, other.severity) == (cause.node, "service", cause.severity) and other.drift and named
    )


def _service(cause: Finding, other: Finding, seen: Overview) -> bool:
    return not cause.drift and cause.subject in DAEMONS and _without(cause.subject, cause, other, seen)


def _without(daemon: str, cause: Finding, other: Finding, seen: Overview) -> bool:
    """What does not work without a daemon. A keepalived gives up its VIPs where its haproxy does not run."""
    if other.node == cause.node and other.check == "vrrp":
        return True
    return (daemon == "haproxy" and _needs_haproxy(cause, other, seen)) or (not seen.nodes[0] and _homeless(other))


def _hangs(cause: Finding, other: Finding, seen: Overview) -> bool:
    return _without("haproxy", cause, other, seen)


def _needs_haproxy(cause: Finding, other: Finding, seen: Overview) -> bool:
    """A node's own checks need its haproxy; whatever asks a VIP needs that of the node which holds it, if any does."""
    if other.check == "api":
        return other.node == cause.node or cause.node in seen.holders or not seen.holders
    return other.node == cause.node and other.check in ("check", "frontend", "backend", "metrics")


def _keeps_from_holding(cause: Finding, other: Finding, seen: Overview) -> bool:
    """A node in FAULT state holds no VIP; where none can, the VIPs are on no node."""
    return (other.node == cause.node and other.check in ("vrrp", "track")) or (not seen.nodes[0] and _homeless(other))


def _backend(cause: Finding, other: Finding, seen: Overview) -> bool:
    """Servers that no node sees up: each of them, and whatever would be answered by them."""
    if other.check == "frontend":
        return other.subject == cause.subject
    if other.check == "api":
        return other.node == cause.node or cause.node in seen.holders
    return other.check == "server" and other.subject.partition("/")[0] == cause.subject


def _vip(cause: Finding, other: Finding, seen: Overview) -> bool:
    """A VIP that is not where it should be does not answer. Another one that is as badly off is no other cause."""
    if _homeless(other) and cause.node is None:
        return other.check == "holder" or other.detail.removeprefix(other.subject) == cause.detail.removeprefix(
            cause.subject
        )
    return other.check == "api" and other.subject.partition(" port ")[0] == cause.subject


def _homeless(other: Finding) -> bool:
    """Whether it says that the VIPs are on no node, or not all on the same."""
    return other.check in ("vip", "holder") and other.node is None and other.is_error


_RULES: dict[str, Callable[[Finding, Finding, Overview], bool]] = {
    "reach": _node_lost,
    "deployed": _node_lost,
    "packages": _package,
    "file": _file,
    "service": _service,
    "check": _hangs,
    "address": _keeps_from_holding,
    "track": _keeps_from_holding,
    "vrrp": _keeps_from_holding,
    "backend": _backend,
    "vip": _vip,
}
