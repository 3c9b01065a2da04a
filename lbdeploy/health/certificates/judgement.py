"""What is wrong with the certificates that servers present. Pure.

Of a server that is no API server, only the end counts: which names it has depends on what clients ask it for, as with
an ingress. One that speaks no TLS, or that nobody could greet, has nothing to be judged: other checks tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lbdeploy.config.model import Cluster, Frontend, Server
from lbdeploy.health.certificates.renewal import names_added, renewed
from lbdeploy.health.finding import Finding
from lbdeploy.health.state import ClusterState
from lbdeploy.ssh.greeting import Greeting, Question

if TYPE_CHECKING:
    from lbdeploy.health.certificates.presented import Presented

CHECK = "certificate"
SOON = timedelta(days=30)
API_PORT = 6443


@dataclass(frozen=True, slots=True)
class _Of:
    """A server, and the certificate that it presents."""

    frontend: Frontend
    server: Server
    certificate: Presented

    @property
    def subject(self) -> str:
        return f"{self.frontend.name}/{self.server.name}"

    @property
    def who(self) -> str:
        return f"the certificate of {self.subject} ({self.server.address})"


def certificates(state: ClusterState) -> Iterator[Finding]:
    """The findings; none where no server was asked."""
    heard = [each for those in state.greetings.values() for each in those]
    yield from judged(state.cluster, heard) if heard else ()


def judged(cluster: Cluster, heard: Sequence[Greeting], now: datetime | None = None) -> list[Finding]:
    """What is wrong with what these servers presented, or that all is well."""
    of = list(_certificates(cluster, heard))
    now = now or datetime.now(UTC)
    bad = [
        *_unreadable(cluster, heard),
        *_begins(of, now),
        *_ends(of, now),
        *_names(cluster, of),
        *_owners(cluster, of),
        *_authorities(of),
    ]
    return bad or [Finding.passed(None, CHECK, _passed(of, heard))]


def _passed(of: Sequence[_Of], heard: Iterable[Greeting]) -> str:
    if of:
        return f"the certificates of {len(of)} servers are valid for more than {SOON.days} days, and have their names"
    if all(each.outcome == "barred" for each in heard):
        return "not looked at: sshd on the nodes forwards no connection to servers (AllowTcpForwarding, PermitOpen)"
    return "no server presents one"


def _certificates(cluster: Cluster, heard: Sequence[Greeting]) -> Iterator[_Of]:
    """Each server with what it presents; one node's word counts, since a server presents the same to all."""
    from lbdeploy.health.certificates.presented import presented  # imports much, and only here it is needed

    for frontend, server, said in _said(cluster, heard):
        found = presented(said.certificate)
        if found:
            yield _Of(frontend, server, found)


def _unreadable(cluster: Cluster, heard: Sequence[Greeting]) -> Iterator[Finding]:
    """A warning only: what libraries refuse differs, and clients may take it."""
    from lbdeploy.health.certificates.presented import presented

    for frontend, server, said in _said(cluster, heard):
        if presented(said.certificate) is None:
            subject = f"{frontend.name}/{server.name}"
            detail = f"the certificate of {subject} ({server.address}) can't be read, as RFC 5280 wants it: not judged"
            fix = f"look at it: openssl s_client -connect {said.question.where} -showcerts; and have it signed anew"
            yield Finding.warning(None, CHECK, detail, fix, subject=subject)


def _said(cluster: Cluster, heard: Sequence[Greeting]) -> Iterator[tuple[Frontend, Server, Greeting]]:
    """What each server presented, where it did."""
    said = {(each.question.frontend, each.question.server): each for each in heard if each.certificate}
    for frontend, server in cluster.servers():
        if one := said.get((frontend.name, server.name)):
            yield frontend, server, one


