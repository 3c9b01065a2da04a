"""Prints for people what commands have found and done: plans, findings, results, errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lbdeploy.cli.report.plan import in_short, outline, steps
from lbdeploy.cli.report.printer import Printer
from lbdeploy.cli.report.summary import causes_lines, passed, summary_line
from lbdeploy.cli.report.terminal import Line, console, draws_boxes
from lbdeploy.cli.report.words import count, listed
from lbdeploy.errors import HostsFileError, LbdeployError, RenderError

if TYPE_CHECKING:
    from lbdeploy.config.model import Cluster
    from lbdeploy.health.digest.overview import State
    from lbdeploy.health.verdict import Verdict
    from lbdeploy.operations.doctor.doctor import Diagnosis
    from lbdeploy.operations.down import Removed
    from lbdeploy.operations.down_plan import RemovalPlan
    from lbdeploy.operations.drill.result import DrillResult
    from lbdeploy.operations.handover.result import HandoverResult
    from lbdeploy.operations.history.event import History
    from lbdeploy.operations.rebuild import Rebuilt
    from lbdeploy.operations.servers.result import ServerResult
    from lbdeploy.operations.status import Status
    from lbdeploy.operations.topology import Topology
    from lbdeploy.operations.watch.clusters import WatchedCluster
    from lbdeploy.planning.lint.lints import Lint
    from lbdeploy.planning.plan import Plan
    from lbdeploy.rollout.run import Outcome


LONG = 15  # lines of a plan from which on its summary stands above it, too


class Reporter(Printer):
    """Prints what commands have found and done. What only some commands print is imported by them."""

    def error(self, error: LbdeployError) -> None:
        """Print an error: what happened, where, in what state things are, and what to type next."""
        if error.declined:
            self.warn("Nothing was changed.")
            return
        self.warn(("error: ", "bad"), (f"{error.node}: " if error.node else "", "name"), error.message)
        if isinstance(error, HostsFileError | RenderError):
            self._problems(error)
        if error.state:
            self.warn(("  now: ", "quiet"), error.state)
        if error.fix:
            self.warn(("  next: ", "next"), error.fix)
        for line in (error.detail or "").splitlines() if self.verbose else ():
            self.warn((f"  | {line}", "quiet"))

    def _problems(self, error: HostsFileError | RenderError) -> None:
        """Print each problem of hosts.toml or of templates, with its line; that of the only one is in the message."""
        from itertools import zip_longest

        from lbdeploy.cli.failures.excerpt import excerpt

        for problem, line in zip_longest(error.problems, error.lines()):
            if line:
                self.warn("  ", line)
            for drawn in excerpt(problem):
                self.warn(*drawn)

    def plan(self, plan: Plan, then: str = "", *, whole: bool = False) -> None:
        """Print a plan: every change in the order of the run, and a summary, which also begins a long one.

        `then`: the command that makes these changes; `whole`: show the text of new files, too.
        """
        self.say_all(self._planned(plan, then, whole=whole))

    def _planned(self, plan: Plan, then: str, *, whole: bool) -> Iterator[Line]:
        if not plan.changes:
            yield self._nothing_to_do(plan)
            return
        summary, body = list(outline(plan)), list(steps(plan, diffs=True, whole=whole))
        if len(body) > LONG:
            yield from (*summary, ())
        yield from (*body, *summary)
        if then:
            yield "To make them: ", (then, "next")

    def planned(self, outcome: Outcome, then: str, *, whole: bool) -> None:
        """Print the result of `plan`; what it would change is no fault of the cluster as it is.

        A long plan is shown in a pager; the last line stays below it.
        """
        self.say_at_length(self._planned(outcome.plan, then, whole=whole))
        drained = [each for each in outcome.verdict.causes if each.finding.check == "drained"]
        self.say_all(causes_lines(drained, verbose=False))  # whatever a run does, they stay so
        verdict, changes = outcome.verdict, len(outcome.plan.changes)
        state: State = "healthy" if verdict.state == "drifted" else verdict.state
        serious = [each for each in verdict.causes if not each.finding.drift]
        more = f"{count(changes, 'change')} pending" if changes else ""
        self.say(*summary_line(verdict.overview, state, serious, more, then))

    def removal_plan(self, planned: RemovalPlan) -> None:
        """Print what `down` is about to do; with -v, also a diff for each file."""
        from lbdeploy.cli.report.down import warnings

        self.say_all((*steps(planned.plan, diffs=self.verbose > 0), *warnings(planned)))

    def removed(self, removed: Removed, *, purge: bool, limited: bool) -> None:
        """Print what `down` has done."""
        from lbdeploy.cli.report.down import outcome

        self.say_all(outcome(removed, purge=purge, limited=limited))

    def _nothing_to_do(self, plan: Plan) -> Line:
        names = plan.scope or tuple(plan.nodes)
        return ("Nothing to do: ", "good"), f"{listed(names)} {'is' if len(names) == 1 else 'are'} as hosts.toml says."

    def up(
        self,
        outcome: Outcome,
        following: str = "lbdeploy verify, after every change to the nodes or the servers",
        more: Iterable[Line] = (),
    ) -> None:
        """Print the result of `up`: what changed where, who holds which VIP, what to do next. It fits a screen."""
        if not outcome.plan.changes:
            self.say(*self._nothing_to_do(outcome.plan))
        alike: dict[str, list[str]] = {}
        for name in outcome.done:
            alike.setdefault(in_short(outcome.plan.nodes[name].changes), []).append(name)
        for summary, names in alike.items():
            self.say(("Changed ", "good"), (listed(names), "name"), ":")
            for line in summary.splitlines():
                self.say(f"  {line}")
        self.found(outcome.verdict)
        if outcome.done and outcome.verdict.healthy and not outcome.errors:
            self.say(("Next: ", "next"), following)
        self.say_all(more)
        self.summary(outcome.verdict)

    def rebuilt(self, outcome: Rebuilt) -> None:
        """Print the result as for `up`; where the node stays a standby, also why the VIPs don't return to it."""
        standby = outcome.role == "standby" and not outcome.returns and outcome.why
        self.up(outcome, more=[((outcome.name, "name"), f" is a standby: {outcome.why}")] if standby else [])

    def rolled_back(self, outcome: Outcome, run: str, about: str) -> None:
        """Print the result of `rollback`: health, and that the nodes differ from hosts.toml now, on purpose."""
        following = "also undo the change in hosts.toml; lbdeploy plan shows what still differs"
        differs = (
            (("Undone: ", "good"), f"the run {run} of {about}"),
            ("hosts.toml still has the change: until it is undone there, too, verify says that the nodes differ",),
            ("from it (exit code 6), and the next lbdeploy up makes the change again",),
        )
        self.up(outcome, following, differs)

    def verdict(self, verdict: Verdict) -> None:
        """Print where the VIPs are, what is wrong, and in one line how the cluster is; with -v also what is right."""
        self.found(verdict)
        self.summary(verdict)

    def found(self, verdict: Verdict) -> None:
        """Print where the VIPs are, and what is wrong; with -v also what is right."""
        if not verdict.overview.deployed:
            return
        if verdict.vips:
            rows = [(str(p.vip.ip), p.vip.network, p.interface, p.told()) for p in verdict.vips]
            self.table(("VIP", "network", "interface", "holder"), rows)
        frontends = list(verdict.frontends())
        for frontend, up, all_servers in frontends if len(frontends) > 1 else ():
            style = "good" if up == all_servers else "warn" if up else "bad"
            self.say((frontend, "name"), ": ", (f"{up} of {count(all_servers, 'server')} up", style))
        for finding in verdict.findings if self.verbose else ():
            if finding.ok:
                self.say(*passed(finding))
        self.say_all(causes_lines(verdict.causes, verbose=self.verbose > 0))

    def summary(self, verdict: Verdict, more: str = "", state: State | None = None) -> None:
        """Print the line with which a command ends: how the cluster is."""
        self.say(*summary_line(verdict.overview, state or verdict.state, verdict.causes, more))

    def difference(self, node: str, path: str, diff: str) -> None:
        """Print a diff between a file and its built-in version."""
        from lbdeploy.cli.report.plan import difference

        self.say((f"{node}:{path}", "name"))
        for line in difference(diff):
            self.say(*line)

    def doctor(self, diagnosis: Diagnosis) -> None:
        """Print the findings of `doctor`."""
        from lbdeploy.cli.report.doctor import lines

        self.say_all(lines(diagnosis, verbose=self.verbose > 0))

    def status(self, status: Status) -> None:
        """Print the status once."""
        from lbdeploy.cli.report.status import once

        self.quiet()
        console(self.results).print(once(status, self.advised))

    def condition(self, status: Status) -> None:
        """Print in one line how the cluster is, as the nodes were seen."""
        self.say(*summary_line(status.overview, status.state, status.causes))

    def topology(self, topology: Topology) -> None:
        """Print the cluster as a picture."""
        from lbdeploy.cli.report.topology.text import ASCII, UNICODE, lines

        self.quiet()
        width = min(console(self.results).width, 120)
        self.say_all(lines(topology, width, UNICODE if draws_boxes() else ASCII))

    def watch(self, clusters: Sequence[WatchedCluster]) -> None:
        """Draw the status of one or many clusters again and again, until q or Ctrl-C."""
        from lbdeploy.cli.report.live.follow import follow

        self.quiet()
        follow(clusters, console(self.results), self.advised)

    def handover(self, cluster: Cluster, results: Sequence[HandoverResult]) -> None:
        """Print which node has the VIPs after a handover, and what clients lost; of each group that moved."""
        from lbdeploy.cli.report.handover import lines

        self.say_all(lines(cluster, results))

    def servers(self, result: ServerResult) -> None:
        """Print what became of a server that was drained, or is to be used again."""
        from lbdeploy.cli.report.servers.drained import lines

        self.say_all(lines(result))

    def drill(self, result: DrillResult) -> None:
        """Print what one drill measured, with a timeline."""
        from lbdeploy.cli.report.drill.text import lines

        self.quiet()
        self.say_all(lines(result, min(console(self.results).width, 100)))

    def drills(self, results: Sequence[DrillResult]) -> None:
        """Print a table of several drills, and how the cluster is after them."""
        from lbdeploy.cli.report.drill.text import headings, row

        if len(results) > 1:
            self.table(headings(), map(row, results))
        if results and results[-1].verdict:
            self.summary(results[-1].verdict)

    def history(self, history: History, page: Path | None) -> None:
        """Print what has happened, the latest last."""
        from lbdeploy.cli.report.history.text import HEADINGS, row

        if history.events:
            self.table(HEADINGS, map(row, history.events))
        else:
            self.say("Nothing is recorded.")
        if page:
            self.say("The same as a page: ", (str(page), "name"))

    def lints(self, cluster: Cluster, lints: Sequence[Lint]) -> None:
        """Print the outcome of `check`."""
        for each in lints:
            where = ":".join(str(part) for part in (each.node, each.file, each.line) if part is not None)
            style = "bad" if each.severity == "error" else "warn"
            self.say((f"{each.severity}: ", style), (where, "name"), f": {each.message}")
            self.say(("    next: ", "next"), each.fix)
        servers = sum(len(frontend.servers) for frontend in cluster.frontends)
        counts = f"{count(len(cluster.nodes), 'node')}, {count(len(cluster.vips), 'VIP')}, {count(servers, 'server')}"
        if not any(each.severity == "error" for each in lints):
            preferred = "; ".join(
                f"{part.preferred.name} is the preferred MASTER{f' of {part.group}' if part.group else ''}"
                for part in cluster.parts
            )
            self.say((f"{cluster.path.name} is valid: ", "good"), f"{counts}; {preferred}.")
