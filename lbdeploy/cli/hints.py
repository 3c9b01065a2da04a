"""Advice on what to type next, with this invocation's file, lab and nodes added to it.

The code that advises `lbdeploy up` does not know the command line. Typed without the options after `lbdeploy -f
prod.toml --lab plan`, it would change other nodes, and real ones.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OFFLINE = ("init", "check", "render", "lab")
LIMITED = ("doctor", "plan", "up", "verify", "status")  # what takes the --limit of any of them
CONNECTING = (*LIMITED, "rebuild", "handover", "drain", "undrain", "servers", "drill", "rollback", "down")
COMMAND = re.compile(rf"\blbdeploy((?: -v| --lab)*) ({'|'.join((*OFFLINE, *CONNECTING))})\b(?! --help)")


@dataclass(frozen=True, slots=True)
class Advice:
    """An invocation: its `command`; `files` as typed after -f, () for the default; and its --limit."""

    command: str = ""
    files: tuple[str, ...] = ()
    lab: bool = False
    limit: tuple[str, ...] = ()

    def of(self, text: str) -> str:
        """The text, with this invocation's options added to each `lbdeploy COMMAND` in it."""
        limited = bool(self.limit) and "--limit" not in text
        return COMMAND.sub(lambda found: self._typed(found[1].split(), found[2], limited=limited), text)

    def within(self, document: Any) -> Any:
        """A JSON document, or a part of it, with these options added to every `fix`, and to the command that it is."""
        if isinstance(document, dict):
            return {key: self._advice(key, value) for key, value in document.items()}
        return [self.within(each) for each in document] if isinstance(document, list | tuple) else document

    def _advice(self, key: str, value: Any) -> Any:
        if key == "fix" and isinstance(value, str):
            return self.of(value)
        if key == "fix_command" and isinstance(value, list):  # in a schema it is the form of one
            return self._command(value)
        return self.within(value)

    def _command(self, words: Sequence[str]) -> list[str]:
        """A command as data, with these options added, as `of` adds them to its words."""
        command, *rest = words[1:]
        if command not in OFFLINE + CONNECTING:
            return list(words)
        return [*self._words([], command, limited=bool(self.limit) and "--limit" not in rest), *rest]

    def _typed(self, flags: list[str], command: str, *, limited: bool) -> str:
        return shlex.join(self._words(flags, command, limited=limited))

    def _words(self, flags: list[str], command: str, *, limited: bool) -> list[str]:
        files = [word for file in self.files for word in ("-f", file)]
        lab = ["--lab"] if self.lab and command in CONNECTING and "--lab" not in flags else []
        limit = ["--limit", ",".join(self.limit)] if limited and self._limits(command) else []
        return ["lbdeploy", *files, *lab, *flags, command, *limit]

    def _limits(self, command: str) -> bool:
        """Whether to add --limit: after `down`, only to `down` itself, since its nodes concern no other command.

        Without it, `rollback --to RUN` after `rollback --limit` would change the other nodes, too.
        """
        itself = command == self.command and command in ("down", "rollback")
        return itself or (command in LIMITED and self.command != "down")
