"""A reinstalled host becomes a member again, while another node holds the VIPs.

It is a run that changes one node, and others only where they would not hear its adverts otherwise. See
docs/decisions/034-rebuild.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster
from lbdeploy.errors import LbdeployError, RemoteError
from lbdeploy.events import Done, Emit, Note, Step
from lbdeploy.health.fitness import unable
from lbdeploy.health.verdict import Verdict, judge
from lbdeploy.node import keepalived_conf
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import File
from lbdeploy.node.resources.base import Resource
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.plan import Stage
from lbdeploy.planning.preflight import UNHEARD
from lbdeploy.rollout.loop import RunLoop, Start, Wording
from lbdeploy.rollout.observer import POLL_SECONDS, Wanted, settle_seconds
from lbdeploy.rollout.request import Options, Origin
from lbdeploy.rollout.run import WORDING, Outcome, Run, lasting
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.pool import SessionPool

NEW_PEER = ((KEEPALIVED_CONF, "update"), ("keepalived", "reload"))  # what changes on a node that is told of a new peer
WATCH = typed("verify", "--wait", "60")
PEERS = re.compile(r"unicast_peer\s*\{[^}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt(Outcome):
    """The result for the node `name`; `errors` has only its own. `returns`: it is about to take the VIPs."""

    name: str
    returns: bool

    @property
    def role(self) -> str:
        return "holder" if self.name in self.verdict.holders else "standby"

    @property
    def why(self) -> str:
        """Which node holds the VIPs, and why; "" where they are not all on one node."""
        found = self.verdict.findings
        return "; ".join(each.detail for each in found if each.check == "holder" and each.node is None)

    def to_json(self) -> dict[str, object]:
        """What the JSON document has in addition to that of `up`."""
        return {"role": self.role, "returns": self.returns, "why": self.why}


class Rebuild:
    """A run whose options limit it to the node that is to become a member again."""

    settles = True

    def __init__(self, cluster: Cluster, pool: SessionPool, emit: Emit, origin: Origin, options: Options) -> None:
        self.cluster = cluster
        self.name = options.limit[0]
        self.wording = wording(self.name)
        own = replace(options, ignore=(*options.ignore, UNHEARD))  # those that would not hear it are told: see `start`
        self._run = Run(cluster, pool, emit, origin, own, wording=self.wording)
        self.context = self._run.context

    def rebuild(self, *, wait: bool) -> Rebuilt:
        """Bring the node in as a standby; with `wait`, wait until it holds the VIPs, if it is going to take them.

        Raises the node's error where it can't be reached, RemoteError where no healthy node holds the VIPs, and what
        `up` raises. The verdict covers all nodes.
        """
        end = RunLoop(self.context, self).run()
        survey = self._followed(end.survey) if wait else end.survey
        unknown = "the run had ended; how it is now is not known"
        errors = {name: each.but(state=unknown) for name, each in survey.errors.items() if name == self.name}
        returns = self._takes_over(survey)
        if wait and returns:
            errors[self.name] = self._late(survey)
        return Rebuilt(end.start.plan, survey.verdict, end.done, errors, name=self.name, returns=returns)

    def start(self) -> Start:
        """Observe the nodes, and plan. Raises LbdeployError where the node can't be brought in safely."""
        wanted, survey = self._run.wanted.inheriting(self._observed(self._run.wanted))
        with survey.judged():
            self._require_holder(survey)
        deaf = list(_deaf(survey, self.name))
        if not deaf:
            return Start(survey, lasting(wanted), survey.plan)
        self.context.emit(Note(None, f"{' and '.join(deaf)} must also be told of it, or would not hear it"))
        wanted = _adding_peers(wanted, {name: survey.seen[name] for name in deaf})
        survey = self._observed(wanted)
        # One of them may be the last healthy node; but to add a peer, keepalived is only reloaded.
        return Start(survey, lasting(wanted), survey.plan, force_last=True)

    def perform(self, start: Start, stage: Stage, before: Survey) -> None:
        """Change the nodes of a stage as `up` does."""
        self._run.perform(start, stage, before)

    def look(self, start: Start) -> Survey:
        """The nodes before the next stage."""
        return self._run.look(start)

    def recover(self, error: LbdeployError, start: Start, done: Sequence[str]) -> Start:
        """Continue, or put everything back, as `up` does."""
        return self._run.recover(error, start, done)

    def end(self, start: Start, done: tuple[str, ...]) -> Survey:
        """All nodes at the end, without waiting for one that could not be reached before."""
        lost = self._everybody.scope - {*start.survey.seen}
        return self.context.observer.until_settled(self._everybody, [self.name], lost)

    @property
    def _everybody(self) -> Wanted:
        """What all nodes should have, also those that the run has not changed."""
        wanted = lasting(self._run.wanted)
        return replace(wanted, scope=frozenset(node.name for node in self.cluster.nodes))

    def _observed(self, wanted: Wanted) -> Survey:
        """Raises where the node can't be reached, besides what `up` refuses; other nodes may be down."""
        survey = self.context.observer.survey_once_booted(wanted)
        for error in survey.errors.values():
            raise error
        self._run.refuse(survey)
        return survey

    def _require_holder(self, survey: Survey) -> None:
        """Raise unless a healthy node holds the VIPs of each group. It may be this one, where none is to be rebuilt."""
        verdict = _whole(survey)
        for part in self.cluster.parts:
            self._require_holder_of(part, survey, verdict)

    def _require_holder_of(self, part: Cluster, survey: Survey, verdict: Verdict) -> None:
        holders, vips = verdict.holders_of(part.group), part.its_vips
        if len(holders) != 1 or not all(placement.holders for placement in verdict.part(part.group)):
            for name, error in survey.unseen.items() if len(holders) < 2 else ():
                raise error.but(state=f"nothing was changed; whether {name} holds {vips} is not known")
            where = f"they are on {' and '.join(holders)}" if holders else "they are on no node that can be looked at"
            fix = typed("verify", after="; where no node holds them any more: lbdeploy up")
            raise _refused(f"no other node holds {vips} alone: {where}", fix)
        ill = [each.detail for each in verdict.findings if each.is_error and each.node == holders[0]]
        if ill and holders[0] != self.name:
            raise _refused(f"{holders[0]} holds {vips}, and is not well itself: {'; '.join(ill)}", typed("verify"))

    @property
    def _patience(self) -> float:
        """Seconds within which the node takes the VIPs, once it is able to hold them."""
        return self._delay + settle_seconds(self.cluster)

    @property
    def _delay(self) -> float:
        return max(part.vrrp.preempt_delay for part in self.cluster.parts)

    def _followed(self, survey: Survey) -> Survey:
        """The cluster once the node holds the VIPs; or as it is, if it is not to take them, or not in time."""
        deadline = time.monotonic() + self._patience
        interrupt = self.context.interrupt
        with interrupt:
            while self._takes_over(survey) and time.monotonic() < deadline:
                delay = f"{self._delay:g} s"
                interrupt.check(f"{self.name} takes the VIPs by itself, after preempt_delay ({delay})", WATCH)
                self.context.emit(Step(self.name, f"take the VIPs, after preempt_delay ({delay})"))
                time.sleep(POLL_SECONDS)
                survey = self.context.observer.look(self._everybody)
        for part in self.cluster.parts:
            if survey.verdict.holders_of(part.group) == (self.name,):
                self.context.emit(Done(self.name, f"holds {part.its_vips}"))
        return survey

    def _late(self, survey: Survey) -> RemoteError:
        now = " and ".join(survey.verdict.holders) or "no node"
        why = unable(survey.seen[self.name])
        return RemoteError(
            f"it has not taken the VIPs within {self._patience:.0f} s" + (f": {why}" if why else ""),
            node=self.name,
            state=f"it is as hosts.toml says, and {now} holds the VIPs",
            fix=typed("verify", before=f"journalctl -u keepalived -n 20 on {self.name}; then: "),
        )

    def _takes_over(self, survey: Survey) -> bool:
        """Whether the node is about to take the VIPs, or is taking them right now."""
        return any(self._takes_over_in(part, survey) for part in self.cluster.parts)

    def _takes_over_in(self, part: Cluster, survey: Survey) -> bool:
        node, holders = survey.seen.get(self.name), survey.verdict.holders_of(part.group)
        if node is None or not part.vrrp.preempt or holders == (self.name,):
            return False
        priorities = [survey.seen[each].of(part).priority for each in holders if each != self.name]
        return all(each < node.of(part).priority for each in priorities)


