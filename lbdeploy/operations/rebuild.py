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

from lbdeploy.errors import RemoteError
from lbdeploy.events import Done, Note, Step
from lbdeploy.health.placement import unable
from lbdeploy.health.verdict import Verdict, judge
from lbdeploy.node import keepalived_conf
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources import File
from lbdeploy.node.resources.base import Resource
from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.plan import Plan
from lbdeploy.rollout.observer import POLL_SECONDS, settle_seconds
from lbdeploy.rollout.run import Outcome, Run, lasting
from lbdeploy.rollout.survey import Survey

TOLD = ((KEEPALIVED_CONF, "update"), ("keepalived", "reload"))  # what changes on a node that is told of a new peer
WATCH = "lbdeploy verify --wait 60"
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
        return next((each.detail for each in found if each.check == "holder" and each.node is None), "")

    def to_json(self) -> dict[str, object]:
        """What the JSON document has in addition to that of `up`."""
        return {"role": self.role, "returns": self.returns, "why": self.why}


class Rebuild(Run):
    """A run whose options limit it to the node that is to become a member again."""

    @property
    def name(self) -> str:
        return self.options.limit[0]

    def rebuild(self, *, wait: bool) -> Rebuilt:
        """Bring the node in as a standby; with `wait`, wait until it holds the VIPs, if it is going to take them.

        Raises the node's error where it can't be reached, RemoteError where no healthy node holds the VIPs, and what
        `up` raises. The verdict covers all nodes.
        """
        self.again = f"lbdeploy rebuild {self.name} goes on"
        self._wanted = self._observer.wanted
        outcome = self.up()
        survey = self._followed() if wait else self._last
        errors = {name: each for name, each in survey.errors.items() if name == self.name}
        for error in errors.values():
            error.state = "the run had ended; how it is now is not known"
        returns = self._takes_over(survey)
        if wait and returns:
            errors[self.name] = self._late(survey)
        return Rebuilt(outcome.plan, survey.verdict, outcome.done, errors, name=self.name, returns=returns)

    def _settle(self, plan: Plan, before: Survey, done: tuple[str, ...]) -> Outcome:
        """Observe all nodes in the end, without waiting for one that could not be reached before."""
        everybody = [node.name for node in self.cluster.nodes]
        self._wanted = {name: lasting(each) for name, each in self._wanted.items()}
        self._change(everybody)
        self._last = self._observer.until_settled([self.name], {*everybody} - {*before.seen})
        return Outcome(plan, self._last.verdict, done, self._last.errors)

    def _begin(self) -> Survey:
        """The nodes as they are. Raises where the node can't be brought in safely."""
        self._change([self.name])
        survey = super()._begin()
        self._require_holder(survey)
        deaf = list(_deaf(survey, self.name))
        if not deaf:
            return survey
        self._emit(Note(None, f"{' and '.join(deaf)} must also be told of it, or would not hear it"))
        self._change([self.name], told={name: survey.seen[name] for name in deaf})
        # One of them may be the last healthy node; but to add a peer, keepalived is only reloaded.
        self.options = replace(self.options, force_last=True)
        return super()._begin()

    def _change(self, names: Sequence[str], told: Mapping[str, Observation] | None = None) -> None:
        """Make these nodes the ones to change; on those in `told`, only the peers in their present keepalived.conf."""
        told = told or {}
        self.scope = [*names, *told]
        self._observer.scope = frozenset(self.scope)
        self._observer.partly = dict.fromkeys(told, TOLD)
        self._observer.wanted = {
            **self._wanted, **{name: _with_peers(self._wanted[name], _conf(seen)) for name, seen in told.items()}
        }  # fmt: skip

    def _refuse(self, survey: Survey) -> None:
        """Raise where the node can't be reached, besides what `up` refuses; other nodes may be down."""
        for error in survey.errors.values():
            raise error
        super()._refuse(survey)

    def _require_holder(self, survey: Survey) -> None:
        """Raise unless one healthy node holds all VIPs. It may be this one, where there is nothing to rebuild."""
        verdict = _whole(survey)
        holders = verdict.holders
        if len(holders) != 1 or not all(placement.holders for placement in verdict.vips):
            for name, error in survey.unseen.items() if len(holders) < 2 else ():
                error.state = f"nothing was changed; whether {name} holds the VIPs is not known"
                raise error
            where = f"they are on {' and '.join(holders)}" if holders else "they are on no node that can be looked at"
            fix = "lbdeploy verify; where no node holds them any more: lbdeploy up"
            raise _refused(f"no other node holds the VIPs alone: {where}", fix)
        ill = [each.detail for each in verdict.findings if each.failed and each.node == holders[0]]
        if ill and holders[0] != self.name:
            raise _refused(f"{holders[0]} holds the VIPs, and is not well itself: {'; '.join(ill)}", "lbdeploy verify")

    @property
    def _patience(self) -> float:
        """Seconds within which the node takes the VIPs, once it is able to hold them."""
        return self.cluster.vrrp.preempt_delay + settle_seconds(self.cluster)

    def _followed(self) -> Survey:
        """The cluster once the node holds the VIPs; or as it is, if it is not to take them, or not in time."""
        deadline = time.monotonic() + self._patience
        survey = self._last
        with self._interrupt:
            while self._takes_over(survey) and time.monotonic() < deadline:
                delay = f"{self.cluster.vrrp.preempt_delay:g} s"
                self._interrupt.check(f"{self.name} takes the VIPs by itself, after preempt_delay ({delay})", WATCH)
                self._emit(Step(self.name, f"take the VIPs, after preempt_delay ({delay})"))
                time.sleep(POLL_SECONDS)
                survey = self._observer.look()
        if survey.verdict.holders == (self.name,):
            self._emit(Done(self.name, "holds the VIPs"))
        return survey

    def _late(self, survey: Survey) -> RemoteError:
        now = " and ".join(survey.verdict.holders) or "no node"
        why = unable(survey.seen[self.name])
        return RemoteError(
            f"it has not taken the VIPs within {self._patience:.0f} s" + (f": {why}" if why else ""),
            node=self.name,
            state=f"it is as hosts.toml says, and {now} holds the VIPs",
            fix=f"journalctl -u keepalived -n 20 on {self.name}; then: lbdeploy verify",
        )

    def _takes_over(self, survey: Survey) -> bool:
        """Whether the node is about to take the VIPs, or is taking them right now."""
        node, holders = survey.seen.get(self.name), survey.verdict.holders
        if node is None or not self.cluster.vrrp.preempt or holders == (self.name,):
            return False
        return all(survey.seen[each].priority < node.priority for each in holders if each != self.name)