def questions(cluster: Cluster) -> list[Question]:
    """What to ask for certificates: a handshake with each server, and nothing more."""
    return [
        Question(frontend.name, each.name, str(each.address), each.port, proxied=frontend.proxy_protocol)
        for frontend, each in cluster.servers()
    ]


def is_api(frontend: Frontend) -> bool:
    """Whether clients expect a Kubernetes API there, by its port or by what is checked."""
    ports = {frontend.port, *(each.port for each in frontend.servers)}
    return API_PORT in ports or (frontend.check == "https" and frontend.check_path.startswith(("/readyz", "/livez")))


def _begins(of: Sequence[_Of], now: datetime) -> Iterator[Finding]:
    for each in of:
        if each.certificate.begin > now:
            detail = f"{each.who} is not valid before {_shown(each.certificate.begin)}"
            yield _refused(each, detail, "see the clock there, and here")


def _ends(of: Sequence[_Of], now: datetime) -> Iterator[Finding]:
    for each in of:
        left = each.certificate.end - now
        when = _shown(each.certificate.end)
        fix = renewed(each.certificate.issuer)
        if left > SOON:
            continue
        if left > timedelta(0):
            detail = f"{each.who} ends in {left.days} days, on {when}"
            yield Finding.warning(None, CHECK, detail, fix, subject=each.subject)
            continue
        yield _refused(each, f"{each.who} has ended, on {when}", fix)


def _refused(each: _Of, detail: str, fix: str) -> Finding:
    """Clients of an API refuse it; what those of others do, is not known."""
    found = Finding.failed(None, CHECK, detail, fix, subject=each.subject)
    return found if is_api(each.frontend) else found.as_warning()


def _shown(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")


def _names(cluster: Cluster, of: Sequence[_Of]) -> Iterator[Finding]:
    """VIPs under which clients would not take it; and the name that the check wants."""
    for each in of:
        if not is_api(each.frontend):
            continue
        wanted = [*(vip.ip for vip in cluster.vips_of(each.frontend)), *filter(None, [each.frontend.check_host])]
        lacks = [str(name) for name in wanted if not each.certificate.has(name)]
        if lacks:
            detail = f"{each.who} is not for {' and '.join(lacks)}: clients that connect there refuse it"
            yield Finding.warning(
                None, CHECK, detail, names_added(each.certificate.issuer, lacks), subject=each.subject
            )


def _owners(cluster: Cluster, of: Sequence[_Of]) -> Iterator[Finding]:
    """Another server answers at this one's address: its certificate has that one's address, and not this one's."""
    for each in of:
        others = {one.address: one.name for one in each.frontend.servers if one.address != each.server.address}
        named = sorted(name for address, name in others.items() if address in each.certificate.addresses)
        if is_api(each.frontend) and named and each.server.address not in each.certificate.addresses:
            detail = f"{each.who} is that of {' and '.join(named)}"
            fix = f"see which host has {each.server.address}, and correct the address in hosts.toml"
            yield Finding.warning(None, CHECK, detail, fix, subject=each.subject)


def _authorities(of: Sequence[_Of]) -> Iterator[Finding]:
    """Servers of one frontend that no single CA file vouches for: clients get errors from some of them."""
    for name in dict.fromkeys(each.frontend.name for each in of if is_api(each.frontend)):
        own = [each for each in of if each.frontend.name == name]
        by = {key: [each for each in own if each.certificate.authority == key] for key in _keys(own)}
        if len(by) > 1:
            told = "; ".join(
                f"{those[0].certificate.issuer} ({key[:8]}): {', '.join(one.server.name for one in those)}"
                for key, those in by.items()
            )
            detail = f"different authorities have signed the certificates of {name}'s servers: {told}"
            fix = "see whether all of them are of this cluster; if its CA is being replaced, finish that"
            yield Finding.warning(None, CHECK, detail, fix, subject=name)


def _keys(own: Sequence[_Of]) -> list[str]:
    return list(dict.fromkeys(each.certificate.authority for each in own))
