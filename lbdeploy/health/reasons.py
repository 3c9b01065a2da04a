"""Why a server is not up, in words, and what to do about it. Pure.

haproxy gives a code for the result of the last check (management guide, section 9.1: check_status). What one node alone
can't reach is no fault of the server: the way from there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lbdeploy.common.typed import typed
from lbdeploy.config.model import Frontend, Server
from lbdeploy.node.parsers import ServerStat

# By haproxy's code. {where}: the server's address and port; {path}: what the check requests.
WORDS = {
    "L4TOUT": "nothing answers at {where}: it is off, or packets to it are dropped on the way",
    "L4CON": "nothing listens at {where}, or there is no way to it",
    "L6TOUT": "it accepts connections, and its TLS handshake does not end: it hangs, or is overloaded",
    "L6RSP": "the TLS handshake failed: it speaks no TLS there, or its certificate is not what the check wants",
    "L7TOUT": "it does not answer {path} in time: it hangs, or is overloaded",
    "L7RSP": "it does not answer {path} in HTTP",
    "L7STS": "it answers {path} with {status}",
    "SOCKERR": "this node could not even open a socket for the check",
}
LOGIN = (
    "it wants a login; for that to count as ready, in hosts.toml: check_status = [200, {status}]; or: check_token_file"
)
# What to do about a server that no node sees up, by the same code; of L7STS, by the status of HTTP, too.
FIXES = {
    "L4TOUT": "see whether {name} runs, and whether a firewall drops packets to port {port}",
    "L4CON": "start what is to listen on {where}; there: ss -Htln 'sport = {port}'",
    "L6TOUT": "see what {name} is doing: curl -k https://{where}{path}",
    "L6RSP": 'see what it presents: openssl s_client -connect {where}; for what is no TLS: check = "tcp"',
    "L7TOUT": "see what {name} is doing: curl -k https://{where}{path}",
    "L7RSP": "see what {name} answers: curl -k https://{where}{path}",
    "L7STS": "it says that it is not ready, as while it shuts down; to see why: curl -k https://{where}{path}?verbose",
    "L7STS 401": LOGIN,
    "L7STS 403": LOGIN,
    "L7STS 404": "correct check_path in hosts.toml: {path} is not there",
    "SOCKERR": "see what the node lacks, there: journalctl -u haproxy -n 20",
}
OF_THE_WAY = (
    "L4TOUT",
    "L4CON",
    "L6TOUT",
    "L7TOUT",
)  # what a firewall, a route or an MTU between the two can bring about
STATUS = re.compile(r"[1-5][0-9][0-9]")


@dataclass(frozen=True, slots=True)
class Reason:
    """What is wrong with a server, in words, and what to do about it."""

    words: str
    fix: str


def reason(
    frontend: Frontend, server: Server, bad: Sequence[tuple[str, ServerStat | None]], good: Sequence[str]
) -> Reason:
    """Why some nodes do not see a server up: `bad` has what they say of it, `good` the nodes that see it up."""
    told = [each for _, each in bad if each and not each.initial]
    if not told:
        return Reason("", f"see whether {server.name} runs")
    # While a check is being made, haproxy tells no status of HTTP: another node may.
    alike = (each for each in told if each.check_status == told[0].check_status and STATUS.fullmatch(each.check_code))
    stat = next(alike, told[0])
    where = f"[{server.address}]:{server.port}" if server.address.version == 6 else f"{server.address}:{server.port}"
    if stat.status.startswith(("MAINT", "DRAIN", "NOLB")):
        return Reason("somebody took it out of use on haproxy's socket", typed("undrain", server.name))
    if good and stat.check_status in OF_THE_WAY:
        return _of_the_way(server, where, [name for name, _ in bad], good)
    status = stat.check_code if STATUS.fullmatch(stat.check_code) else ""
    given = {"where": where, "path": frontend.check_path, "status": status or "another status"}
    given |= {"name": server.name, "port": str(server.port)}
    code = stat.check_status
    fix = _of_login(frontend, code, status) or FIXES.get(f"{code} {status}")
    fix = fix or FIXES.get(code, "see whether {name} runs")
    return Reason(WORDS.get(code, "").format(**given), fix.format(**given))


def _of_login(frontend: Frontend, code: str, status: str) -> str:
    """What to do where a server does not take what the check shows it; "" where the check shows it nothing."""
    if code == "L7STS" and status in ("401", "403") and frontend.check_token:
        return "the token of check_token_file has ended, or may not read {path}: put another into it; lbdeploy up"
    if code in ("L6RSP", "L7RSP", "SOCKERR") and frontend.check_certificate:
        return "see whether it takes the certificate of check_certificate: openssl s_client -cert FILE -connect {where}"
    return ""


def _of_the_way(server: Server, where: str, bad: Sequence[str], good: Sequence[str]) -> Reason:
    """Another node reaches it."""
    words = f"{' and '.join(good)} sees it up, so it runs: the way from {' and '.join(bad)} to {where} is at fault"
    fix = f"on {bad[0]}: ip route get {server.address}, and see what filters port {server.port} on the way"
    return Reason(words, fix)
