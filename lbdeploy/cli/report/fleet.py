"""The report of a run over many clusters: each result as it arrives, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lbdeploy.events import Note, Step, Told
from lbdeploy.operations.exit_status import CHANGES_PENDING
from lbdeploy.operations.fleet.job import ClusterResult, worst

if TYPE_CHECKING:
    from lbdeploy.cli.report.reporter import Reporter
from lbdeploy.cli.report.words import BAD, GOOD, count

SHOWN_FINDINGS = 5  # for each cluster; `verify` of that cluster alone shows the rest
MARKS = {None: ("-", "quiet"), 0: GOOD, CHANGES_PENDING: ("~", "todo")}


class Sites:
    """Reports on many clusters. `labels` has the short name of each file; `advise` adapts advice to one file."""

    def __init__(
        self,
        reporter: Reporter,
        command: str,
        labels: Mapping[str, str],
        advise: Callable[[str], Callable[[str], str]],
    ) -> None:
        self._advise = advise
        self._reporter = reporter
        self._command = command
        self.labels = labels

    def event(self, file: str, event: Told) -> None:
        """Show an event in one cluster. On a terminal each cluster has a live line; elsewhere, steps are left out."""
        label, who = self.labels[file], f"{event.who}: " if event.who else ""
        if self._reporter.lively:
            self._reporter.emit(Step(label, who + event.text))
        elif isinstance(event, Note) or self._reporter.verbose:
            self._reporter.emit(Note(f"{label}: {who}".removesuffix(": "), event.text))

    def ended(self, result: ClusterResult) -> None:
        """Show a line for a cluster that has ended; none for one that was not begun."""
        if result.exit_code is not None:
            self._reporter.forget(self.labels[result.file])
            self._reporter.warn(*self._line(result))

    def summary(self, results: Sequence[ClusterResult]) -> None:
        """Show the table, then each failure with its remedy, and a final line."""
        rows = [
            (self.labels[each.file], each.name, MARKS.get(each.exit_code, BAD)[0], said(each), _took(each))
            for each in results
        ]
        self._reporter.table(("file", "cluster", "", self._command, "took"), rows)
        for result in filter(lambda each: each.failed, results):
            self._trouble(result)
        self._end(results)

    def _line(self, result: ClusterResult) -> Iterator[Any]:
        mark, style = MARKS.get(result.exit_code, BAD)
        yield from ((f"{mark} ", style), (self.labels[result.file], "name"), f": {said(result)}")
        yield f"  ({_took(result)})", "quiet"

    def _trouble(self, result: ClusterResult) -> None:
        """Show the error or the findings of one cluster, and the command for that cluster alone."""
        say, error = self._reporter.say, stopped(result.document)
        say(("✗ ", "bad"), (self.labels[result.file], "name"), f": {said(result)}")
        if error:
            for heading, key, style in (("now", "state", "quiet"), ("next", "fix", "next")):
                if error.get(key):
                    say((f"    {heading}: ", style), error[key])
        for node in result.document.get("nodes", ()):
            if not node["reachable"]:
                say("    ", (f"{node['node']}: ", "name"), node["error"]["message"])
        for finding in bad(result.document)[:SHOWN_FINDINGS] if not error else ():
            node = f"{finding['node']}: " if finding["node"] else ""
            say("    ", (node, "name"), finding["detail"])
        say(("    alone: ", "quiet"), self._advise(result.file)(f"lbdeploy {self._command}"))

    def _end(self, results: Sequence[ClusterResult]) -> None:
        counts = {
            "failed": sum(each.failed for each in results),
            "not begun": sum(each.exit_code is None for each in results),
        }
        pending = sum(each.exit_code == CHANGES_PENDING for each in results)
        rest = [f"{count} {what}" for what, count in ({"with changes to make": pending} | counts).items() if count]
        well = sum(each.exit_code == 0 for each in results)
        style = "good" if not worst(results) and not counts["not begun"] else "bad" if counts["failed"] else "todo"
        self._reporter.say((f"{well} of {len(results)} clusters: ", style), ", ".join([WELL[self._command], *rest]))


WELL = {"plan": "nothing to do", "up": "up to date and healthy", "verify": "healthy", "status": "looked at"}


def said(result: ClusterResult) -> str:
    """The result for a cluster, in a few words."""
    document = result.document
    if result.exit_code is None:
        return "not begun"
    error = stopped(document)
    if error and "nodes" not in document:  # `status` has the state of the nodes besides the error, which tells more
        node = f"{error['node']}: " if error.get("node") else ""
        return node + str(error["message"]).partition("\n")[0]
    return ", ".join(_found(document)) or "nothing to do"


def _found(document: Mapping[str, Any]) -> Iterator[str]:
    if changes := document.get("changes"):
        names = dict.fromkeys(each["node"] for each in changes)
        yield f"{count(len(changes), 'change')} on {' and '.join(names)}"
    if "findings" in document:
        wrong = len(bad(document))
        yield f"{count(wrong, 'check')} failed" if wrong else "healthy"
    for node in document.get("nodes", ()):
        if not node["reachable"]:
            yield f"{node['node']} can't be looked at"
    if warnings := document.get("warnings"):
        yield count(len(warnings), "warning")
    if vips := document.get("vips"):
        nobody = "none of those looked at" if any(vip.get("unknown") for vip in vips) else "nobody"
        holders = dict.fromkeys(name for vip in vips for name in vip["holders"] or [nobody])
        yield f"VIPs on {' and '.join(holders)}"


def stopped(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The error that ended the command.

    Not one that only says that the cluster is unhealthy: the findings say that in detail.
    """
    error: Mapping[str, Any] | None = document.get("error")
    return None if error and error.get("type") == "Unhealthy" and "findings" in document else error


def bad(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The findings that make a cluster unhealthy."""
    return [each for each in document.get("findings", ()) if each["severity"] == "error"]


def _took(result: ClusterResult) -> str:
    return "" if result.exit_code is None else f"{result.seconds:.1f} s"
