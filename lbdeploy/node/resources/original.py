"""What was on a node before lbdeploy, so that `lbdeploy down` can restore it.

The record is kept on the node itself: see remote/original.sh. A node without lbdeploy, or from which it was removed,
has no record, and nothing to change. A node first set up by an earlier version may have a record of its old files only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from lbdeploy.common.debian import at_boot
from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.answers import base64_text
from lbdeploy.node.paths import GENERATIONS, HOSTS, ORIGINAL, PACKAGED, STAGED, UNDO, proc_path
from lbdeploy.node.resources.base import RELOAD_UNITS, Answer, Change, Former, Given, Phase, Step
from lbdeploy.node.resources.text_diff import difference

NONE, KNOWN, UNKNOWN = "none", "known", "unknown"

# `was` is the folder with the old files; `record`: whether lbdeploy has replaced anything here, and has a record of it.
_RECORD = f"""\
record={NONE} was={ORIGINAL}
if [ -e {HOSTS} ] || [ -d {UNDO} ] || [ "$(ls {GENERATIONS})" ]; then
    if [ -d "$was" ]; then record={KNOWN}
    elif [ -e {HOSTS} ]; then
        record={UNKNOWN}
        for each in {GENERATIONS}/*; do
            if [ -d "$each/files" ] && [ ! -e "$each/hosts.toml" ]; then record={KNOWN} was=$each; fi
        done
    fi
fi
# What is not among what was looked at then has not been touched since.
knows() {{ [ ! -e "$was/known" ] || grep -qxF "$1" "$was/known" || record={NONE}; }}"""

_LOOK = """\
look() {
    if [ -L "$1" ]; then printf 'link - %s\\n' "$(readlink "$1" | base64 -w 0)"
    elif [ -f "$1" ]; then printf 'file %s %s\\n' "$(stat -c %a,%U:%G "$1")" "$(base64 -w 0 "$1")"
    elif [ -e "$1" ]; then echo other - -
    else echo missing - -
    fi
}"""


@dataclass(frozen=True, slots=True)
class Content:
    """`kind` is file, link, other (a folder) or missing; `attributes`: mode and owner; a link's content: its target."""

    kind: str = "missing"
    attributes: str = ""
    content: str = ""

    @property
    def there(self) -> bool:
        return self.kind != "missing"


@dataclass(frozen=True, slots=True)
class OriginalFileState:
    """What is at the path `now`, and what `was` there before, with a copy at `source`; `record` as in _RECORD."""

    record: str
    now: Content
    source: str
    was: Content


@dataclass(frozen=True, slots=True)
class OriginalFile(Former[OriginalFileState]):
    """What was at a path before lbdeploy came: a file, a link, or nothing. Where that is not known: nothing."""

    path: str

    @property
    def id(self) -> str:
        return f"original {self.path}"

    @property
    def staged(self) -> str:
        """Where the old content waits until it takes its place again."""
        return self.path + STAGED

    def probe(self) -> Raw:
        path = cmd(self.path)
        source = f"source=$was/files{path}\n[ -e $source ] || [ -L $source ] || source={PACKAGED}{path}"
        knows = cmd("knows", f"file {self.path}")
        return Raw(f'{_RECORD}\n{knows}\necho $record\n{_LOOK}\nlook {path}\n{source}\necho "$source"\nlook "$source"')

    def read(self, answer: Answer) -> OriginalFileState:
        record, now, source, was = (*answer.output.splitlines(), *[""] * 4)[:4]
        return OriginalFileState(record or NONE, _content(now), source, _content(was))

    def compare(self, state: OriginalFileState, changing: Collection[str]) -> list[Change]:
        if state.record == NONE or state.now == state.was:
            return []
        diff = difference(self.path, state.now.content, state.was.content)
        if state.was.there:
            return [Change("file", self.path, "restore", "to what was there before lbdeploy", diff)]
        why = "was not there before lbdeploy" if state.record == KNOWN else "what was there before is not known"
        return [Change("file", self.path, "remove", why, diff)]

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(managed=(self.path,), staged=(self.staged,) if changes else ())

    def steps(self, state: OriginalFileState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        yield Phase.STAGE, self._stage(state)
        yield RELOAD_UNITS
        # What takes effect at the next boot is LAST: a boot before the confirmation must not change the node.
        yield (
            Phase.LAST if at_boot(self.path) else Phase.SWAP,
            f"{'swap' if state.was.there else 'drop'} {cmd(self.path)}",
        )

    def _stage(self, state: OriginalFileState) -> Raw:
        """The step that puts the old content beside the path, if there is any."""
        if not state.was.there:
            return Raw("")
        folder = self.path.rpartition("/")[0]
        copy = cmd("cp", "-a", "--", state.source, self.staged, Raw("2>/dev/null || unwritable"), self.path)
        return Raw("\n".join((cmd("mkdir", "-p", folder), cmd("rm", "-rf", "--", self.staged), copy)))


@dataclass(frozen=True, slots=True)
class OriginalSysctl(Former[tuple[str, str]]):
    """A kernel setting as it was before lbdeploy; `conf` is lbdeploy's own file that sets it at boot.

    The state is (value now, value before), or the current value twice on a node without lbdeploy.
    """

    name: str
    conf: str

    @property
    def id(self) -> str:
        return f"original {self.name}"

    def probe(self) -> Raw:
        pattern = cmd(f"^{self.name.replace('.', '[.]')} ")
        known = f'sed -n "s/"{pattern}"//p" "$was/sysctls"'
        # If it was not recorded: it was the kernel's default if our file sets it, and it is not ours otherwise.
        unknown = f"! grep -qs {pattern} {self.conf} || echo 0"
        was = f'if [ -e "$was/known" ]; then {known}; else {unknown}; fi'
        return Raw(f"{_RECORD}\necho $record\ncat {cmd(proc_path(self.name))} || echo\n{was}")

    def read(self, answer: Answer) -> tuple[str, str]:
        record, now, was = (*(line.strip() for line in answer.output.splitlines()), "", "", "")[:3]
        return (now, now) if record in (NONE, "") else (now, was or now)

    def compare(self, state: tuple[str, str], changing: Collection[str]) -> list[Change]:
        now, was = state
        return [Change("sysctl", self.name, "set", f"is {now}, was {was} before lbdeploy")] if now != was else []

    def steps(self, state: tuple[str, str], changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        now, was = (cmd("sysctl", "-q", "-w", f"{self.name}={value}") for value in state)
        yield Phase.LAST, f"step set {cmd(self.name)}\nundo {here(now)}\nrun {was}"


@dataclass(frozen=True, slots=True)
class Unit:
    """What systemd says of a service."""

    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading", "activating")

    @property
    def masked(self) -> bool:
        return self.load == "masked"


@dataclass(frozen=True, slots=True)
class OriginalService(Former[tuple[Unit, Unit]]):
    """A service as it was before lbdeploy: running or not, enabled or not. `reads`: files whose change needs a restart.

    The state is (unit now, unit before). A unit that was not there before, or is not on record, counts as not running.
    `rests`: it is to be stopped and disabled, whatever it was: others serve what it did.
    """

    unit: str
    reads: tuple[str, ...] = ()
    rests: bool = False

    @property
    def id(self) -> str:
        return f"original {self.unit}"

    def probe(self) -> Raw:
        show = cmd("systemctl", "show", "-p", "LoadState,ActiveState,UnitFileState", f"{self.unit}.service")
        knows = cmd("knows", f"service {self.unit}")
        return Raw(f'{_RECORD}\n{knows}\necho $record\n{show}\necho was\ncat "$was"/{self.unit}.service')

    def read(self, answer: Answer) -> tuple[Unit, Unit]:
        record, _, rest = answer.output.partition("\n")
        now, _, was = rest.partition("was\n")
        return (_unit(now), _unit(now if record in (NONE, "") else was))

    def compare(self, state: tuple[Unit, Unit], changing: Collection[str]) -> list[Change]:
        now, was = state
        if now.load == "not-found":
            return []
        if self.rests:
            was = replace(was, active="inactive", enabled="disabled")
        return [self._change(action, was) for action in self._actions(now, was, changing)]

    def steps(self, state: tuple[Unit, Unit], changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        """The steps that stop the service before its files change, and start it after that."""
        unit = self.unit
        if state[0].running:
            yield Phase.GUARD, f"undo_last {here(f'systemctl restart {unit}')}"
        yield RELOAD_UNITS
        for action in (change.action for change in changes):
            act = f"step {action} {unit}\nrun systemctl {action} {unit}"
            if action == "stop":
                yield Phase.STOP, act
            elif action in ("start", "restart"):
                yield Phase.BRING_UP, f"{act}\nrun systemctl is-active --quiet {unit}"
            else:
                undo = {"enable": "disable", "disable": "enable", "mask": "unmask"}[action]
                back = f"undo_lasting 'systemctl --quiet {undo} {unit}'"
                yield Phase.LAST, f"{back}\nrun systemctl --quiet {action} {unit}"

    def _actions(self, now: Unit, was: Unit, changing: Collection[str]) -> list[str]:
        if was.running:
            stale = any(path in changing for path in self.reads)
            run = ["start"] if not now.running else ["restart"] if stale else []
        else:
            run = ["stop"] if now.running else []
        if was.masked:
            return run + (["mask"] if not now.masked else [])
        enabled = was.enabled == "enabled"
        return run + ([] if enabled == (now.enabled == "enabled") else ["enable"] if enabled else ["disable"])

    def _change(self, action: str, was: Unit) -> Change:
        if self.rests:
            return Change("service", self.unit, action, "what it served before lbdeploy is served by other nodes")
        before = "was not there" if was.load == "not-found" else f"was {was.active}, {was.enabled or was.load}"
        return Change("service", self.unit, action, f"{before} before lbdeploy")


def _content(line: str) -> Content:
    kind, attributes, content = (*line.split(" "), "", "", "")[:3]
    if kind not in ("file", "link"):
        return Content(kind or "missing")
    return Content(kind, attributes, base64_text(content))


def _unit(text: str) -> Unit:
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    load, active, enabled = (values.get(key, "") for key in ("LoadState", "ActiveState", "UnitFileState"))
    return Unit(load or "not-found", active or "inactive", enabled)
