"""What `verify --wait` waits for: findings that are not as they should be yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from lbdeploy.health.finding import Finding

Goal = Literal["servers", "vips", "all"]
GOALS: tuple[Goal, ...] = ("servers", "vips", "all")

_CHECKS: dict[Goal | None, tuple[str, ...]] = {
    "servers": ("backend", "backup", "server", "reach"),
    "vips": ("vip", "holder", "reach"),
}


def missing(findings: Iterable[Finding], goal: Goal | None) -> list[Finding]:
    """The findings that keep the goal from being reached.

    servers: each one of hosts.toml that is not drained is up, as every node sees it. vips: each is on one node, the one
    that VRRP prefers. None: the cluster is healthy, and servers that are rising have risen. all: all of it.
    """
    return [each for each in findings if not each.ok and _counts(each, goal)]


def _counts(finding: Finding, goal: Goal | None) -> bool:
    if goal in _CHECKS:
        return finding.check in _CHECKS[goal]
    if goal == "all" and any(finding.check in checks for checks in _CHECKS.values()):
        return True
    return finding.is_error or (finding.settling and finding.check in _CHECKS["servers"])
