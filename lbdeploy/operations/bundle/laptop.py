"""This machine's part of a bundle: hosts.toml, templates, versions, and the logs of runs on this file."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from lbdeploy.common.version import __version__
from lbdeploy.config.model import templates_beside
from lbdeploy.operations.bundle.contents import Entry, Missing, Part, plain
from lbdeploy.operations.history.logs import logs_of

LOGS, LARGEST = 15, 2_000_000  # of the latest runs; characters of each, of its end
PACKAGES = ("click", "cryptography", "fabric", "invoke", "jinja2", "paramiko", "pydantic", "rich")


def collect(file: Path, hosts: str) -> Part:
    """What can be read here. `hosts`: the text of hosts.toml, which lies at `file`."""
    entries = [plain("laptop/hosts.toml", hosts), plain("laptop/versions.txt", "\n".join(_versions()))]
    found = [*_read(_templates(file), "laptop/templates"), *_read(logs_of(file)[:LOGS], "laptop/logs")]
    missing = tuple(each for each in found if isinstance(each, Missing))
    return Part((*entries, *(each for each in found if isinstance(each, Entry))), missing)


def _templates(file: Path) -> list[Path]:
    return sorted(path for path in templates_beside(file).glob("*.j2") if path.is_file())


def _read(paths: Iterable[Path], folder: str) -> Iterator[Entry | Missing]:
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            yield Missing(None, f"{folder}/{path.name}", error.strerror or str(error))
        else:
            yield plain(f"{folder}/{path.name}", text[-LARGEST:])


def _versions() -> Iterator[str]:
    yield f"lbdeploy {__version__}"
    yield f"Python {sys.version}"
    yield platform.platform()
    yield _ssh()
    for name in PACKAGES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} is not installed"


def _ssh() -> str:
    try:
        done = subprocess.run(["ssh", "-V"], check=False, capture_output=True, text=True, timeout=5)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"ssh -V: {error}"
    return (done.stderr or done.stdout).strip()
