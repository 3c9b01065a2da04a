"""Debian packages, installed with apt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lbdeploy.resource import Answer, Change
from lbdeploy.shell import Raw, cmd

_HALF = ("F", "H", "U", "W", "t")  # half configured, half installed, unpacked, triggers awaited or pending

# How apt is to behave without a person: no questions, and a configuration file that was changed stays as it is.
_APT = (
    "apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Cmd::Disable-Script-Warning=true "
    "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


@dataclass(frozen=True, slots=True)
class PackageState:
    """`versions`: of the packages that are installed. `interrupted`: dpkg was stopped half-way."""

    versions: dict[str, str]
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages that must be installed, in any version. One resource, since apt installs them in one go.

    `held_back` are units that must not start before their configuration is there: Debian starts a daemon as it
    installs it, so they are masked meanwhile (until a reboot at the latest).
    """

    names: tuple[str, ...]
    held_back: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"packages {', '.join(self.names)}"

    def probe(self) -> Raw:
        query = cmd("dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\\n", *self.names)
        # apt's own test: a journal of dpkg's that was not yet merged into the status file.
        return Raw(f'{query} 2>/dev/null\n[ -z "$(ls /var/lib/dpkg/updates)" ] || echo interrupted')

    def read(self, answer: Answer) -> PackageState:
        lines = [line.split() for line in answer.output.splitlines()]
        # The second letter is the state, a third says that the package must be installed anew (dpkg-query(1)).
        half = any(words == ["interrupted"] or (len(words) > 1 and words[1][1:2] in _HALF) for words in lines)
        versions = {words[0]: words[2] for words in lines if len(words) == 3 and words[1][1:2] == "i"}
        return PackageState(versions, half)

    def compare(self, state: PackageState, changing: Collection[str]) -> list[Change]:
        repair = [Change("package", "dpkg", "repair", "was interrupted")] if state.interrupted else []
        missing = [name for name in self.names if name not in state.versions]
        return repair + [Change("package", name, "install", "is not installed") for name in missing]

    def fix(self, state: PackageState, changes: list[Change]) -> Raw:
        missing = [change.name for change in changes if change.action == "install"]
        lines = ["step dpkg --configure -a", "patiently dpkg --configure -a"] if state.interrupted else []
        if missing:
            units = [unit for unit in self.held_back if unit in missing]
            install = _INSTALL.format(apt=_APT, names=cmd(*missing))
            lines += [_masked(units, install)] if units else [install]
        return Raw("\n".join(lines))


def _masked(units: list[str], install: str) -> str:
    mask, unmask = (
        cmd("systemctl", verb, "--runtime", "--no-reload", "--quiet", *units) for verb in ("mask", "unmask")
    )
    return f"{mask} 2>&1\n{install}\n{unmask} 2>&1\nrun systemctl daemon-reload"


# The lists are fetched only where apt does not know a package, or can't get the version that it knows.
_INSTALL = """\
if ! {apt} --simulate --no-install-recommends install {names} >/dev/null 2>&1; then
    step 'apt-get update'
    patiently {apt} update
fi
step 'apt-get install' {names}
if ! patiently_or_not {apt} --no-install-recommends install {names}; then
    step 'apt-get update, and once more'
    patiently {apt} update
    patiently {apt} --no-install-recommends install {names}
fi"""
