"""Every check on all nodes at once, for `lbdeploy doctor`. Nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lbdeploy.config.model import Cluster, Node
from lbdeploy.errors import HostKeyError, LbdeployError, LoginError, RenderError, SudoError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.health.certificates.judgement import CHECK, judged
from lbdeploy.health.finding import Finding
from lbdeploy.node import network_listener
from lbdeploy.operations.doctor import network_checks, node_checks
from lbdeploy.operations.doctor.checklist import LOGIN, OF_NETWORKS, OF_NODES, Check
from lbdeploy.operations.doctor.checkup import Checkup
from lbdeploy.operations.doctor.examination import Examination
from lbdeploy.operations.servers import readiness
from lbdeploy.planning.lint.lint import lint
from lbdeploy.ssh.greeting import Greeting, asking
from lbdeploy.ssh.limits import LOOK
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

KINDS = ((HostKeyError, "host-key"), (LoginError, "login"), (SudoError, "sudo"), (LbdeployError, "reach"))

OF_SERVERS = (readiness.CHECK, CHECK)  # what servers say, and not nodes
ENOUGH = {"lint": 0, "firewall": 2, "vip-reach": 2}  # how many examined nodes a check needs, where that is not one


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, by node, those about the whole cluster last; `errors` has the nodes that can't be examined."""

    findings: tuple[Finding, ...]
    errors: Mapping[str, LbdeployError]

    @property
    def problems(self) -> list[Finding]:
        return [each for each in self.findings if each.is_error]


def examine(cluster: Cluster, pool: SessionPool, emit: Emit, ignore: Collection[str] = ()) -> Diagnosis:
    """Examine every node that can be reached, in parallel. Findings of the checks to `ignore` become warnings."""

    heard: dict[str, Sequence[Greeting]] = {}

    def look(node: Node, session: Session) -> Checkup:
        emit(Step(node.name, f"look, and listen to its networks for {network_listener.seconds(cluster):.0f} s"))
        examination = Examination(cluster, node)
        limits = LOOK.longer(network_listener.seconds(cluster))
        with asking(session, readiness.questions(cluster), readiness.SECONDS) as heard[node.name]:
            output = session.run(examination.script(), examination.on_line, limits).output
        checkup = examination.checkup(output)
        emit(Done(node.name, "looked"))
        return checkup

    found = pool.each(pool.nodes, look)
    checkups = [each for each in found.values() if isinstance(each, Checkup)]
    errors = {name: each for name, each in found.items() if isinstance(each, LbdeployError)}
    return diagnose(cluster, checkups, errors, ignore, heard)


def diagnose(
    cluster: Cluster,
    checkups: Sequence[Checkup],
    errors: Mapping[str, LbdeployError],
    ignore: Collection[str] = (),
    heard: Mapping[str, Sequence[Greeting]] | None = None,
) -> Diagnosis:
    """The findings about the nodes that were examined, those that could not be, and servers that were `heard`."""
    bad = [
        *(_barred(name, error) for name, error in errors.items()),
        *(finding for each in checkups for finding in node_checks.problems(cluster, each)),
        *network_checks.problems(cluster, checkups),
        *of_servers(cluster, heard or {}),
        *linted(cluster),
    ]
    bad = [_ignored(each) if each.check in ignore and each.is_error else each for each in bad]
    unasked = () if _any_heard(heard or {}) else OF_SERVERS
    good = [each for each in _passed(checkups, errors, bad) if each.check not in unasked]
    order: list[str | None] = [*(node.name for node in cluster.nodes), None]
    return Diagnosis(tuple(sorted([*bad, *good], key=lambda each: (order.index(each.node), _rank(each)))), errors)


def _any_heard(heard: Mapping[str, Sequence[Greeting]]) -> bool:
    """Whether servers were asked through any node: otherwise nothing is known of them."""
    return any(each.outcome != "barred" for those in heard.values() for each in those)


def of_servers(cluster: Cluster, heard: Mapping[str, Sequence[Greeting]]) -> Iterator[Finding]:
    """What servers answer, and present: warnings, since nodes can be set up before servers are."""
    yield from readiness.findings(cluster, heard)
    presented = judged(cluster, [each for those in heard.values() for each in those])
    yield from (each.as_warning() for each in presented if not each.ok)


def linted(cluster: Cluster) -> Iterator[Finding]:
    """The findings of `lbdeploy check`; one that is the same for all nodes only once."""
    try:
        lints = lint(cluster, asked=True)
    except RenderError as error:
        yield Finding.failed(None, "lint", error.message, error.fix)
        return
    for where, message, fix, severity in dict.fromkeys(
        (_where(e.file, e.line), e.message, e.fix, e.severity) for e in lints
    ):
        found = Finding.failed(None, "lint", f"{where}: {message}", fix, subject=where)
        yield found if severity == "error" else found.as_warning()


def _where(file: str, line: int | None) -> str:
    return file if line is None else f"{file}:{line}"


def _barred(name: str, error: LbdeployError) -> Finding:
    check = next(check for kind, check in KINDS if isinstance(error, kind))
    return Finding.failed(name, check, error.message, error.fix)


def _ignored(finding: Finding) -> Finding:
    return replace(finding.as_warning(), detail=f"{finding.detail} (ignored)")


def _passed(
    checkups: Sequence[Checkup], errors: Mapping[str, LbdeployError], bad: Sequence[Finding]
) -> Iterator[Finding]:
    """The checks that passed: for each node, or once for the cluster where they are about the networks."""
    complaints = {(each.node, each.check) for each in bad}
    for each in checkups:
        for check in (*LOGIN, *OF_NODES):
            if (each.node.name, check.id) not in complaints:
                yield Finding.passed(each.node.name, check.id, check.passed)
    for name, error in errors.items():
        for check in _before(error):
            yield Finding.passed(name, check.id, check.passed)
    about = {check for _, check in complaints}
    for check in OF_NETWORKS:
        unknown = len(checkups) < ENOUGH.get(check.id, 1)
        if check.doctor and check.id not in about and not unknown:
            yield Finding.passed(None, check.id, check.passed)


def _before(error: LbdeployError) -> Sequence[Check]:
    """The checks that a node passed before that error."""
    ids = [check.id for check in LOGIN]
    return LOGIN[: ids.index(next(check for kind, check in KINDS if isinstance(error, kind)))]


def _rank(finding: Finding) -> int:
    return 0 if finding.is_error else 2 if finding.ok else 1
