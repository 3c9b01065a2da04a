"""Moving the VIPs in a planned way, and keeping them there.

The node that is to take the VIPs gets the highest priority (see `priority_offsets`), and preempts as usual, after
preempt_delay. The old holder lets go of them as it hears the advert that is sent just before the new one adds them
(vrrp_state_master_tx, keepalived 2.2.7): a SYN that comes in between is lost, and TCP sends another one after 1 s. The
offsets outlive reloads and restarts of keepalived; a reboot of a node clears its own. See
docs/decisions/033-handover-holds.md.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Address, Cluster, Node
from lbdeploy.errors import InterruptedRunError, LbdeployError, LostError, RemoteError
from lbdeploy.events import Done, Emit, Step
from lbdeploy.node.observation import PRELUDE, Observation
from lbdeploy.node.parsers import parse_ip_a
from lbdeploy.node.vrrp_priority import FAULT, HANDOVER, skew
from lbdeploy.operations.handover import candidates
from lbdeploy.operations.handover.priority_offsets import Offsets, held, raised
from lbdeploy.operations.handover.result import HandoverResult
from lbdeploy.operations.outage.client import AGAIN, LATE, WATCHES, Prober
from lbdeploy.operations.outage.gaps import by_vip, cut
from lbdeploy.operations.outage.views import HERE, views
from lbdeploy.planning.desired import desired
from lbdeploy.rollout.interrupt import Interrupt
from lbdeploy.rollout.lock import locking, refuse_outrun, unless_outrun
from lbdeploy.rollout.observer import Observer, Wanted, settle_seconds
from lbdeploy.rollout.survey import Survey
from lbdeploy.ssh.limits import LOOK
from lbdeploy.ssh.pool import SessionPool

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import CommandResult, Session

BASELINE = 1.0  # seconds of probing before the move, and after it
POLL_SECONDS = 0.25


class Handover:
    """A handover on the nodes of `pool`. `about` says who asks for it, to runs that find the cluster locked.

    `group`: whose VIPs move, where there are groups; those of the others stay, and are probed meanwhile, too.
    """

    def __init__(
        self, cluster: Cluster, pool: SessionPool, emit: Emit, about: str, lock_wait: float = 0.0, *, group: str = ""
    ) -> None:
        self.cluster = cluster
        self.part = cluster.part(group)
        self._pool = pool
        self._emit = emit
        self._about = about
        self._lock_wait = lock_wait
        resources = {node.name: desired(cluster, node) for node in cluster.nodes}
        self._wanted = Wanted(resources, frozenset(resources))
        self._observer = Observer(cluster, pool, emit)
        self._interrupt = Interrupt(emit, "taking the handover back, unless the VIPs have moved")
        self._priorities = {node.name: node.priority for node in self.part.nodes}
        self._limit = self.part.vrrp.preempt_delay + settle_seconds(cluster)  # seconds that a move may take

    def run(self, to: str | None = None, *, back: bool = False) -> HandoverResult:
        """Move the VIPs to a node; without `to`, to the standby that VRRP prefers; `back`: to where VRRP wants them.

        Raises LbdeployError where it refuses to begin, or where the VIPs don't move; they are then where they were.
        """
        survey = self._observer.survey(self._wanted)
        part = self.part
        if back and part.group and any(each.priority_offset for each in survey.seen.values()):
            survey = self._without_offsets_of_nodes(survey)
        if not survey.undecided:
            self._ends(survey, to, back=back)  # what is refused anyway keeps nobody waiting
        nodes = [node for node in self.cluster.nodes if node.name in survey.seen]
        with locking(self._pool, nodes, self._about, self._lock_wait, self._emit) as lock:
            survey = self._observer.look(self._wanted)  # whoever had the lock before may have moved the VIPs
            if any(survey.begun.get(name, run) != run for name, run in lock.runs.items()):
                raise candidates.unmoved("another run has just changed the nodes", fix="try again")
            giver, taker = self._ends(survey, to, back=back)
            return self._carry_out(survey, giver, taker, back=back)

    def _ends(self, survey: Survey, to: str | None, *, back: bool) -> tuple[str, str]:
        """Who holds the VIPs, and who is to have them. Raises LbdeployError where they should not move."""
        part = self.part
        candidates.require_rules(part, survey)
        self._priorities |= {name: self._without_offset(each) for name, each in survey.seen.items()}
        giver = candidates.holder(part, survey)
        taker = to or candidates.chosen(part, survey, giver, self._priorities, back=back)
        candidates.refuse(part, survey, giver, taker)
        return giver, taker

    def _without_offsets_of_nodes(self, survey: Survey) -> Survey:
        """The cluster without what was left in the file that all groups go by: by a run that died, for example.

        A run that is at work uses that file, too; so the lock comes first.
        """
        nodes = [node for node in self.cluster.nodes if node.name in survey.seen]
        with locking(self._pool, nodes, self._about, self._lock_wait, self._emit):
            self._run(dict.fromkeys(survey.seen, f"echo 0 > {HANDOVER}"))
        return self._observer.survey(self._wanted)

    def _without_offset(self, seen: Observation) -> int:
        """A node's priority in this part of the cluster, but for what this handover's file adds to it."""
        node = seen.of(self.part)
        of_all_groups = seen.priority_offset if self.part.group else 0
        return node.node.priority + node.tracked + of_all_groups

    def _carry_out(self, survey: Survey, giver: str, taker: str, *, back: bool) -> HandoverResult:
        """Move the VIPs, check that they stay there, and measure meanwhile."""
        group = self.part.group
        offsets = {
            name: seen.groups[group].priority_offset if group else seen.priority_offset
            for name, seen in survey.seen.items()
        }
        last = self._last(taker, back=back)
        last = {name: last[name] for name in offsets}
        prober = Prober(self.cluster.targets, WATCHES, AGAIN)
        began = moved_at = time.time() + BASELINE
        if giver != taker:
            with prober, self._interrupt:
                again = self.part.handover("--back" if back else f"--to {taker}")
                moved_at = self._move(offsets, giver, taker, again)
                survey = self._kept(last, taker)
        elif offsets != last:
            survey = self._kept(last, taker)
        lost = {each for results in by_vip(prober.results).values() for each in cut(results)}
        return HandoverResult(
            views=views(
                HERE, [each for each in prober.results if each not in lost], [vip for vip, _ in self.cluster.targets]
            ),
            streams=tuple(prober.streams),
            **prober.watched(began),
            cut=sum(each.failure != LATE for each in lost),
            late=sum(each.failure == LATE for each in lost),
            giver=giver,
            taker=taker,
            began=began,
            moved_at=moved_at,
            group=group,
            expected=0.0 if self.part.vrrp.preempt or giver == taker else self._gap(taker),
            offsets=last,
            verdict=survey.verdict,
        )

    def _last(self, taker: str, *, back: bool) -> dict[str, int]:
        """The offsets that remain: high enough even if nothing that is tracked raises the taker's priority any more."""
        if back or not self.part.vrrp.preempt:
            return dict.fromkeys(self._priorities, 0)
        least = {node.name: node.priority for node in self.part.nodes}
        worst = {name: max(each, least[name]) for name, each in self._priorities.items()}
        return held(taker, worst | {taker: min(self._priorities[taker], least[taker])})

    def _move(self, offsets: Offsets, giver: str, taker: str, again: str) -> float:
        """Move the VIPs until the taker alone holds them. On failure, or after one Ctrl-C, the offsets are restored.

        `again`: the command to try again with. Returns when they moved, at the earliest (s, Unix).
        """
        self._emit(Step(taker, "probe the VIPs"))
        time.sleep(BASELINE)
        try:
            try:
                self._prefer(taker, offsets)
                return self._await(giver, taker, again)
            except LbdeployError as error:
                raise error.but(state=self._taken_back(offsets, giver)) from None
        except KeyboardInterrupt:
            state = f"{taker} may take the VIPs by itself, within {self._limit:.0f} s"
            fix = typed("verify", after=f"; to undo it: {self.part.handover('--back')}")
            raise InterruptedRunError("interrupted", state=state, fix=fix) from None

    def _taken_back(self, offsets: Offsets, giver: str) -> str:
        """Restore the offsets, then look: how things are, as far as that is known."""
        written = self._each(self._writing(offsets))
        failed = {name: each.message for name, each in written.items() if isinstance(each, LbdeployError)}
        changed = [f"{name}'s priority may still be another one than before ({why})" for name, why in failed.items()]
        restored = [f"{name}'s priority is as before" for name in offsets if name not in failed]
        told = [*changed, *restored] if changed else ["the priorities are as before"]
        return "; ".join([self._whose(giver, list(offsets)), *told])

    def _whose(self, giver: str, names: Sequence[str]) -> str:
        """Which of the named nodes have VIPs, and which do not say."""
        there = self._there()
        holders = [name for name, vips in there.items() if vips]
        silent = " and ".join(name for name in names if name not in there)
        unknown = f"whether {silent} has VIPs is not known: no answer" if silent else ""
        if holders == [giver] and not silent:
            return f"{giver} holds the VIPs, as before"
        known = f"{' and '.join(holders)} {'has' if len(holders) == 1 else 'have'} VIPs" if holders else ""
        return "; ".join(each for each in (known, unknown) if each) or "no node has VIPs"

    def _prefer(self, taker: str, offsets: Offsets) -> None:
        """Have VRRP prefer a node to all others."""
        if self.part.vrrp.preempt:
            new = raised(taker, self._priorities, dict.fromkeys(self._priorities, 0) | dict(offsets))
            self._write({name: each for name, each in new.items() if name in offsets})
        else:
            self._step_aside([name for name in offsets if name != taker], taker)

    def _await(self, giver: str, taker: str, again: str) -> float:
        """Wait until the taker alone has the VIPs. Returns when, at the earliest (s, Unix)."""
        vrrp = self.part.vrrp
        delay = f" (preempt_delay is {vrrp.preempt_delay:g} s)" if vrrp.preempt else ""
        self._emit(Step(taker, f"take {self.part.its_vips} from {giver}{delay}"))
        deadline = time.monotonic() + self._limit
        before = looked = time.time()
        while lacking := self._lacking(giver, taker):
            before = looked
            self._interrupt.check("", f"to move them after all: {again}")
            if time.monotonic() >= deadline:
                fix = typed("verify", before=f"journalctl -u keepalived -n 20 on {taker}; then: ")
                what, state = f"{lacking} within {self._limit:.0f} s", "they may still move"
                raise RemoteError(what, node=taker, state=state, fix=fix)
            time.sleep(POLL_SECONDS)
            looked = time.time()
        self._emit(Done(taker, "has the VIPs"))
        return before

    def _lacking(self, giver: str, taker: str) -> str:
        """What is still to be seen of the nodes; "" once the taker holds every VIP, and no other node any.

        A giver that does not answer may still have VIPs; of other standby nodes that is no reason to go back.
        """
        there = self._there()
        if there.get(taker) != {vip.ip for vip in self.part.vips}:
            return "it did not take the VIPs" if taker in there else "it did not say whether it has the VIPs"
        if holding := [name for name, vips in there.items() if vips and name != taker]:
            return f"{' and '.join(holding)} did not let go of the VIPs"
        return "" if giver in there else f"{giver} did not say whether it has let go of the VIPs"

    def _there(self) -> dict[str, set[Address]]:
        """The VIPs that each node has; without nodes that do not answer."""
        vips = {vip.ip for vip in self.part.vips}
        found = self._each({node.name: "ip a" for node in self._pool.nodes})
        return {
            name: vips & {address.ip for link in parse_ip_a(each) for address in link.addresses}
            for name, each in found.items()
            if isinstance(each, str)
        }

    def _kept(self, last: Offsets, taker: str) -> Survey:
        """The cluster, once the offsets that remain are written, and the new holder is stable."""
        try:
            self._write(last)
        except LbdeployError as error:
            state = f"{taker} has the VIPs; the priorities with which it keeps them are not all known to be written"
            raise error.but(state=state, fix=typed("verify")) from None
        return self._settled(taker)

    def _settled(self, taker: str) -> Survey:
        """The cluster, once the new holder is stable. Raises RemoteError where it is not."""
        self._emit(Step(taker, "stay stable"))
        time.sleep(max(BASELINE, 2 * self.cluster.vrrp.advert_interval))
        after = self._observer.until_settled(self._wanted, [taker])
        holders = after.verdict.holders_of(self.part.group)
        if holders != (taker,):
            now = " and ".join(holders) or "no node"
            raise RemoteError("it did not keep the VIPs", node=taker, state=f"{now} holds them", fix=typed("verify"))
        self._emit(Done(taker, "holds the VIPs"))
        return after

    def _write(self, offsets: Offsets) -> None:
        """Write the offsets to the nodes. Raises the first node's error."""
        self._run(self._writing(offsets))

    def _writing(self, offsets: Offsets) -> dict[str, str]:
        """The script for each node that writes its offset; none where another run has had the lock since.

        A laptop may sleep for longer than its lock lasts, and the other run goes by what it has written there itself.
        """
        file, ours = candidates.handover_file(self.part), unless_outrun(self._about)
        return {name: f"{ours}printf '%s\\n' {each} > {file}" for name, each in offsets.items()}

    def _step_aside(self, names: Sequence[str], taker: str) -> None:
        """Without preempt, priorities move nothing: the nodes leave the election, and come back as standby nodes.

        Each comes back by itself, even if this process dies.
        """
        seconds = self._gap(taker) + 2 * self.cluster.vrrp.advert_interval
        file = candidates.handover_file(self.part)
        script = f"trap 'echo 0 > {file}' EXIT\ntrap '' HUP PIPE\necho {FAULT} > {file}\nsleep {seconds:.2f}"
        self._run(dict.fromkeys(names, unless_outrun(self._about) + script), takes=seconds)

    def _gap(self, taker: str) -> float:
        """Seconds until a node takes VIPs that no node holds: its Skew_Time."""
        return skew(self.part.vrrp, self.part.node(taker), self._priorities[taker])

    def _run(self, scripts: Mapping[str, str], takes: float = 0.0) -> None:
        """Run each node's script. Raises the first node's error."""
        for each in self._each(scripts, takes).values():
            if isinstance(each, LbdeployError):
                raise each

    def _each(self, scripts: Mapping[str, str], takes: float = 0.0) -> dict[str, str | LbdeployError]:
        """What each node's script printed, or its error; `takes`: seconds that a script takes by itself.

        Where the connection is lost, it is run once more, over a new one.
        """

        def run(node: Node, session: Session) -> str:
            script, limits = f"{PRELUDE}{scripts[node.name]}\n", LOOK.longer(takes)
            try:
                result = session.run(script, limits=limits)
            except LostError:
                result = self._pool.reopen(node).run(script, limits=limits)
            return _printed(node, result)

        return self._pool.each([node for node in self._pool.nodes if node.name in scripts], run)


def _printed(node: Node, result: CommandResult) -> str:
    """What a script printed. Raises LockedError and RemoteError where it did not do what it should."""
    refuse_outrun(node.name, result.output)
    if result.status:
        said = result.output.strip().splitlines()[-1:] or [f"exit status {result.status}"]
        state = "its priority may have been changed"
        raise RemoteError(said[0], node=node.name, state=state, fix=typed("verify"), detail=result.output)
    return result.output
