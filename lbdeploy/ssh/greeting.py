"""What a server is asked through a node, and what it says: data, for those who must not know how."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lbdeploy.ssh.transport.session import Session

# How far a connection came: sshd forwards none, the server accepts none, it speaks no TLS, or the handshake fails.
Outcome = Literal["barred", "unreachable", "plain", "failed", "greeted"]


@dataclass(frozen=True, slots=True)
class Question:
    """A server of a frontend, and what it is asked: a TLS handshake, and then `path`, if there is one.

    `proxied`: it expects a PROXY header. `token` and `authorities` (PEM) are what haproxy's check would show and trust;
    `certificate` is the file that it would show.
    """

    frontend: str
    server: str
    address: str
    port: int
    proxied: bool = False
    path: str = ""
    host: str = ""
    token: str = field(default="", repr=False)
    authorities: str = field(default="", repr=False)
    certificate: str = ""

    @property
    def where(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What came of a question. `certificate`: the server's, DER, if it has presented one; `status`: of HTTP."""

    question: Question
    outcome: Outcome
    certificate: bytes = field(default=b"", repr=False)
    status: int | None = None
    why: str = ""


@contextmanager
def asking(session: Session, questions: Sequence[Question], patience: float) -> Iterator[list[Greeting]]:
    """Ask servers through a node, besides what else is done there; afterwards, the answers are in the list.

    Who has not answered then is waited for `patience` seconds; a server that is off would make it many.
    """
    heard, answers = list[Greeting](), list[Greeting]()
    asker = threading.Thread(target=session.greet, args=(questions, heard.append), name="asker", daemon=True)
    if questions:
        asker.start()
    yield answers
    if questions:
        asker.join(patience)
    answers += _alike(list(heard))


def _alike(heard: list[Greeting]) -> list[Greeting]:
    """The same; where sshd forwards nothing, that of all: paramiko may have the reason of one refusal for another."""
    reached = any(each.outcome in ("plain", "failed", "greeted") for each in heard)
    barred = next((each for each in heard if each.outcome == "barred"), None)
    return heard if reached or not barred else [replace(each, outcome="barred", why=barred.why) for each in heard]
