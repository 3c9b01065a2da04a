"""Debian packages, installed with apt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lbdeploy.resource import Answer, Change
from lbdeploy.shell import Raw, cmd, here

_HALF = ("F", "H", "U", "W", "t")  # half configured, half installed, unpacked, triggers awaited or pending
RECORD = "/var/lib/lbdeploy/packages"  # the versions at the end of the last run
_RENEWING = ("upgrade", "reinstall")  # what makes Debian restart a daemon

# How apt is to behave without a person: no questions, and a configuration file that was changed stays as it is.
_APT = (
    "apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Cmd::Disable-Script-Warning=true "
    "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


@dataclass(frozen=True, slots=True)
class PackageState:
    """`versions`: of the packages that are installed. `interrupted`: dpkg was stopped half-way.

    `held`: those that apt may not upgrade (apt-mark(8)). `recorded`: the versions at the end of the last run.
    `candidates`: the versions that apt would install, where they were asked for.
    """

    versions: Mapping[str, str]
    interrupted: bool = False
    held: frozenset[str] = frozenset()
    recorded: Mapping[str, str] = field(default_factory=dict)
    candidates: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages that must be installed, in any version. One resource, since apt installs them in one go.

    `daemons` are those whose unit must not start before its configuration is there: Debian starts a daemon as it
    installs it, so they are masked meanwhile (until a reboot at the latest). `upgrade`: in the newest version that
    the node's package lists have. `reinstall`: those to install anew, whatever is there.
    """

    names: tuple[str, ...]
    daemons: tuple[str, ...] = ()
    upgrade: bool = False
    reinstall: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"packages {', '.join(self.names)}"

    def probe(self) -> Raw:
        query = cmd("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\\n", *self.names)
        lines = [
            f"{query} 2>/dev/null",
            # apt's own test: a journal of dpkg's that was not yet merged into the status file.
            '[ -z "$(ls /var/lib/dpkg/updates)" ] || echo interrupted',
            f"[ ! -e {RECORD} ] || sed 's/^/recorded /' {RECORD}",
        ]
        if self.upgrade:
            lines.append(f"{cmd('apt-cache', 'policy', *self.names)} | {_CANDIDATES}")
        return Raw("\n".join(lines))

    def read(self, answer: Answer) -> PackageState:
        lines = [line.split() for line in answer.output.splitlines()]
        told = {word: {each[1]: each[2] for each in lines if each[:1] == [word] and len(each) == 3} for word in _TOLD}
        mine = [words for words in lines if words and words[0] in self.names and len(words) > 1]
        # The second letter is the state, a third says that the package must be installed anew (dpkg-query(1)).
        half = ["interrupted"] in lines or any(words[1][1:2] in _HALF for words in mine)
        versions = {words[0]: words[2] for words in mine if len(words) == 3 and words[1][1:2] == "i"}
        held = frozenset(words[0] for words in mine if words[1][:1] == "h")
        return PackageState(versions, half, held, told["recorded"], told["candidate"])

    def compare(self, state: PackageState, changing: Collection[str]) -> list[Change]:
        repair = [Change("package", "dpkg", "repair", "was interrupted")] if state.interrupted else []
        return repair + [
            Change("package", name, *each) for name in self.names for each in self._differences(name, state)
        ]

    def _differences(self, name: str, state: PackageState) -> Iterator[tuple[str, str]]:
        version = state.versions.get(name)
        if not version:
            yield "install", "is not installed"
            return
        if name in state.held:
            yield "unhold", "is held back, so it gets no updates"
        candidate, recorded = state.candidates.get(name, version), state.recorded.get(name, version)
        if candidate != version:
            yield "upgrade", f"is {version}, apt has {candidate}"
        elif name in self.reinstall:
            yield "reinstall", f"{version} is to be installed anew"
        elif recorded != version:
            yield "record", f"is {version}, was {recorded} after the last run"

    def restarted(self, changes: Iterable[Change]) -> list[str]:
        """The units that Debian restarts as it makes these changes."""
        return [change.name for change in changes if change.action in _RENEWING and change.name in self.daemons]

    def fix(self, state: PackageState, changes: list[Change]) -> Raw:
        does = {action: [each.name for each in changes if each.action == action] for action in _DONE_BY_APT}
        lines = ["step dpkg --configure -a", "patiently dpkg --configure -a"] if state.interrupted else []
        lines += _unhold(does["unhold"])
        if does["install"]:
            lines.append(self._install(does["install"]))
        if does["upgrade"]:
            lines.append(_INSTALL.format(apt=_APT, options="--only-upgrade", names=cmd(*does["upgrade"])))
        if does["reinstall"]:
            lines.append(_REINSTALLABLE.format(apt=_APT, names=cmd(*does["reinstall"])))
            lines.append(_INSTALL.format(apt=_APT, options="--reinstall", names=cmd(*does["reinstall"])))
        return Raw("\n".join(lines))

    def _install(self, names: list[str]) -> str:
        units = [unit for unit in self.daemons if unit in names]
        install = _INSTALL.format(apt=_APT, options="", names=cmd(*names))
        return _masked(units, install) if units else install


_TOLD = ("recorded", "candidate")
_DONE_BY_APT = ("unhold", "install", "upgrade", "reinstall")
_CANDIDATES = 'awk \'/^[^ ]/ {name = substr($1, 1, length($1) - 1)} $1 == "Candidate:" {print "candidate", name, $2}\''


def _unhold(names: list[str]) -> list[str]:
    if not names:
        return []
    hold, unhold = (cmd("apt-mark", "-qq", verb, *names) for verb in ("hold", "unhold"))
    return [cmd("step", "apt-mark unhold", *names), f"undo {here(hold)}", f"patiently {unhold}"]


def _masked(units: list[str], install: str) -> str:
    mask, unmask = (
        cmd("systemctl", verb, "--runtime", "--no-reload", "--quiet", *units) for verb in ("mask", "unmask")
    )
    return f"{mask} 2>&1\n{install}\n{unmask} 2>&1\nrun systemctl daemon-reload"


# Where no repository has the version that is installed any more, apt says so, does nothing, and calls that a success.
_REINSTALLABLE = (
    "! {apt} --simulate --reinstall install {names} | grep 'is not possible' || fail apt-get install --reinstall"
)

# The lists are fetched only where apt does not know a package, or can't get the version that it knows.
_INSTALL = """\
if ! would=$({apt} --simulate --no-install-recommends install {options} {names} 2>/dev/null); then
    step 'apt-get update'
    patiently {apt} update
    would=$({apt} --simulate --no-install-recommends install {options} {names} 2>/dev/null) || :
fi
note_new "$would"
step 'apt-get install' {options} {names}
if ! patiently_or_not {apt} --no-install-recommends install {options} {names}; then
    step 'apt-get update, and once more'
    patiently {apt} update
    patiently {apt} --no-install-recommends install {options} {names}
fi"""
