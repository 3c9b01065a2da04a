"""A flat repository: a directory of .deb files with an index that apt reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from lbdeploy.lab.host.processes import run


def index(directory: Path, suite: str) -> None:
    """Writes `Packages` for all .deb files of the directory, and `Release`, which tells apt that there is no more."""
    with ThreadPoolExecutor() as pool:
        entries = list(pool.map(_entry, sorted(directory.glob("*.deb"))))
    packages = "\n".join(entries)
    (directory / "Packages").write_text(packages)
    (directory / "Release").write_text(_release(packages.encode(), suite))


def _entry(package: Path) -> str:
    control = run(["dpkg-deb", "--field", str(package)]).rstrip("\n")
    return "\n".join([control, *_file_fields(package)]) + "\n"


def _file_fields(package: Path) -> Iterator[str]:
    content = package.read_bytes()
    yield f"Filename: ./{package.name}"
    yield f"Size: {len(content)}"
    yield f"SHA256: {hashlib.sha256(content).hexdigest()}"


def _release(packages: bytes, suite: str) -> str:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    digest = hashlib.sha256(packages).hexdigest()
    return f"Origin: Debian\nCodename: {suite}\nDate: {date}\nSHA256:\n {digest} {len(packages)} Packages\n"
