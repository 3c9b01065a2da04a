"""What the doctor found: by node, problems first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from lbdeploy.finding import Finding
from lbdeploy.report.terminal import Part

Line = Sequence[Part]


def lines(findings: Sequence[Finding], *, verbose: bool) -> Iterator[Line]:
    """A block a node, and a verdict."""
    for node, mine in groupby(findings, key=lambda each: each.node):
        yield from _node(str(node), list(mine), verbose=verbose)
    failed, warned = sum(each.failed for each in findings), sum(each.warning and not each.ok for each in findings)
    passed = sum(each.ok for each in findings)
    counts = f"{passed} checks passed, {failed} failed, {warned} to know of."
    yield (("Not fit: ", "bad") if failed else ("Fit: ", "good")), counts


def _node(name: str, findings: Sequence[Finding], *, verbose: bool) -> Iterator[Line]:
    bad = sorted((each for each in findings if not each.ok), key=lambda each: each.warning)
    passed = [each for each in findings if each.ok]
    yield (name, "name"), ("" if bad else f": {len(passed)} checks passed")
    for each in bad:
        mark, style = ("  ! ", "warn") if each.warning else ("  ✗ ", "bad")
        yield (mark, style), (each.check, "name"), f": {each.detail}"
        if each.fix:
            yield ("      next: ", "todo"), each.fix
    for each in passed if verbose else ():
        yield ("  ✓ ", "good"), (each.check, "name"), f": {each.detail}"
