"""A signed apt repository in the tests' own hands: a package of the lab's, as another version, on nodes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Lab

FOLDER = "/srv/tests-own"  # on the nodes

# An HTTP proxy that apt is sent to: whatever host is asked for, it has the repository's files. It says what was asked.
PROXY = """
import http.server, sys, urllib.parse
class Proxy(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        self.path = urllib.parse.urlsplit(self.path).path
        super().do_GET()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("{address}", 3142), lambda *all: Proxy(*all, directory=sys.argv[1])).serve_forever()
"""


class Repository:
    """A folder with packages, their list, and a signature by a key of its own (`key`, binary)."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder / "repository"
        self.folder.mkdir(parents=True)
        self.key = folder / "tests-own.gpg"
        self._home = folder / "gnupg"
        self._home.mkdir(mode=0o700)
        self._gpg("--quick-generate-key", "tests", "default", "default", "never")
        self.key.write_bytes(self._gpg("--export"))

    def add(self, package: str, version: str) -> None:
        """The package that nodes have, under another version."""
        (shipped,) = self.lab.root("lb1").glob(f"srv/packages/{package}_*.deb")
        tree = self.folder.parent / "tree"
        _run("dpkg-deb", "-R", str(shipped), str(tree))
        control = tree / "DEBIAN/control"
        lines = [f"Version: {version}" if x.startswith("Version:") else x for x in control.read_text().splitlines()]
        control.write_text("\n".join(lines) + "\n")
        _run("dpkg-deb", "-b", "-Znone", str(tree), str(self.folder / f"{package}_{version.replace(':', '%3a')}.deb"))
        shutil.rmtree(tree)

    def publish(self, *nodes: str) -> None:
        """Write its lists, sign them, and put it on the nodes."""
        packages = "\n".join(_entry(path) for path in sorted(self.folder.glob("*.deb")))
        (self.folder / "Packages").write_text(packages)
        checksum = hashlib.sha256(packages.encode()).hexdigest()
        release = self.folder / "Release"
        release.write_text(f"Date: {formatdate(usegmt=True)}\nSHA256:\n {checksum} {len(packages.encode())} Packages\n")
        (self.folder / "InRelease").write_bytes(self._gpg("--clearsign", "--output", "-", str(release)))
        for node in nodes:
            shutil.copytree(self.folder, self.lab.root(node) / FOLDER[1:], dirs_exist_ok=True)
            self.lab.on(node, f"chmod -R a+rX {FOLDER}")

    @contextmanager
    def proxied(self, address: str) -> Iterator[list[str]]:
        """An apt proxy at port 3142 of one of the client's addresses; afterwards, the list has what was fetched."""
        argv = [
            "ip",
            "netns",
            "exec",
            self.lab.namespace("client"),
            sys.executable,
            "-c",
            PROXY.format(address=address),
        ]
        asked: list[str] = []
        with subprocess.Popen([*argv, str(self.folder)], stdout=subprocess.PIPE, text=True) as proxy:
            try:
                yield asked
            finally:
                proxy.kill()
                assert proxy.stdout
                asked += proxy.stdout.read().splitlines()

    def remove(self, *nodes: str) -> None:
        for node in nodes:
            self.lab.on(node, f"rm -rf {FOLDER}")

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self._home), "--kill", "all"], check=True)

    def _gpg(self, *args: str) -> bytes:
        argv = ["gpg", "--homedir", str(self._home), "--batch", "--yes", "--pinentry-mode", "loopback"]
        return _run(*argv, "--passphrase", "", *args)


def _entry(path: Path) -> str:
    control = _run("dpkg-deb", "-f", str(path)).decode()
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{control}Filename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {checksum}\n"


def _run(*argv: str) -> bytes:
    done = subprocess.run(argv, check=False, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    return done.stdout
