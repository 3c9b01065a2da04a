"""The other nodes as clients of the VIPs: a bash loop that is sent over SSH, and the reader of what it prints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil

from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.config.model import Address
from lbdeploy.node import tls_hello
from lbdeploy.operations.outage.client import PERIOD, SILENT, ProbeTarget
from lbdeploy.operations.outage.clocks import Clock
from lbdeploy.operations.outage.gaps import PATIENCE, ProbeResult

# For bash, whose /dev/tcp needs no program that a bare node may lack. A line is printed when a probe starts, and
# another when it was answered. A timed `read` from a pipe that nothing writes to is a sleep that needs no process.
_LOOP = f"""\
exec {{idle}}<> <(:)
ask() {{
    exec 3<>"/dev/tcp/$1/$2" || exit
    printf '{tls_hello.escaped()}' >&3
    read -r -t 1 -N 1 -u 3 byte || exit
    echo "good $1 $3 $EPOCHREALTIME"
}}
next=${{EPOCHREALTIME/./}}
while :; do
    for target; do
        began=$EPOCHREALTIME
        echo "ask ${{target% *}} $began" || exit
        ask $target $began 2>/dev/null &
    done
    next=$((next + {PERIOD * 1e6:.0f})) left=$((next - ${{EPOCHREALTIME/./}}))
    if ((left > 0)); then
        printf -v pause 0.%06d $left
        read -r -t $pause -u $idle
    else
        next=${{EPOCHREALTIME/./}}
    fi
done
"""


def script(targets: Sequence[ProbeTarget], seconds: float) -> Raw:
    """Probes for `seconds`, as the user nobody. All of it ends together: `timeout` ends its whole process group."""
    loop = cmd("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", here(_LOOP), "bash")
    pairs = cmd(*(f"{vip} {port}" for vip, port in targets))
    return Raw(f"timeout -k 1 {ceil(seconds)} {loop} {pairs} </dev/null")


def read(lines: Sequence[str], targets: Sequence[ProbeTarget], clock: Clock) -> list[ProbeResult]:
    """The probes that the loop reported. The last ones, which had no time to be answered, are left out."""
    asked = [words for words in map(str.split, lines) if len(words) == 3 and _is("ask", words)]
    answers = (words for words in map(str.split, lines) if len(words) == 4 and _is("good", words))
    waits = {(vip, began): float(at) - float(began) for _, vip, began, at in answers}
    good = {probe: wait for probe, wait in waits.items() if wait <= PATIENCE}
    end = max((float(began) for *_, began in asked), default=0.0) - PATIENCE
    vips = {str(vip): vip for vip, _ in targets}
    return [
        _result(vips[vip], clock.here(float(began)), good.get((vip, began)))
        for _, vip, began in asked
        if vip in vips and float(began) <= end
    ]


def _result(vip: Address, start: float, waited: float | None) -> ProbeResult:
    return ProbeResult(vip, start, SILENT) if waited is None else ProbeResult(vip, start, waited=waited)


def _is(what: str, words: Sequence[str]) -> bool:
    """Whether a line of the loop is complete and of this kind."""
    return words[0] == what and all(re.fullmatch(r"[0-9]{1,11}[.][0-9]{6}", each) for each in words[2:])