def wording(name: str) -> Wording:
    """What a rebuild says when it does not come to its end: `up` would change other nodes, too."""
    again, look = ("rebuild", name), ("plan", "--limit", name)
    return replace(
        WORDING,
        halted_fix=typed(*again, after=" goes on"),
        interrupted_fix=typed(*look, after=" shows what is left to do"),
        again=typed(*again),
        look=typed(*look),
        forced="",
    )


def _whole(survey: Survey) -> Verdict:
    """The verdict on all nodes, not only on those that are to be changed."""
    return judge(survey.cluster, list(survey.seen.values()), survey.plans, survey.errors)


def _deaf(survey: Survey, name: str) -> Iterator[str]:
    """The nodes whose keepalived.conf lacks the node as a peer: they send it no adverts, and ignore its own."""
    address = str(survey.cluster.node(name).addresses[survey.cluster.vrrp.network])
    for other, seen in survey.seen.items():
        instance = keepalived_conf.read(_conf(seen))
        if other != name and instance and instance.peers and address not in instance.peers:
            yield other


def _adding_peers(wanted: Wanted, others: Mapping[str, Observation]) -> Wanted:
    """The same, but the `others` are changed, too: only the peers in their present keepalived.conf."""
    resources = {name: _with_peers(wanted.resources[name], _conf(seen)) for name, seen in others.items()}
    return Wanted({**wanted.resources, **resources}, wanted.scope | set(others), dict.fromkeys(others, NEW_PEER))


def _with_peers(resources: Iterable[Resource[Any]], conf: str) -> list[Resource[Any]]:
    """The same resources, except that keepalived.conf is `conf` with only its peers updated."""

    def updated(each: Resource[Any]) -> Resource[Any]:
        if not (isinstance(each, File) and each.path == KEEPALIVED_CONF):
            return each
        peers = iter(PEERS.findall(each.content))
        return replace(each, content=PEERS.sub(lambda there: next(peers, there.group()), conf))

    return [updated(each) for each in resources]


def _conf(seen: Observation) -> str:
    return str(seen.states[f"file {KEEPALIVED_CONF}"].content)


def _refused(message: str, fix: str) -> RemoteError:
    return RemoteError(message, state="nothing was changed", fix=fix)
