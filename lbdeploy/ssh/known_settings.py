"""What `ssh -G` says of a host, kept for the next run: it takes 4 ms of CPU a host, before that can be dialled.

It is kept only where it depends on nothing but the usual files of OpenSSH's: see docs/decisions/059-valid-before.md.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from pathlib import Path

from lbdeploy.common import cache
from lbdeploy.common.redact import holds_password

SYSTEM = Path("/etc/ssh/ssh_config")
USUAL = "include /etc/ssh/ssh_config.d/*.conf"  # Debian's, in SYSTEM
# Lines with these may make it depend on more: on further files, commands, the networks of this machine, or DNS.
_MORE = ("include", "match", "canonicalize")


def key(argv: Sequence[str], config: Path | None) -> str:
    """The key of what `ssh -G` says, called like this, with `config` for -F; "" where it must be asked each time."""
    program = next(filter(os.path.isfile, (os.path.join(each, argv[0]) for each in os.get_exec_path())), "")
    try:
        user = pwd.getpwuid(os.getuid())  # ssh goes by his home, whatever HOME is
        seen = os.stat(program)
        files = [*_files(Path(user.pw_dir) if config is None else config, config is None)]
    except (KeyError, OSError, ValueError):
        return ""
    return cache.key("ssh -G", *argv, user.pw_name, program, seen.st_size, seen.st_mtime_ns, files)


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
    yield _file(SYSTEM, USUAL)
    yield from map(_file, sorted(Path(USUAL.split()[1]).parent.glob("*.conf")))


def _file(path: Path, usual: str = "") -> tuple[str, list[object]]:
    """A file by what matters of it: its text, and who may write it, since ssh refuses what others may."""
    try:
        with open(path, "rb") as file:
            seen, text = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        return str(path), []
    lines = (" ".join(line.split()) for line in text.decode(errors="replace").lower().splitlines())
    if any(word in line for line in lines if line[:1] != "#" and line != usual for word in _MORE):
        raise ValueError
    return str(path), [seen.st_uid, seen.st_mode, cache.digest(text)]
