"""A file with its content, mode and owner. Replaced by rename, so that nobody ever reads half of one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from lbdeploy.common.debian import lists_packages, of_apt, of_systemd
from lbdeploy.common.redact import SECRET_MARK, is_program, secret_block
from lbdeploy.common.shell import Raw, cmd, here
from lbdeploy.node.answers import base64_text, seconds
from lbdeploy.node.apt import update
from lbdeploy.node.paths import STAGED
from lbdeploy.node.resources.base import RELOAD_UNITS, Answer, Change, Given, Phase, Resource, Step
from lbdeploy.node.resources.stale_files import Gone
from lbdeploy.node.resources.text_diff import difference, digests

SAME = "same\n"  # printed in place of a content that is as it should be: most of a look's answer would be such


@dataclass(frozen=True, slots=True)
class FileState:
    """What is at a path. `changed`: the time of its last change (s, Unix).

    `kind` is file; link: to a file, of which `content` is; missing; or other (a folder, a link that leads nowhere).
    """

    kind: str
    mode: str = ""
    owner: str = ""
    changed: float = 0.0
    content: str = ""


@dataclass(frozen=True, slots=True)
class File(Resource[FileState]):
    """A regular file of root's. `validate` is a command that must accept the staged file (it is given as "$1").

    `secret`: nothing of its content may be shown, as of a script of the operator's, or of a private key.
    """

    path: str
    content: str
    mode: str = "644"
    validate: Raw | None = None
    secret: bool = False

    @property
    def id(self) -> str:
        return f"file {self.path}"

    @property
    def early(self) -> bool:
        return of_apt(self.path)

    @property
    def files(self) -> tuple[str, ...]:
        return (self.path,)

    @property
    def staged(self) -> str:
        """Where the new content waits until it takes the file's place."""
        return self.path + STAGED

    def probe(self) -> Raw:
        how = "coded" if self.secret else "plain"
        return cmd("look_at", self.path, how, *([self._digest] if self._is_public else []))  # these are in observe.sh

    def read(self, answer: Answer) -> FileState:
        head, _, rest = answer.output.partition("\n")
        if head == "link":
            return FileState(head, content=self._content(rest))
        if not head.startswith("file "):
            return FileState(head.strip() or "missing")
        _, mode, owner, changed = head.split()
        same = self._is_public and rest == SAME
        return FileState("file", mode, owner, seconds(changed), self.content if same else self._content(rest))

    @property
    def _is_public(self) -> bool:
        """Whether all may read it: then its digest may be sent. With that of another one, a password can be guessed."""
        return not self.secret and self.mode.endswith(("4", "5", "6", "7"))

    @property
    def _digest(self) -> str:
        return sha256(self.content.encode(errors="surrogateescape")).hexdigest()

    def _content(self, told: str) -> str:
        told = told.removesuffix("\n").removesuffix("|")
        return base64_text(told.removeprefix(SECRET_MARK)) if self.secret else told

    def compare(self, state: FileState, changing: Collection[str]) -> list[Change]:
        if state.kind == "missing":
            return [self._change("create", "does not exist", "")]
        if state.kind != "file":
            return [self._change("replace", "is not a regular file", state.content)]
        if state.content != self.content:
            return [self._change("update", "its content differs", state.content)]
        wrong = [f"{have}, should be {want}" for have, want in self._attributes(state) if have != want]
        return [Change("file", self.path, "chmod", "is " + " and ".join(wrong))] if wrong else []

    def given(self, changes: Sequence[Change]) -> Given:
        return Given(managed=(self.path,), staged=(self.staged,) if changes else ())

    def steps(self, state: FileState, changes: Sequence[Change], changing: Collection[str]) -> Iterator[Step]:
        validate, swap = self._validate(), f"swap {cmd(self.path)}"
        yield Phase.STAGE, self._stage()
        if any(change.action == "create" for change in changes):
            yield Phase.CREATE, "\n".join((*validate, swap))
        else:
            yield from ((Phase.VALIDATE, each) for each in validate)
            yield Phase.SWAP, swap
        if lists_packages(self.path):
            yield Phase.UPDATE, update(self.path)
        if of_systemd(self.path):
            yield RELOAD_UNITS
        yield from ((Phase.REHEARSE, each) for each in validate)

    def as_observed(self, state: FileState) -> Resource[Any]:
        if state.kind == "file":
            return replace(self, content=state.content, mode=state.mode)
        if state.kind == "link":
            return replace(self, content=state.content)
        if state.kind != "missing":
            return self
        # Late, as all that a daemon reads: it still goes by this file until it has read those of then.
        return Gone(f"none at {self.path}", (self.path,), late=not (of_apt(self.path) or of_systemd(self.path)))

    def as_kept(self, kept: Mapping[str, Resource[Any]]) -> list[Resource[Any]]:
        then = kept.get(self.path)
        return [replace(self, content=then.content, mode=then.mode) if isinstance(then, File) else self]

    def former(self) -> list[Resource[Any]]:
        from lbdeploy.node.resources.original import OriginalFile

        return [OriginalFile(self.path)]

    def _validate(self) -> list[str]:
        """The step that validates the staged file; any output of the validator is an objection."""
        return [f"validate {cmd(self.path)} {cmd(self.staged)} {here(self.validate)}"] if self.validate else []

    def _stage(self) -> Raw:
        """The step that writes the new content beside the file."""
        folder, staged = self.path.rpartition("/")[0], self.staged
        empty = cmd("install", "-m", self.mode, "/dev/null", staged)
        write = cmd("printf", "%s", here(self.content), Raw(">"))
        script = Raw(
            "\n".join(
                (
                    cmd("mkdir", "-p", folder),
                    cmd("rm", "-rf", "--", staged),
                    # What only root may read is never readable by others, not even while it is being written.
                    Raw(f"{{ {empty} && {write} {cmd(staged)}; }} 2>/dev/null || {cmd('unwritable', self.path)}"),
                    cmd("chown", "root:root", staged),
                )
            )
        )
        return Raw(secret_block(script)) if self.secret else script

    def _attributes(self, state: FileState) -> tuple[tuple[str, str], ...]:
        return ((f"mode {state.mode}", f"mode {self.mode}"), (f"owned by {state.owner}", "owned by root:root"))

    def _change(self, action: str, reason: str, old: str) -> Change:
        if self.secret and not is_program(self.content):
            return Change("file", self.path, action, reason, digests(self.path, old, self.content))
        return Change("file", self.path, action, reason, difference(self.path, old, self.content, own=not self.secret))
