"""What `ssh -G` says of a host, kept for the next run: it takes 4 ms of CPU a host, before that can be dialled.

It is kept only where it depends on nothing but the usual files of OpenSSH's: see docs/decisions/059-valid-before.md.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from lbdeploy.common import cache
from lbdeploy.common.redact import holds_password

SYSTEM = Path("/etc/ssh/ssh_config")
USUAL = "include /etc/ssh/ssh_config.d/*.conf"  # Debian's, in SYSTEM
PROGRAM = "/usr/bin/ssh"  # another one may have its files elsewhere, or be a script that goes by anything
# Lines with these may make it depend on more: further files, commands, the networks of this machine, DNS, variables.
_MORE = ("include", "match", "canonicalize", "$")


def key(argv: Sequence[str], config: Path | None) -> str:
    """The key of what `ssh -G` says, called like this, with `config` for -F; "" where it must be asked each time."""
    places = (os.path.join(each, argv[0]) for each in os.get_exec_path())
    program = next((each for each in places if os.access(each, os.X_OK)), "")
    if os.path.realpath(program) != PROGRAM:
        return ""
    try:
        user = pwd.getpwuid(os.getuid())  # ssh goes by his home, whatever HOME is
        seen = os.stat(program)
        with open(program, "rb") as file:
            if file.read(2) == b"#!":
                return ""
        files = [*_files(Path(user.pw_dir) if config is None else config, config is None)]
    except (KeyError, OSError, ValueError):
        return ""
    here = os.uname().nodename, user.pw_name, user.pw_uid  # which files may be named after
    return cache.key("ssh -G", *argv, *here, program, seen.st_size, seen.st_mtime_ns, files)


def recall(key: str) -> str | None:
    """What was kept by this key; None where nothing was."""
    kept = cache.recall(key) if key else None
    return kept if isinstance(kept, str) else None


def keep(key: str, settings: str) -> None:
    """Keep what `ssh -G` has said, unless there may be a password in it, as in a ProxyCommand."""
    if key and not holds_password(settings):
        cache.keep(key, settings)


def _files(path: Path, is_home: bool) -> Iterator[tuple[str, list[object]]]:
    """The files that it reads. Raises ValueError where it may depend on more, OSError where one can't be read."""
    if not is_home:
        yield _file(path)
        return
    yield _file(path / ".ssh" / "config")
    if not SYSTEM.exists():
        raise ValueError  # this ssh has its files elsewhere
    yield _file(SYSTEM, USUAL)
    yield from map(_file, sorted(Path(USUAL.split()[1]).parent.glob("*.conf")))


def _file(path: Path, usual: str = "") -> tuple[str, list[object]]:
    """A file by what matters of it: its text, and who may write it, since ssh refuses what others may."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would be waited for otherwise
    except FileNotFoundError:
        return str(path), []
    with open(number, "rb") as file:
        seen = os.fstat(number)
        if not stat.S_ISREG(seen.st_mode):
            raise ValueError
        text = file.read()
    lines = (" ".join(line.split()) for line in text.decode(errors="replace").lower().splitlines())
    if any(word in line for line in lines if line[:1] != "#" and line != usual for word in _MORE):
        raise ValueError
    return str(path), [seen.st_uid, seen.st_mode, cache.digest(text)]
