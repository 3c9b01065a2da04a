"""A systemd service: enabled, running, and running with its files as they are now.

Reload is a state, not an event: a service is stale while a file that it watches is newer than its last load, whoever
wrote the file. So a run that dies between writing and reloading is repaired by the next one. If the node's clock is set
back, a file may be from the future, and then no load is late enough: such a file gets the present time before a load.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lbdeploy.common.debian import DAEMONS, unit_file
from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.answers import count, seconds
from lbdeploy.node.resources.base import RELOAD_UNITS, Answer, Change, Given, Phase, Resource, Step
from lbdeploy.node.resources.stale_files import Gone

CLOCK_MARGIN = 1.0  # seconds by which a file may seem to be from the future: the kernel's time of a file is coarse
_ACTIONS = ("start", "reload", "restart")
# How a daemon that ran gets its old files back, also if it died meanwhile: systemctl(1) reloads only what is active.
_BACK = {"reload": "reload-or-restart", "restart": "restart"}


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The state of a unit, from `systemctl show`.

    `since` and `loaded`: when it became active, and last read its files (s, Unix). `newest`: when any of the watched
    files that exist was last changed; `now`: the node's clock, 0.0 where it was not asked. `replaced`: the program on
    the disk is not the one that runs. `lost`: what it set up as it started is not in force any more. `queued`: systemd
    has something to do with it, such as to start it, as the node boots.
    """

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    enabled: str = ""
    needs_daemon_reload: bool = False
    pid: int = 0
    restarts: int = 0
    since: float = 0.0
    loaded: float = 0.0
    newest: float = 0.0
    now: float = 0.0
    replaced: bool = False
    lost: bool = False
    queued: bool = False

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading")

    @property
    def starting(self) -> bool:
        """Whether it is being started, or will be at once, as after a crash (systemd.service(5), Restart=)."""
        return self.active == "activating"

    @property
    def about_to_run(self) -> bool:
        """Whether systemd starts it, or will once what it comes after has started."""
        return self.queued and not self.running

    @property
    def stale(self) -> bool:
        return self.running and self.newest > self.loaded

    @property
    def set_back(self) -> bool:
        """Whether the node's clock was set back since a watched file was last changed."""
        return bool(self.now) and self.newest > self.now + CLOCK_MARGIN


