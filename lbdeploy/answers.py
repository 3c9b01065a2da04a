"""What only a person knows, asked once for all nodes and kept for one run, in memory only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

SUDO_VARIABLE = "LBDEPLOY_SUDO_PASSWORD"


class Asker(Protocol):
    """A person at a terminal. Ctrl-C at a question raises what the command line makes of it."""

    def confirm(self, text: str, question: str) -> bool:
        """Show some lines, and ask a question that is answered by yes or no."""

    def secret(self, prompt: str) -> str:
        """Ask for what must not be seen; "" for no answer."""


@dataclass(eq=False)
class Answers:
    """What was answered, and what came of it. `asker` None: nobody can be asked.

    `accept_new` takes unknown host keys without asking. `stated` are fingerprints (SHA256:...) of nodes' host keys, by
    name: such a key takes the place of what known_hosts has. `accepted` are the keys that were taken: (name as in
    known_hosts, key in base64). `unlocked` are keys that had passphrases, by file; the passphrases are not kept.
    `proven` and `refused` are the names of nodes on which sudo took the password, and did not: those are not tried
    again, so that nobody is locked out. `declined` is what nobody wanted to answer, and is not asked again.
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
        """What sudo is to be told."""
        return self.sudo_password or os.environ.get(SUDO_VARIABLE) or None
