"""What is wrong with a node's software: its release, its packages, and what apt could install. Pure.

Each judge takes a node's checkup, and yields findings that are not ok; what it asks the node is in `probes`. The
checklist has what it checks, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lbdeploy.common.debian import APT_CONF_FOLDER, APT_SOURCES, DAEMONS, DEBIAN, RELEASES, UBUNTU
from lbdeploy.common.shell import Raw
from lbdeploy.common.typed import typed
from lbdeploy.config.model import Cluster, Node
from lbdeploy.health.finding import Finding
from lbdeploy.node import apt
from lbdeploy.node.resources import Packages
from lbdeploy.node.resources.package import PackageState
from lbdeploy.operations.doctor.checkup import Checkup, Judge
from lbdeploy.planning.desired import packages
from lbdeploy.planning.preflight import unoffered

FETCH_SECONDS = 8  # how long an apt source may take to answer


def probes(_: Cluster, __: Node) -> dict[str, Raw]:
    """What these checks ask a node, by name."""
    return {
        "os": Raw("cat /etc/os-release"),
        "lists": apt.LISTS,
        "unattended": apt.UNATTENDED,
        "locks": apt.lock_holders(),
    }


def slow_probe() -> Raw:
    """Fetches from the apt sources, and prints those that can't be reached."""
    return apt.unreached_sources(FETCH_SECONDS)


def _release(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    words = (line.partition("=") for line in checkup.lines("os"))
    release = {key: value.strip("\"'") for key, _, value in words}
    if release.get("VERSION_ID") not in RELEASES.get(release.get("ID", ""), {}):
        name = release.get("PRETTY_NAME") or "a system that does not say what it is"
        fix = f"lbdeploy was tried on {_tried()}: rehearse first"
        yield Finding.warning(checkup.node.name, "release", f"runs {name}", fix)


def _tried() -> str:
    (first, *_, last), (*ubuntu, latest) = DEBIAN, UBUNTU
    return f"Debian {first} to {last} and Ubuntu {', '.join(ubuntu)} and {latest}"


def _packages(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    unknown = [
        name for name in _missing(cluster, checkup) if _state(checkup).candidates.get(name, "(none)") == "(none)"
    ]
    if not unknown:
        return
    names = ", ".join(unknown)
    if checkup.lines("lists") in ([], ["0"]):
        fix = "nothing to do: lbdeploy up fetches them first"
        yield Finding.warning(
            checkup.node.name, "packages", f"apt has no package lists yet, to look for {names} in", fix
        )
    else:
        fix = f"apt-get update there; then see apt-cache policy {unknown[0]}, and {APT_SOURCES}"
        yield Finding.failed(checkup.node.name, "packages", f"apt knows no package {names}", fix)


def _versions(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """Versions that apt does not offer; what repositories of hosts.toml offer is unknown until `up` has added them."""
    wanted = Packages(packages(cluster), pins=tuple(cluster.packages.pins.items()))
    for each in unoffered(checkup.node.name, wanted, _state(checkup)):
        yield each.as_warning() if cluster.packages.repositories else each


def _sources(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """A node that has all packages needs no apt source until it has to be upgraded or rebuilt: a warning."""
    for line in checkup.lines("heard"):
        if found := re.fullmatch(r"unreached (\S+) (.+)", line):
            why = found[2].removeprefix(f"Failed to fetch {found[1]}").strip()
            detail = f"can't fetch from its apt source {found[1]}: {why}"
            fix = f"check its route and proxy, or correct {APT_SOURCES}; then: apt-get update there"
            problem = Finding.failed(checkup.node.name, "apt-sources", detail, fix, subject=found[1])
            yield problem if _missing(cluster, checkup) else problem.as_warning()


def _dpkg(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    if _state(checkup).interrupted:
        yield Finding.warning(
            checkup.node.name,
            "dpkg",
            "dpkg was interrupted",
            typed("up", after=" repairs it; or there: dpkg --configure -a"),
        )


def _unattended(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    """A pin to an exact version holds; within a pattern it upgrades, at a random time of the morning on each node."""
    settings = [line.partition(" ")[::2] for line in checkup.lines("unattended")]
    if dict(settings).get("Unattended-Upgrade", "0") in ("", "0") or dict(settings).get("Enable", "1") == "0":
        return
    spared = [pattern for word, pattern in settings if word == "spares"]
    pinned = [name for name, version in cluster.packages.pins.items() if "*" not in version]
    free = [name for name in DAEMONS if name not in pinned and not any(_begins(each, name) for each in spared)]
    if free:
        names = " and ".join(free)
        detail = f"unattended-upgrades may upgrade {names} on all nodes in the same night, and restarts them"
        file, lines = f"{APT_CONF_FOLDER}/52lbdeploy", "".join(f'"^{name}$"; ' for name in free)
        spare = f"echo 'Unattended-Upgrade::Package-Blacklist {{ {lines}}};' > {file}"
        fix = f"give exact versions in [packages] of hosts.toml; or there: {spare}; then: lbdeploy up --upgrade"
        yield Finding.warning(checkup.node.name, "unattended-upgrades", detail, fix)


def _begins(pattern: str, name: str) -> bool:
    try:
        return re.match(pattern, name) is not None
    except re.error:
        return False


def _lock(cluster: Cluster, checkup: Checkup) -> Iterator[Finding]:
    for line in checkup.lines("locks")[:1]:
        if found := re.fullmatch(r"(\S+) (\d+) ?(.*)", line):
            detail = f"{found[3] or 'somebody'} (process {found[2]}) is using apt: it holds {found[1]}"
            yield Finding.warning(
                checkup.node.name, "apt-lock", detail, "wait until it has ended; lbdeploy up does so for two minutes"
            )


JUDGES: tuple[Judge, ...] = (_release, _packages, _versions, _sources, _dpkg, _unattended, _lock)


def _state(checkup: Checkup) -> PackageState:
    states = checkup.observation.states.values()
    return next((each for each in states if isinstance(each, PackageState)), PackageState({}))


def _missing(cluster: Cluster, checkup: Checkup) -> list[str]:
    """The packages that are not installed."""
    return [name for name in packages(cluster) if name not in _state(checkup).versions]