@dataclass(frozen=True, slots=True)
class Service(Resource[ServiceState]):
    """A unit that must be enabled and running. `watches` are the files that it reads when it starts or reloads.

    systemd's StateChangeTimestamp moves with every start and reload (measured on systemd 252 and 257), so it is the
    time of the last load. `in_force`: a command that succeeds while what the service set up is unchanged. `rereads`:
    how it is made to read its files again.
    """

    unit: str
    watches: tuple[str, ...] = ()
    unit_files: tuple[str, ...] = ()
    in_force: Raw | None = None
    rereads: Literal["reload", "restart"] = "reload"

    @property
    def id(self) -> str:
        return f"service {self.unit}"

    def probe(self) -> Raw:
        told = cmd("service", self.unit, *self.watches)  # in observe.sh
        return Raw(f"{told}\n{self.in_force} || echo InForce=no") if self.in_force else told

    def read(self, answer: Answer) -> ServiceState:
        pairs = [line.partition("=") for line in answer.output.splitlines()]
        values = {key: value for key, _, value in pairs}
        newest = [seconds(value) for key, _, value in pairs if key == "newest"]
        return _state(values, max(newest, default=0.0))

    def compare(self, state: ServiceState, changing: Collection[str]) -> list[Change]:
        if state.load == "masked" and state.enabled != "masked-runtime":
            return [self._change("unmask", "is masked"), self._change("start", "is masked")]
        # Masked at run time only: by Packages, in a run that ended before it started the service.
        disabled = state.enabled != "enabled"
        enable = [self._change("enable", f"is {state.enabled or 'not there'}")] if disabled else []
        return enable + self._run(state, changing)

    def _run(self, state: ServiceState, changing: Collection[str]) -> list[Change]:
        if not state.running:
            return [self._change("start", f"is {state.active}")]
        found = self._reread(state, changing)
        return found if any(change.action == "restart" for change in found) else found + self._renew(state)

    def _renew(self, state: ServiceState) -> list[Change]:
        return [self._change("restart", "runs a program that was replaced since")] if state.replaced else []

    def interrupts(self, change: Change) -> bool:
        # Clients notice nothing of the other services.
        return change.action == "restart" and self.unit in DAEMONS

    def _reread(self, state: ServiceState, changing: Collection[str]) -> list[Change]:
        newer = [path for path in self.watches if path in changing]
        if newer:
            return [self._change(self.rereads, "reads " + " and ".join(newer))]
        if state.stale and state.set_back:
            ahead = f"{state.newest - state.now:.0f} s"
            why = f"the node's clock was set back: a file that it reads is from {ahead} in the future"
            return [self._change(self.rereads, f"{why}, so it may not have been read")]
        if state.stale:
            return [self._change(self.rereads, "has not read its files since they changed")]
        if state.lost:
            return [self._change(self.rereads, "what it has set up was removed or changed")]
        if state.needs_daemon_reload or any(path in changing for path in self.unit_files):
            return [self._change("daemon-reload", "its unit file changed")]
        return []

    @property
    def ours(self) -> bool:
        """Whether its unit file is lbdeploy's own."""
        return unit_file(self.unit) in self.unit_files

    @property
    def units(self) -> tuple[str, ...]:
        return (f"{self.unit}.service",)

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(services=(self.unit,))

    def steps(self, state: ServiceState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        if state.running and not set(self.watches).isdisjoint(changing):
            yield Phase.GUARD, f"undo_last {here(f'systemctl {_BACK[self.rereads]} {cmd(self.unit)}')}"
        if any(change.action == "daemon-reload" for change in changes):
            yield RELOAD_UNITS
        phase = Phase.VRRP if self.unit == "keepalived" else Phase.BRING_UP
        yield phase, "\n".join(self._bring_up(state, changes))
        if any(change.action in ("enable", "unmask") for change in changes):
            yield Phase.ENABLE, "\n".join(self._enable())

    def as_observed(self, state: ServiceState) -> Resource[Any]:
        """The service as it was.

        A unit of lbdeploy's own that was not there is stopped while its unit file still exists.
        """
        if not self.ours or state.load != "not-found":
            return self
        return Gone(f"no unit of {self.unit}", self.unit_files, unit=self.unit)

    def former(self) -> list[Resource[Any]]:
        """The service before lbdeploy; none for a unit of lbdeploy's own, which goes with its unit file: see Gone."""
        from lbdeploy.node.resources.observed import Observed
        from lbdeploy.node.resources.original import OriginalService

        if self.ours:
            return []
        return [Observed(self), OriginalService(self.unit, reads=(*self.watches, *self.unit_files))]

    def _bring_up(self, state: ServiceState, changes: Sequence[Change]) -> list[str]:
        """Start, reload or restart, and check that it runs. Only a start is undone here; reloads are undone with files.

        Of haproxy, a new process must have taken over: the old one keeps running if a reload fails.
        """
        unit, haproxy = cmd(self.unit), self.unit == "haproxy"
        # Undone in reverse: keepalived, started last, is stopped first; and all before their unit files are removed.
        undo = [] if state.running else [f"undo {here(f'systemctl stop {unit}')}"]
        if state.enabled == "masked":  # only once it reads its old files: a masked unit can't be reloaded
            mask = here(f"systemctl mask --quiet {unit}")
            undo += [f"undo_last {mask}", f"lasting {mask}"]
        before = ["old=$(worker)"] if haproxy else []
        acts = any(change.action in _ACTIONS for change in changes)
        healthy = ['takes_over "$old"'] if haproxy and acts else []
        return [*undo, *before, self._act(state, changes), f"run systemctl is-active --quiet {unit}", *healthy]

    def _act(self, state: ServiceState, changes: Sequence[Change]) -> Raw:
        """The commands that start, reload or restart it. Enabling it can wait until all services run: see `_enable`."""
        unit = cmd(self.unit)
        unmask = [f"systemctl unmask --quiet {unit}; systemctl unmask --runtime --quiet {unit}"]
        actions = [change.action for change in changes if change.action in _ACTIONS]
        lines = unmask if state.load == "masked" else []
        # Something else may have started it since it was looked at: dpkg, or systemd after a crash.
        verbs = {"start": "reload-or-restart"}
        if self.watches and actions:
            lines.append(f"not_from_future {cmd(*self.watches)}")
        # One that has failed too often in a row is not started, whatever was wrong, until that is forgotten.
        lines += [f"systemctl reset-failed {unit} 2> /dev/null || :"] if "start" in actions else []
        for action in actions:
            lines += [f"step {action} {unit}", f"run systemctl {verbs.get(action, action)} {unit}"]
        return Raw("\n".join(lines))

    def _enable(self) -> list[Raw]:
        """The commands that enable it: half a second, since systemctl handles SysV scripts."""
        undo = cmd("undo_lasting", here(cmd("systemctl", "disable", "--quiet", self.unit)))
        return [undo, cmd("run", "systemctl", "enable", "--quiet", self.unit)]

    def _change(self, action: str, reason: str) -> Change:
        return Change("service", self.unit, action, reason)


def _state(values: Mapping[str, str], newest: float) -> ServiceState:
    return ServiceState(
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        sub=values.get("SubState", "dead"),
        enabled=values.get("UnitFileState", ""),
        needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
        pid=count(values.get("MainPID") or "0"),
        restarts=count(values.get("NRestarts") or "0"),
        since=_time(values.get("ActiveEnterTimestamp", "")),
        loaded=_time(values.get("StateChangeTimestamp", "")),
        newest=newest,
        now=seconds(values.get("now", "0")),
        replaced=values.get("Program", "").endswith(" (deleted)"),
        lost=values.get("InForce") == "no",
        queued=values.get("Job", "0") not in ("", "0"),
    )


def _time(text: str) -> float:
    """Unix time of "Mon 2026-11-23 05:16:01.123456 UTC"; 0.0 for an empty text, as for a unit that never ran.

    A time in whole seconds, all that systemd 247 (Debian 11) gives, counts as the end of its second: a reload in the
    same second in which a file was written must not seem to precede the writing.
    """
    if not text:
        return 0.0
    _, day, clock, _ = text.split()
    return datetime.fromisoformat(f"{day}T{clock}+00:00").timestamp() + (0.0 if "." in clock else 0.999999)
