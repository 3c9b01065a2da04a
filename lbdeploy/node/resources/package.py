"""Debian packages, installed with apt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from lbdeploy.common.debian import lists_packages
from lbdeploy.common.shell import Raw, cmd
from lbdeploy.node import apt
from lbdeploy.node.paths import VERSIONS
from lbdeploy.node.resources.base import Answer, Change, Given, Phase, Resource, Step

_RENEWING = ("upgrade", "replace", "reinstall")  # what makes Debian restart a daemon


@dataclass(frozen=True, slots=True)
class PackageState:
    """`versions`: of the packages that are installed. `interrupted`: dpkg was stopped half-way.

    `held`: those that apt may not upgrade (apt-mark(8)). `recorded`: the versions at the end of the last run.
    `candidates`: the versions that apt would install, where they were asked for. `table`: the versions that apt knows,
    the highest first, and whether a source offers them. `torn`: those that dpkg was stopped at while it unpacked them.
    """

    versions: Mapping[str, str]
    interrupted: bool = False
    held: frozenset[str] = frozenset()
    recorded: Mapping[str, str] = field(default_factory=dict)
    candidates: Mapping[str, str] = field(default_factory=dict)
    table: Mapping[str, Sequence[tuple[str, bool]]] = field(default_factory=dict)
    torn: frozenset[str] = frozenset()

    def offered(self, name: str) -> list[str]:
        """The versions that sources offer of a package, the highest first."""
        return [version for version, offered in self.table.get(name, ()) if offered]


@dataclass(frozen=True, slots=True)
class Packages(Resource[PackageState]):
    """Packages that must be installed. One resource, since apt installs them in one go.

    `pins`: the versions that packages must have, as patterns of the shell and of apt_preferences(5); unpinned, any.

    `daemons` are those whose unit must not start before its configuration is there: Debian starts a daemon as it
    installs it, so they are masked meanwhile (until a reboot at the latest). `upgrade`: bring all to the newest version
    in the node's package lists. `reinstall`: those to install anew, even if they are installed.
    """

    names: tuple[str, ...]
    daemons: tuple[str, ...] = ()
    upgrade: bool = False
    reinstall: tuple[str, ...] = ()
    pins: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return f"packages {', '.join(self.names)}"

    def probe(self) -> Raw:
        recorded = f'while read -r each; do echo "recorded $each"; done < {VERSIONS}'
        asked = [apt.candidates(self.names)] if self.upgrade or self.pins else []
        return Raw("\n".join((apt.installed(self.names), recorded, *asked)))

    def read(self, answer: Answer) -> PackageState:
        lines = [line.split() for line in answer.output.splitlines()]
        told = {word: {each[1]: each[2] for each in lines if each[:1] == [word] and len(each) == 3} for word in _TOLD}
        mine = [words for words in lines if words and words[0] in self.names and len(words) > 1]
        # The second letter is the state, a third says that the package must be reinstalled (dpkg-query(1)).
        half = ["interrupted"] in lines or any(words[1][1:2] in apt.HALF for words in mine)
        versions = {words[0]: words[2] for words in mine if len(words) == 3 and words[1][1:2] == apt.INSTALLED}
        torn = frozenset(words[0] for words in mine if words[1][1:2] == apt.TORN or words[1][2:] == apt.REINSTALL)
        held = frozenset(words[0] for words in mine if words[1][:1] == apt.HELD)
        table = {
            name: [(each[2], each[3] == "offered") for each in lines if each[:2] == ["known", name] and len(each) == 4]
            for name, _ in self.pins
        }
        return PackageState(versions, half, held, told["recorded"], told["candidate"], table, torn)

    def compare(self, state: PackageState, changing: Collection[str]) -> list[Change]:
        repair = [Change("package", "dpkg", "repair", "was interrupted")] if state.interrupted else []
        return repair + [
            Change("package", name, *each) for name in self.names for each in self._differences(name, state, changing)
        ]

    def unoffered(self, state: PackageState) -> Iterator[tuple[str, str, list[str]]]:
        """(name, pinned version, offered versions) for each package that needs a version that no source offers.

        Packages of which apt knows no version are left out: it may have no lists yet.
        """
        for name, pattern in self.pins:
            offered = state.offered(name)
            here = fnmatchcase(state.versions.get(name, ""), pattern)
            if offered and not here and not _matching(offered, pattern):
                yield name, pattern, offered

    def _differences(self, name: str, state: PackageState, changing: Collection[str]) -> Iterator[tuple[str, str]]:
        version, pattern = state.versions.get(name), dict(self.pins).get(name)
        if not version and name in state.torn and name in state.recorded:  # its daemon may run, and must be restarted
            yield "reinstall", "dpkg was stopped as it unpacked it"
            return
        if not version:
            yield "install", "is not installed"
            return
        if pattern and not fnmatchcase(version, pattern):
            if name in state.held:
                yield "unhold", "is held back, so it gets no updates"
            yield self._to_pinned(name, pattern, state, changing)
            return
        if name in state.held:
            yield "unhold", "is held back, so it gets no updates"
        recorded = state.recorded.get(name, version)
        candidate = state.candidates.get(name, version) if self.upgrade else version
        if pattern and self.upgrade:
            candidate = next(iter(_matching(state.offered(name), pattern)), version)
        if candidate != version:
            yield "upgrade", f"is {version}, apt has {candidate}"
        elif name in self.reinstall:
            yield "reinstall", f"{version} is to be installed anew"
        elif recorded != version:
            yield "record", f"is {version}, was {recorded} after the last run"

    def _to_pinned(self, name: str, pattern: str, state: PackageState, changing: Collection[str]) -> tuple[str, str]:
        """The change to the version that hosts.toml wants, which may be known only once a new source has been read."""
        version = state.versions[name]
        wanted = f"is {version}, hosts.toml wants {pattern}"
        if any(map(lists_packages, changing)):
            return "replace", f"{wanted}; the version is known once apt has the lists of its new sources"
        best = next(iter(_matching(state.offered(name), pattern)), None)
        if best is None:
            return "replace", f"{wanted}, which no apt source offers"
        order = [each for each, _ in state.table[name]]
        older = version in order and order.index(version) < order.index(best)
        return "replace", f"{wanted}: apt has {best}, which is {'older' if older else 'newer'}"

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(packages=self.names)

    def interrupts(self, change: Change) -> bool:
        """Whether the change restarts a daemon, as Debian does when it upgrades or reinstalls one."""
        return change.action in _RENEWING and change.name in self.daemons

    def steps(self, state: PackageState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        yield Phase.INSTALL, self._install_all(state, changes)
        units = [change.name for change in changes if self.interrupts(change)]
        yield from ((Phase.CHECK, f"run systemctl is-active --quiet {cmd(unit)}") for unit in units)
        if "haproxy" in units:
            yield Phase.CHECK, "takes_over ''"

    def as_observed(self, state: PackageState) -> Packages:
        """The same packages in any version: what was installed stays."""
        return replace(self, pins=())

    def lasting(self) -> Packages:
        return replace(self, upgrade=False, reinstall=())

    def former(self) -> list[Resource[Any]]:
        from lbdeploy.node.resources.purge import Purge

        return [Purge(self.names)]

    def _install_all(self, state: PackageState, changes: Sequence[Change]) -> Raw:
        does = {action: [each.name for each in changes if each.action == action] for action in _DONE_BY_APT}
        lines = [*apt.REPAIR] if state.interrupted else []
        lines += apt.unhold(does["unhold"]) if does["unhold"] else []
        if does["install"]:
            lines.append(self._install(does["install"]))
        pinned = [name for name in dict(self.pins) if name in (*does["upgrade"], *does["replace"])]
        lines += [self._to_version(name) for name in pinned]
        if upgraded := [name for name in does["upgrade"] if name not in pinned]:
            lines.append(apt.install("--only-upgrade", upgraded))
        lines += apt.reinstall(does["reinstall"]) if does["reinstall"] else []
        # Debian only starts what was torn, and so leaves a daemon that runs as it is.
        torn = [name for name in does["reinstall"] if name in state.torn and name in self.daemons]
        lines += [f"run systemctl try-restart {cmd(name)}" for name in torn]
        return Raw("\n".join(lines))

    def _to_version(self, name: str) -> str:
        """Install with the pins that lbdeploy has written, by which apt's candidate is the wanted version."""
        install = apt.install("$options", [name])
        return f"options=--only-upgrade\npinned {cmd(name, dict(self.pins)[name])}\n{install}"

    def _install(self, names: list[str]) -> str:
        checks = "".join(f"options=''\npinned {cmd(*pin)}\n" for pin in self.pins if pin[0] in names)
        return checks + self._installed(names)

    def _installed(self, names: list[str]) -> str:
        units = [unit for unit in self.daemons if unit in names]
        install = apt.install("", names)
        return _masked(units, install) if units else install


_TOLD = ("recorded", "candidate")
_DONE_BY_APT = ("unhold", "install", "upgrade", "replace", "reinstall")


def installs(change: Change) -> bool:
    """Whether it puts a package, or another version of one, on a node, where it stays: nothing takes that back."""
    return change.kind == "package" and change.action in ("install", *_RENEWING)


def _matching(versions: Iterable[str], pattern: str) -> list[str]:
    return [version for version in versions if fnmatchcase(version, pattern)]


def _masked(units: list[str], install: str) -> str:
    mask, unmask = (
        cmd("systemctl", verb, "--runtime", "--no-reload", "--quiet", *units) for verb in ("mask", "unmask")
    )
    return f"{mask} 2>&1\n{install}\n{unmask} 2>&1\nrun systemctl daemon-reload"
