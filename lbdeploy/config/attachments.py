"""The operator's scripts that hosts.toml names: read beside it, and refused where no node could run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lbdeploy.hosts.schema import VrrpTable

LONGEST = 256 * 1024  # bytes; every look reads all of it from each node, and a change sends it there

Complaint = tuple[tuple[str, ...], str, str]


def named(vrrp: VrrpTable | None) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key that names a script, with its value."""
    if vrrp:
        yield from (
            (("vrrp", "track_scripts", name, "script"), each.script) for name, each in vrrp.track_scripts.items()
        )
        yield from [(("vrrp", "notify"), vrrp.notify)] if vrrp.notify else []


def read(folder: Path, vrrp: VrrpTable | None, texts: dict[str, str]) -> Iterator[Complaint]:
    """Put the text of each script into `texts`, by its path below `folder`, where it is not there already.

    Yields what is wrong with it: (key, message, fix).
    """
    for key, path in named(vrrp):
        if path not in texts:
            wrong = _read(folder / path, path, texts)
            if wrong:
                yield (key, *wrong)


def _read(file: Path, path: str, texts: dict[str, str]) -> tuple[str, str] | None:
    try:
        content = file.read_bytes()
        text = content.decode()
    except FileNotFoundError:
        return f"there is no {path} beside hosts.toml", "write it, or correct the path: it is relative to hosts.toml"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}", "name a file that you may read"
    except UnicodeDecodeError:
        return f"{path} is not text in UTF-8", "name a script; programs are installed on the nodes by other means"
    texts[path] = text
    return _unusable(path, text)


def _unusable(path: str, text: str) -> tuple[str, str] | None:
    """Why the kernel could not run it (execve(2), Interpreter scripts), or a node could not be given it."""
    first = text.partition("\n")[0]
    if not text.strip():
        return f"{path} is empty", "write the script, beginning with #!/bin/sh"
    if len(text.encode()) > LONGEST or "\0" in text:
        return f"{path} is no script: it has NUL bytes, or more than {LONGEST >> 10} KiB", "name a script"
    if not first.startswith("#!/"):
        return f"{path} does not begin with #! and an interpreter", "begin it with a line like #!/bin/sh"
    if first.endswith("\r"):
        return f"{path} has the line ends of Windows, with which no interpreter is found", "save it with those of Unix"
    return None
