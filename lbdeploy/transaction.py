"""The applying script of a node: one round trip, all or nothing where that can be, and it outlives the connection.

On the node it runs as the transient unit `lbdeploy.service`, so that a laptop that dies leaves no half-done change, and
so that a second run finds the first one: a unit's name is its lock. It stages every file beside its place, validates
it with the node's own binaries, keeps the old content, and swaps by rename. When a step fails, it puts the files back
and has the services read them again. See docs/decisions/003-node-side-transaction.md.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lbdeploy.errors import LbdeployError, LockedError, LostError, RemoteError, RolledBackError
from lbdeploy.plan import NodePlan, Part
from lbdeploy.probe import PRELUDE
from lbdeploy.resource import Resource
from lbdeploy.resources import File, Packages, Service, Sysctl
from lbdeploy.shell import cmd, here

UNIT = "lbdeploy"
KEPT = "/var/lib/lbdeploy/previous"  # what was there before, by path
MARK = "@@lbdeploy"
LOCK_SECONDS = 120  # how long to wait for another apt or dpkg, such as unattended-upgrades
R = TypeVar("R", bound=Resource[Any])


def script(plan: NodePlan, services: Iterable[str], who: str) -> str:
    """POSIX sh for root that brings a plan's changes about, and starts or reloads only the named `services`.

    Prints lines that begin with MARK (see Progress) among whatever else is said. `who` is shown to a second run.
    """
    nonce = secrets.token_hex(8)
    body = _body(plan, set(services))
    return _LAUNCH.format(prelude=PRELUDE, unit=UNIT, mark=MARK, who=cmd(f"lbdeploy: {who}"), nonce=nonce, body=body)


def _body(plan: NodePlan, services: set[str]) -> str:
    files = list(_needing(plan, File))
    units = [(unit, part) for unit, part in _needing(plan, Service) if unit.unit in services]
    staged = cmd(*(file.staged for file, _ in files))
    lines = [PRELUDE, _TOOLS.format(mark=MARK, kept=KEPT, patience=LOCK_SECONDS, staged=staged)]
    lines += [_fix(part) for _, part in _needing(plan, Packages)]
    lines += ["step write the files", *(_fix(part) for _, part in files)] if files else []
    lines += [line for file, _ in files for line in _place(file)]
    lines += [line for sysctl, part in _needing(plan, Sysctl) for line in _set(sysctl, part)]
    lines += ["run systemctl daemon-reload"] if _reloads_units(plan) else []
    lines += [line for unit, part in units for line in _bring_up(unit, part)]
    lines += [unit.enable(part.changes) for unit, part in units]
    return "\n".join(lines) + "\n"


def _needing(plan: NodePlan, kind: type[R]) -> Iterator[tuple[R, Part]]:
    """The resources of a kind that have something to change."""
    return ((part.resource, part) for part in plan.parts if part.changes and isinstance(part.resource, kind))


def _reloads_units(plan: NodePlan) -> bool:
    changed = any(file.path.startswith("/etc/systemd/") for file, _ in _needing(plan, File))
    return changed or any(change.action == "daemon-reload" for change in plan.changes)


def _fix(part: Part) -> str:
    return part.resource.fix(part.state, list(part.changes))


def _place(file: File) -> list[str]:
    """Validate the staged file, and let it take its place. A validator that says anything has found something."""
    path = cmd(file.path)
    check = [f"validate {path} {cmd(file.staged)} {here(file.validate)}"] if file.validate else []
    return [*check, f"swap {path}"]


def _set(sysctl: Sysctl, part: Part) -> list[str]:
    undo = [f"undo {here(cmd('sysctl', '-q', '-w', f'{sysctl.name}={part.state}'))}"] if part.state is not None else []
    return [f"step set {cmd(sysctl.name)}", *undo, f"run {_fix(part)}"]


def _bring_up(service: Service, part: Part) -> list[str]:
    """Start or reload, and see that it runs. What is undone last is the reload: by then the old files are back."""
    unit = cmd(service.unit)
    undo = f"systemctl reload {unit}" if part.state.running else f"systemctl stop {unit}"
    healthy = [f"healthy {unit}"] if service.unit == "haproxy" else []
    return [f"undo_last {here(undo)}", _fix(part), f"run systemctl is-active --quiet {unit}", *healthy]


@dataclass(slots=True)
class Progress:
    """Reads what an applying script prints, line by line; `on_step` is told of each step as it begins.

    Marked lines: `step TEXT`, `failed COMMAND`, `restored` or `unrestored`, `locked WHO`, and at last `exit STATUS`.
    """

    node: str
    on_step: Callable[[str], None]
    step: str = "start"
    failed: str | None = None
    restored: bool | None = None
    locked: str | None = None
    exit: int | None = None
    said: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Take one line of output."""
        if not text.startswith(MARK + " "):
            self.said.append(text)
            return
        word, _, rest = text.removeprefix(MARK + " ").partition(" ")
        match word:
            case "step":
                self.step = rest
                self.on_step(rest)
            case "failed":
                self.failed = rest
            case "restored" | "unrestored":
                self.restored = word == "restored"
            case "locked":
                self.locked = rest
            case "exit":
                self.exit = int(rest)

    def error(self, plan: NodePlan) -> LbdeployError | None:
        """What went wrong, if anything did: LockedError, LostError, RolledBackError or RemoteError."""
        if self.locked is not None:
            return LockedError(
                f"another run is at work: {self.locked}",
                node=self.node,
                state="nothing was changed on it",
                fix="wait for it to end, then run this again",
            )
        if self.exit is None:
            return LostError(
                "the run on the node ended without a word",
                node=self.node,
                state="unknown",
                fix="lbdeploy plan shows what is left to do",
                detail="\n".join(self.said),
            )
        return self._failure(plan) if self.exit else None

    def _failure(self, plan: NodePlan) -> RemoteError:
        detail = "\n".join(self.said)
        what = f"{self.step}: {_reason(self.said) or f'{self.failed} failed'}"
        installs = any(change.kind == "package" for change in plan.changes)
        if self.restored and not installs:
            return RolledBackError(
                what,
                node=self.node,
                state="its files and services are as before",
                detail=detail,
                fix="mend the cause, then: lbdeploy plan",
            )
        state = {
            True: "its files and services are as before; packages that were installed stay",
            False: "not everything could be put back: see lbdeploy plan",
            None: "its files and services were not touched",
        }[self.restored]
        return RemoteError(what, node=self.node, state=state, detail=detail, fix="mend the cause, then: lbdeploy up")


