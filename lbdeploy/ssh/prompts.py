"""Questions that stopped a login and that a person can answer, asked once for all nodes. The caller then retries."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from lbdeploy.config.credentials import Answers, Asker
from lbdeploy.errors import HostKeyError, LoginError, NewKey, SudoError
from lbdeploy.ssh.known_hosts import fingerprint

T = TypeVar("T")
TRIES = 3  # at a passphrase, which is tried on this machine only


def is_question(result: object) -> bool:
    """Whether a result is an error that a person's answer could resolve."""
    if isinstance(result, HostKeyError):
        return result.new is not None
    if isinstance(result, LoginError):
        return bool(result.locked)
    return isinstance(result, SudoError) and result.wants_password


def ask_pending(results: Iterable[object], answers: Answers) -> bool:
    """Ask the questions in `results`, and keep the answers. False: there was nothing to ask, or nobody answered.

    Only the main thread may ask: only it receives Ctrl-C. Raises HostKeyError where a key can't be written.
    """
    errors = [each for each in results if is_question(each)]
    asker = answers.asker if threading.current_thread() is threading.main_thread() else None
    if not errors or not asker:
        return False
    new = [error.new for error in errors if isinstance(error, HostKeyError) and error.new]
    locked = [path for error in errors if isinstance(error, LoginError) for path in error.locked]
    nodes = [error.node or "" for error in errors if isinstance(error, SudoError)]
    answered = [
        _accept(_open(new, answers), answers, asker),
        _unlock(_open(locked, answers), answers, asker),
        _password(_open(nodes, answers), answers, asker),
    ]
    return any(answered)


def _open(subjects: Iterable[T], answers: Answers) -> list[T]:
    """Each subject once, in order, without those that nobody wanted to answer before."""
    return [each for each in dict.fromkeys(subjects) if each not in answers.declined]


def _accept(new: Sequence[NewKey], answers: Answers, asker: Asker) -> bool:
    """Ask about all new host keys in one question; saying yes means having compared them."""
    if not new:
        return False
    rows = "".join(f"\n  {each.host}  {each.kind}  {fingerprint(each.key)}" for each in new)
    one = len(new) == 1
    text = f"{'This host key is' if one else 'These host keys are'} not known yet:{rows}"
    files = ", ".join(dict.fromkeys(str(each.file) for each in new if each.file)) or "memory, for this run"
    if not asker.confirm(text, f"Compare with what the console shows. Write {'it' if one else 'them'} to {files}?"):
        answers.declined.update(new)
        return False
    from lbdeploy.ssh.transport.host_keys import write

    for each in new:
        answers.accepted.add((each.name, each.key))
        write(each)
    return True


def _unlock(locked: Sequence[Path], answers: Answers, asker: Asker) -> bool:
    """Ask for passphrases until one key is unlocked; an empty answer goes on to the next key."""
    for path in locked:
        if key := _unlocked(path, asker):
            answers.unlocked[path] = key
            return True
        answers.declined.add(path)
    return False


def _unlocked(path: Path, asker: Asker) -> Any:
    from lbdeploy.ssh.transport.identities import LockedKeyError, unlock

    for _ in range(TRIES):
        passphrase = asker.secret(f"Passphrase of {path}")
        if not passphrase:
            return None
        with suppress(LockedKeyError):
            return unlock(path, passphrase)
    return None


def _password(nodes: Sequence[str], answers: Answers, asker: Asker) -> bool:
    if not nodes:
        return False
    answers.sudo_password = asker.secret(f"Password for sudo on {' and '.join(nodes)}") or None
    answers.declined.update(() if answers.sudo_password else nodes)
    return answers.sudo_password is not None
