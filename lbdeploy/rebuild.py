"""A host that was installed anew becomes a member again, while another node holds the VIPs.

It is a run that changes one node, and others only where they would not hear it otherwise. See
docs/decisions/046-rebuild.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from lbdeploy import vrrp
from lbdeploy.desired import KEEPALIVED_CONF
from lbdeploy.errors import RemoteError
from lbdeploy.events import Done, Note, Step
from lbdeploy.observer import POLL_SECONDS, settle_seconds
from lbdeploy.plan import Plan
from lbdeploy.probe import Observation
from lbdeploy.rollout import Outcome, Run
from lbdeploy.survey import Survey
from lbdeploy.verdict import Verdict, judge

TOLD = (KEEPALIVED_CONF, "keepalived")  # what changes on a node that is told of a new peer


class Rebuild(Run):
    """A run whose options limit it to the node that is to become a member again."""

    @property
    def name(self) -> str:
        return self.options.limit[0]

    def rebuild(self, *, wait: bool) -> Outcome:
        """Bring the node in as a standby; `wait` until it has the VIPs, if it is going to take them.

        Raises RemoteError where no other node is well and holds the VIPs, and what `up` raises. Everything is judged
        in the end, the other nodes included.
        """
        outcome = self.up()
        if not wait:
            return outcome
        survey = self._followed()
        return replace(outcome, verdict=survey.verdict, errors=survey.errors)

    def _settle(self, plan: Plan, before: Survey, done: tuple[str, ...]) -> Outcome:
        """The last look is at all nodes: one that could not be reached before is not waited for."""
        everybody = frozenset(node.name for node in self.cluster.nodes)
        self._observer.scope = everybody
        survey = self._observer.until_settled(self.scope, everybody - {*before.seen})
        return Outcome(plan, survey.verdict, done, survey.errors)

    def _begin(self) -> Survey:
        """The nodes as they are. Raises where the node can't be brought in safely."""
        survey = super()._begin()
        self._require_holder(survey)
        deaf = [name for name in _deaf(survey, self.name) if name not in self.scope]
        if not deaf:
            return survey
        self._emit(Note(None, f"{' and '.join(deaf)} must be told of it, too, or would not hear it"))
        self.scope += deaf
        self._observer.scope = frozenset(self.scope)
        survey = super()._begin()
        # It may be the only node that is left; but to be told of a peer, keepalived reads its file again, no more.
        told = all(change.name in TOLD for name in deaf for change in survey.plans[name].changes)
        self.options = replace(self.options, force_last=told)
        return survey

    def _require_holder(self, survey: Survey) -> None:
        """Raise unless one node has the VIPs, and is well. It may be this one, where there is nothing to rebuild."""
        verdict = _whole(survey)
        holders = verdict.holders
        if len(holders) != 1 or not all(placement.holders for placement in verdict.vips):
            where = f"they are on {' and '.join(holders)}" if holders else "they are on no node that can be looked at"
            fix = "lbdeploy verify; where no node holds them any more: lbdeploy up"
            raise _refused(f"no other node holds the VIPs alone: {where}", fix)
        ill = [each.detail for each in verdict.findings if each.failed and each.node == holders[0]]
        if ill and holders[0] != self.name:
            raise _refused(f"{holders[0]} holds the VIPs, and is not well itself: {'; '.join(ill)}", "lbdeploy verify")

    def _followed(self) -> Survey:
        """The cluster once the node has the VIPs, or as it is, if nothing is going to give them to it."""
        deadline = time.monotonic() + self.cluster.vrrp.preempt_delay + settle_seconds(self.cluster)
        survey = self._observer.survey()
        while self._takes_over(survey) and time.monotonic() < deadline:
            self._emit(Step(self.name, f"take the VIPs, after preempt_delay ({self.cluster.vrrp.preempt_delay:g} s)"))
            time.sleep(POLL_SECONDS)
            survey = self._observer.look()
        if survey.verdict.holders == (self.name,):
            self._emit(Done(self.name, "holds the VIPs"))
        return survey

    def _takes_over(self, survey: Survey) -> bool:
        """Whether the VIPs are about to be, or just being, taken by the node."""
        node, holders = survey.seen.get(self.name), survey.verdict.holders
        if node is None or not self.cluster.vrrp.preempt or holders == (self.name,):
            return False
        return all(survey.seen[each].priority < node.priority for each in holders if each != self.name)


def _whole(survey: Survey) -> Verdict:
    """All nodes judged, not only those that are to be changed."""
    return judge(survey.cluster, list(survey.seen.values()), survey.plans, survey.errors)


def _deaf(survey: Survey, name: str) -> Iterator[str]:
    """The nodes that send the node no adverts, and would take its own for a stranger's."""
    address = str(survey.cluster.node(name).addresses[survey.cluster.vrrp.network])
    for other, seen in survey.seen.items():
        instance = vrrp.read(_conf(seen))
        if other != name and instance and instance.peers and address not in instance.peers:
            yield other


def _conf(seen: Observation) -> str:
    return str(seen.states[f"file {KEEPALIVED_CONF}"].content)


def _refused(message: str, fix: str) -> RemoteError:
    return RemoteError(message, state="nothing was changed", fix=fix)
