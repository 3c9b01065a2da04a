"""Whether a node lets lbdeploy write what it is to write: immutable files, read-only file systems. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lbdeploy.common.debian import UNITS_FOLDER
from lbdeploy.health.finding import Finding
from lbdeploy.node.drift import NodePlan
from lbdeploy.node.observation import Observation
from lbdeploy.node.paths import STATE
from lbdeploy.node.resources import Sysctl
from lbdeploy.node.surroundings import Unwritable, unwritable

CHECK = "writable"
ALWAYS = (STATE, "/run", UNITS_FOLDER)  # each run writes there: its journal, its lock, what undoes it at a boot


def written(plan: NodePlan) -> set[str]:
    """The files that a plan creates, replaces or removes."""
    names = {change.name for change in plan.changes if change.kind == "file"}
    return names | {each.resource.conf for each in plan.parts if each.changes and isinstance(each.resource, Sysctl)}


def findings(seen: Observation, paths: Collection[str]) -> Iterator[Finding]:
    """What is in the way of writing these files, and with them what each run writes."""
    for each in unwritable(seen) if paths else ():
        inside = any(path == each.path or path.rpartition("/")[0] == each.path for path in paths)
        if inside or each.path in ALWAYS:
            what, fix = _words(each)
            yield Finding.failed(seen.node.name, CHECK, what, fix, subject=each.path)


def _words(found: Unwritable) -> tuple[str, str]:
    """What is the matter with a path, and what to type."""
    path = found.path
    if found.why == "ro":
        fix = f"see why: dmesg; then: mount -o remount,rw $(findmnt -no TARGET -T {path})"
        return f"{path} can't be written: its file system is mounted read-only", fix
    if found.why in ("immutable", "append-only"):
        letter = found.why[0]
        fix = f"ask who set it, and why; to take it off: chattr -{letter} {path}"
        return f"{path} is {found.why}: chattr +{letter} was used on it, and not even root can replace it", fix
    return f"root can't write to {path}", f"see ls -ld {path}, lsattr -d {path} and findmnt -T {path} there"
