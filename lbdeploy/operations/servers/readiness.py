"""What servers answer when the nodes ask them, and which check that suits. Pure, but for what asks.

Asked is what haproxy's check would ask: with its token, its certificate and its CA, where hosts.toml has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lbdeploy.common.paths import home_expanded
from lbdeploy.config.model import Cluster, Frontend, Server, Ssh
from lbdeploy.config.values import server_address
from lbdeploy.events import Emit
from lbdeploy.health.certificates.judgement import is_api
from lbdeploy.health.finding import Finding
from lbdeploy.health.reasons import LOGIN
from lbdeploy.ssh.greeting import Greeting, Question

CHECK = "readiness"
SECONDS = 7.0  # how long servers are waited for: a little longer than they are asked
STRANGER = (401, 403)
Heard = Mapping[str, Sequence[Greeting]]  # by node


@dataclass(frozen=True, slots=True)
class Proposal:
    """The check that servers pass, all of them, and its `check_status`; none where nobody was heard."""

    check: str
    status: tuple[int, ...] = (200,)

    def __str__(self) -> str:
        status = f", check_status = {list(self.status)}" if self.status != (200,) else ""
        return f'check = "{self.check}"{status}'


def proposal(heard: Iterable[Greeting]) -> Proposal | None:
    """What suits the servers that could be asked: of each, what it is, and what it says to strangers, decides."""
    asked = [each for each in heard if each.outcome in ("plain", "greeted", "failed")]
    if not asked:
        return None
    said = {each.status for each in asked}
    if said == {200}:
        return Proposal("https")
    if said <= {200, *STRANGER}:
        return Proposal("https", tuple(sorted({200} | {each for each in said if each})))
    return Proposal("tcp")


def heard_by(hosts: Mapping[str, str], ssh: Ssh, emit: Emit, servers: Mapping[str, str], port: int) -> list[Greeting]:
    """What API servers, {name: address[:port]}, answer hosts, {name: what SSH connects to}, before there is a file."""
    from lbdeploy.operations.visit import visit

    at = {name: server_address(each) for name, each in servers.items()}
    asked = [Question("", name, str(ip), own or port, path="/readyz") for name, (ip, own) in at.items()]
    heard: list[Greeting] = []
    visit(hosts, ssh, emit, "ask the API servers", lambda _, session: session.greet(asked, heard.append))
    return heard


def questions(cluster: Cluster) -> list[Question]:
    """What haproxy's check would ask each server; of an API server, also what a better check would."""
    return [_question(cluster, frontend, server) for frontend, server in cluster.servers()]


def _question(cluster: Cluster, frontend: Frontend, server: Server) -> Question:
    token, certificate = frontend.check_token, frontend.check_certificate
    file = cluster.path.parent / home_expanded(certificate.path) if certificate else None
    return Question(
        frontend.name,
        server.name,
        str(server.address),
        server.port,
        proxied=frontend.proxy_protocol,
        path=frontend.check_path if frontend.check == "https" or is_api(frontend) else "",
        host=frontend.check_host or "",
        token=token.text.strip() if token else "",
        authorities=frontend.check_ca or "",
        certificate=str(file or ""),
    )


def findings(cluster: Cluster, heard: Heard) -> Iterator[Finding]:
    """What is not as the checks of hosts.toml expect it. Nothing of it is in the way of `up`."""
    yield from _barred(heard)
    for frontend in cluster.frontends:
        own = {
            name: [each for each in those if each.question.frontend == frontend.name] for name, those in heard.items()
        }
        yield from _unreached(own)
        if frontend.check == "https":
            yield from _would_be_down(frontend, own)
        elif is_api(frontend):
            yield from _sees_too_little(frontend, own)


def _barred(heard: Heard) -> Iterator[Finding]:
    names = [name for name, those in heard.items() if those and all(each.outcome == "barred" for each in those)]
    if names:
        detail = f"servers could not be asked from {' and '.join(names)}: sshd there forwards no connections"
        fix = "in its sshd_config, for this login: AllowTcpForwarding local; nothing else needs it"
        yield Finding.warning(None, CHECK, detail, fix, subject="forwarding")


def _unreached(own: Heard) -> Iterator[Finding]:
    """Each server that some nodes can't connect to, with the reason that one of them gives."""
    lost: dict[str, list[tuple[str, Greeting]]] = {}
    for name, those in own.items():
        for each in those:
            if each.outcome == "unreachable":
                lost.setdefault(each.question.server, []).append((name, each))
    for server, by in lost.items():
        names, (_, first) = " and ".join(name for name, _ in by), by[0]
        where, why = first.question.where, first.why
        detail = f"{names} can't connect to {first.question.frontend}/{server} ({where}): {why}"
        fix = f"see whether {server} runs, and what filters port {first.question.port} on the way"
        yield Finding.warning(None, CHECK, detail, fix, subject=f"{first.question.frontend}/{server}")


def _would_be_down(frontend: Frontend, own: Heard) -> Iterator[Finding]:
    """Servers that answer, and not what the check wants."""
    said: dict[tuple[str, str], list[str]] = {}
    for each in (each for those in own.values() for each in those):
        if told := _objection(frontend, each):
            said.setdefault(told, []).append(each.question.server)
    for (words, fix), servers in said.items():
        who = " and ".join(dict.fromkeys(servers))
        yield Finding.warning(None, CHECK, f"{frontend.name}: {who} would be down: {words}", fix, subject=frontend.name)


def _objection(frontend: Frontend, greeting: Greeting) -> tuple[str, str] | None:
    """Why the check would not pass, and what to do; None where it would, or where that is not known."""
    status, path = greeting.status, frontend.check_path
    if greeting.outcome == "plain":
        return "no TLS is spoken there", 'check = "tcp"'
    if greeting.outcome == "failed":
        return f"the TLS handshake fails: {greeting.why}", f"openssl s_client -connect {greeting.question.where}"
    if greeting.outcome != "greeted" or status in frontend.check_status:
        return None
    if status is None:
        return f"{path} is not answered in HTTP", 'correct check_path, or: check = "tcp"'
    fix = f"see why: curl -k https://{greeting.question.where}{path}"
    if status in STRANGER:
        fix = "another token into check_token_file" if frontend.check_token else LOGIN.format(status=status)
    return f"{path} is answered with {status}", fix


def _sees_too_little(frontend: Frontend, own: Heard) -> Iterator[Finding]:
    """An API server that a tcp check would take for healthy while it shuts down."""
    better = proposal(each for those in own.values() for each in those)
    if better and better.check == "https":
        answered = sorted({str(each.status) for those in own.values() for each in those if each.status})
        detail = (
            f'{frontend.name}: check = "tcp" does not see that an API server starts, hangs or shuts down; '
            f"these answer {frontend.check_path} with {' and '.join(answered)}"
        )
        login = ", or check_token_file" if better.status != (200,) else ""
        fix = f"{better}{login}; with check_ca_file it also knows whom it asks"
        yield Finding.warning(None, CHECK, detail, fix, subject=frontend.name)
