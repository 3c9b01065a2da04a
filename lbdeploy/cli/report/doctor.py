"""The report of `lbdeploy doctor`: the problems, node by node, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from lbdeploy.cli.report.terminal import Line
from lbdeploy.cli.report.words import MARKS, count
from lbdeploy.health.finding import Finding
from lbdeploy.operations.doctor.doctor import Diagnosis


def lines(diagnosis: Diagnosis, *, verbose: bool) -> Iterator[Line]:
    """The lines about all findings; with `verbose`, also about checks that passed."""
    for name, group in groupby(diagnosis.findings, key=lambda each: each.node):
        findings = list(group)
        shown = [each for each in findings if verbose or not each.ok]
        good = sum(each.ok for each in findings)
        passed = f": {count(good, 'check')} passed" if good else ""
        yield (name or "all nodes together", "name"), passed
        for each, following in pairwise([*shown, None]):
            if each:
                yield from _finding(each, last=following is None or following.fix != each.fix)
    yield from _summary(diagnosis)


def _finding(finding: Finding, *, last: bool) -> Iterator[Line]:
    """One finding with its id; the remedy is below the last of the findings that share it."""
    mark, style = MARKS[finding.severity]
    yield "  ", (f"{mark} ", style), finding.detail, (f" [{finding.check}]", "quiet")
    if finding.fix and not finding.ok and last:
        yield ("      next: ", "next"), finding.fix


def _summary(diagnosis: Diagnosis) -> Iterator[Line]:
    bad, good = len(diagnosis.problems), sum(each.ok for each in diagnosis.findings)
    warnings = len(diagnosis.findings) - bad - good
    rest = f"{count(good, 'check')} passed" + (f", {count(warnings, 'warning')}." if warnings else ".")
    if not bad:
        yield ("Ready: ", "good"), rest
        yield ("Next: ", "next"), "lbdeploy plan"
        return
    yield ("Not ready: ", "bad"), f"{count(bad, 'problem')}, {rest}"
    yield ("Next: ", "next"), "fix what is marked ✗, then: lbdeploy doctor"