_NOISE = re.compile(r"^(WARNING: apt does not|Reading |Building |\s*$)")


def _reason(said: list[str]) -> str:
    """The lines that matter of what a failed command said: apt marks its own, of others the last are shown."""
    lines = [line for line in said if not _NOISE.match(line)]
    marked = [line for line in lines if re.match(r"^(E|W|dpkg): |.*\[ALERT\]", line)]
    return "; ".join((marked or lines)[-3:])


# The unit gets its script through a file of root's, not through its arguments, which everybody can see.
_LAUNCH = """{prelude}umask 077
mkdir -p /run/lbdeploy
chmod 700 /run/lbdeploy
cat > /run/lbdeploy/{nonce}.sh <<'{nonce}'
rm -f /run/lbdeploy/{nonce}.sh
{body}{nonce}
log=/run/lbdeploy/{nonce}.log
: > "$log"
for try in 1 2 3 4 5; do
    systemd-run --quiet --collect --unit={unit} --description={who} -p StandardOutput=append:"$log" \\
        -p StandardError=append:"$log" /bin/sh /run/lbdeploy/{nonce}.sh 2>/run/lbdeploy/{nonce}.err && break
    case $(systemctl show -p ActiveState --value {unit}) in
        inactive | failed) sleep 0.2 ;;  # an earlier run has ended this very moment, or it is something else
        *)
            rm -f "$log" /run/lbdeploy/{nonce}.*
            printf '{mark} locked %s, since %s\\n' "$(systemctl show -p Description --value {unit})" \\
                "$(systemctl show -p ActiveEnterTimestamp --value {unit})"
            exit 0
            ;;
    esac
    if [ "$try" = 5 ]; then
        cat /run/lbdeploy/{nonce}.err
        rm -f "$log" /run/lbdeploy/{nonce}.*
        printf '{mark} failed systemd-run\\n{mark} exit 1\\n'
        exit 0
    fi
done
rm -f /run/lbdeploy/{nonce}.err
pid=$(systemctl show -p MainPID --value {unit})
if [ "${{pid:-0}}" != 0 ]; then
    tail -n +1 -s 0.1 -f --pid="$pid" "$log"
else
    cat "$log"
fi
rm -f "$log"
"""