def _whole(survey: Survey) -> Verdict:
    """All nodes judged, not only those that are to be changed."""
    return judge(survey.cluster, list(survey.seen.values()), survey.plans, survey.errors)


def _deaf(survey: Survey, name: str) -> Iterator[str]:
    """The nodes that send the node no adverts, and would ignore its own."""
    address = str(survey.cluster.node(name).addresses[survey.cluster.vrrp.network])
    for other, seen in survey.seen.items():
        instance = keepalived_conf.read(_conf(seen))
        if other != name and instance and instance.peers and address not in instance.peers:
            yield other


def _with_peers(resources: Iterable[Resource[Any]], conf: str) -> list[Resource[Any]]:
    """The same resources, except that keepalived.conf is `conf` with only its peers updated."""

    def told(each: Resource[Any]) -> Resource[Any]:
        if not (isinstance(each, File) and each.path == KEEPALIVED_CONF):
            return each
        peers = iter(PEERS.findall(each.content))
        return replace(each, content=PEERS.sub(lambda there: next(peers, there.group()), conf))

    return [told(each) for each in resources]


def _conf(seen: Observation) -> str:
    return str(seen.states[f"file {KEEPALIVED_CONF}"].content)


def _refused(message: str, fix: str) -> RemoteError:
    return RemoteError(message, state="nothing was changed", fix=fix)
