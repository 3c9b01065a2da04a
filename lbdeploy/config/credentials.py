"""What only a person knows, asked once for all nodes and kept for one run, in memory only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lbdeploy.common.environment import SUDO_VARIABLE


class Asker(Protocol):
    """A person at a terminal. Ctrl-C at a question raises whatever the command line turns it into."""

    def confirm(self, text: str, question: str) -> bool:
        """Show some lines, and ask a yes-or-no question."""

    def secret(self, prompt: str) -> str:
        """Ask for a secret, without echo; "" for no answer."""


@dataclass(eq=False)
class Answers:
    """The answers given, and their results. `asker` None: nobody can be asked.

    `accept_new` accepts unknown host keys without asking. `stated` are fingerprints (SHA256:...) of nodes' host keys,
    by node name: such a key replaces what known_hosts has. `accepted` are the keys that were accepted: (name as in
    known_hosts, key in base64). `unlocked` are private keys that had passphrases, by file; the passphrases are not
    kept. `proven` and `refused` are the names of the nodes on which sudo accepted or refused the password; it is not
    tried again on the latter, so that nobody is locked out. `declined` are questions that were left unanswered, and
    are not asked again.
    """

    asker: Asker | None = None
    accept_new: bool = False
    sudo_password: str | None = field(default=None, repr=False)
    stated: dict[str, str] = field(default_factory=dict)
    unlocked: dict[Path, Any] = field(default_factory=dict, repr=False)
    accepted: set[tuple[str, str]] = field(default_factory=set)
    proven: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    declined: set[object] = field(default_factory=set)

    @property
    def password(self) -> str | None:
        """The password for sudo."""
        return self.sudo_password or os.environ.get(SUDO_VARIABLE) or None