_TOOLS = """set -eu
export DEBIAN_FRONTEND=noninteractive
undo_first='' undo_then='' bad=''
step() {{ printf '{mark} step %s\\n' "$*"; }}
undo() {{ undo_first="$1 || bad=1
$undo_first"; }}
undo_last() {{ undo_then="$undo_then
$1 || bad=1"; }}
run_or_not() {{ "$@" </dev/null; }}
run() {{
    run_or_not "$@" && return
    printf '{mark} failed %s\\n' "$*"
    exit 1
}}
patiently_or_not() {{
    # Somebody else may be using apt or dpkg, unattended-upgrades for example: wait for them, and say who it is.
    waited=0
    while :; do
        if said=$(run_or_not "$@" 2>&1); then
            printf '%s\\n' "$said"
            return 0
        fi
        holder=$(printf '%s\\n' "$said" | sed -n 's/.*is held by process \\(.*\\)$/process \\1/p' | head -n 1)
        case "$holder,$said" in
            ,*'lock'*'by another process'*) holder='another process' ;;
            ,*) break ;;
        esac
        if [ "$waited" -ge {patience} ]; then
            said="the lock of apt and dpkg was not free for {patience} s: it is held by $holder"
            break
        fi
        step "wait for the lock of apt and dpkg, held by $holder"
        waited=$((waited + 1))
        sleep 1
    done
    printf '%s\\n' "$said"
    return 1
}}
patiently() {{
    patiently_or_not "$@" && return
    printf '{mark} failed %s\\n' "$*"
    exit 1
}}
validate() {{
    step "validate $1"
    said=$(sh -c "$3" lbdeploy "$2" 2>&1) && [ -z "$said" ] && return
    printf '%s\\n' "$said" | sed "s|$2|$1|g"
    printf '{mark} failed validator of %s\\n' "$1"
    exit 1
}}
unwritable() {{
    free=$(df -h --output=avail "${{1%/*}}" | tail -n 1 | tr -d ' ')
    printf 'cannot write %s: its file system has %s free\\n' "$1" "$free"
    printf '{mark} failed write\\n'
    exit 1
}}
swap() {{
    mkdir -p "{kept}${{1%/*}}" && chmod 700 /var/lib/lbdeploy || exit 1
    rm -rf "{kept}$1"
    if [ -e "$1" ] || [ -L "$1" ]; then
        run cp -a -- "$1" "{kept}$1"
        undo "{{ cp -a -- '{kept}$1' '$1.lbdeploy-new' && mv -fT -- '$1.lbdeploy-new' '$1'; }}"
    else
        undo "rm -f -- '$1'"
    fi
    [ ! -d "$1" ] || [ -L "$1" ] || run rmdir -- "$1"
    run sync -- "$1.lbdeploy-new"
    run mv -fT -- "$1.lbdeploy-new" "$1"
}}
healthy() {{
    step "wait for $1 to answer"
    for i in 1 2 3 4 5 6 7 8 9 10; do
        /etc/keepalived/check-haproxy && return
        sleep 0.5
    done
    printf '%s does not answer on its socket\\n{mark} failed health check\\n' "$1"
    exit 1
}}
finish() {{
    status=$?
    trap - EXIT
    set +e
    if [ "$status" -ne 0 ] && [ -n "$undo_first$undo_then" ]; then
        eval "$undo_first"
        systemctl daemon-reload || bad=1
        eval "$undo_then"
        if [ "$bad" ]; then echo '{mark} unrestored'; else echo '{mark} restored'; fi
    fi
    rm -f -- {staged}
    printf '{mark} exit %d\n' "$status"
}}
trap finish EXIT
trap 'exit 1' TERM INT HUP
"""
