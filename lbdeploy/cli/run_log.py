"""The log of a run: every event, every script sent to a node and its output.

It is written by its own thread, so that no run waits for it, and created with the first entry: commands that contact no
host have none. See docs/decisions/032-the-log.md.
"""

from __future__ import annotations

import errno
import os
import queue
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from lbdeploy import __version__
from lbdeploy.common.cache import digest
from lbdeploy.common.paths import logs
from lbdeploy.common.sanitize import safe_text
from lbdeploy.events import Event, RemoteCommand, excerpt
from lbdeploy.node.remote import readable

KEPT = 50  # logs are kept; older ones are deleted
LIMIT = 6000  # characters of a script that are logged; of its output, the transport tells about as many
CLOSE_SECONDS = 2.0


class Logbook:
    """The log of this run; its file is created with the first entry."""

    def __init__(self, argv: list[str], about: str = "") -> None:
        """`about`: what the run works on, such as the files that it reads."""
        self._path: Path | None = None
        self._trouble = ""
        self._argv = argv
        self._about = about
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._known: dict[str, str] = {}

    def event(self, event: Event) -> None:
        """Record an event. May be called from any thread."""
        self.write("\n".join(self._told(event)))

    def write(self, text: str) -> None:
        """Add some lines."""
        if not self._thread:
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
        self._lines.put(f"{_now()} {text}\n")

    def close(self) -> tuple[Path | None, str]:
        """Write what is left, and end. Returns the log's path, or why there is none; the reason only once."""
        if self._thread:
            self._lines.put(None)
            self._thread.join(CLOSE_SECONDS)
        trouble, self._trouble = self._trouble, ""
        return self._path, trouble

    def _told(self, event: Event) -> Iterator[str]:
        if isinstance(event, RemoteCommand):
            yield f"{event.who}: {event.command}: {event.seconds:.2f} s, exit status {event.status}"
            yield from _indented("> ", excerpt(self._once(readable(event.script)), LIMIT))
            yield from _indented("< ", event.output)
        else:
            yield f"{event.who}: {event.text}" if event.who else event.text

    def _once(self, script: str) -> str:
        """The script, or a reference where the same one, nonces aside, was written before."""
        key = digest(script.encode(errors="surrogateescape"))
        if key in self._known:
            return f"(the same script as at {self._known[key]})"
        self._known[key] = _now()
        return script

    def _work(self) -> None:
        try:
            with self._opened() as file:
                while (text := self._lines.get()) is not None:
                    file.write(safe_text(text))
                    if self._lines.empty():
                        file.flush()
        except OSError as error:
            self._path, self._trouble = None, f"{error.filename or 'the log'}: {error.strerror}"
        except Exception as error:  # no error in the log may make the run fail
            self._path, self._trouble = None, f"{type(error).__name__}: {error}"

    def _opened(self) -> TextIO:
        folder = logs()
        if not folder.is_absolute():
            raise OSError(errno.ENOENT, "whose home is that?", str(folder))  # a user without HOME and passwd entry
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file = os.fdopen(number, "w", encoding="utf-8", errors="replace")
        self._path = path
        file.write(
            f"lbdeploy {__version__}, Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d %H:%M:%S %z')}\n"
        )
        file.write(safe_text(f"{shlex.join(self._argv)}\n{self._about}\n"))
        _clear(folder)
        return file


def _indented(mark: str, text: str) -> Iterator[str]:
    start, lines = f"    {mark}", text.replace("\r\n", "\n").rstrip("\n")
    yield from [start + lines.replace("\n", f"\n{start}")] if lines else []


def _now() -> str:
    now = time.time()
    return f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03}"


def _clear(folder: Path) -> None:
    """Delete old logs; another run may be doing the same."""
    for old in sorted(folder.glob("*.log"), key=lambda path: path.name.removeprefix("crash-"))[:-KEPT]:
        old.unlink(missing_ok=True)
