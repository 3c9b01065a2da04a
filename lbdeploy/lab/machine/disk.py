"""A node's disk, as its installation left it: the differences from the image, the upper layer of its overlay."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from lbdeploy.lab.host.paths import Place
from lbdeploy.lab.image.build import remove
from lbdeploy.lab.machine.keys import make_ssh_key
from lbdeploy.lab.machine.ssh_access import host_key

HOST_KEYS = ("ed25519", "ecdsa")
_UID = 1000
_HOSTS = "127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost ip6-loopback\n"


def disk_of(place: Place, node: str) -> Path:
    """Where the node's disk is: `changes` is the layer that it writes to."""
    return place.host(node) / "disk"


def hostname_of(node: str) -> str:
    """The node's name, as a host name without a domain."""
    return re.sub(r"[^A-Za-z0-9]+", "-", node)


def install(place: Place, node: str, root: Path, user: str, port: int) -> None:
    """Wipes the node's disk and installs the node on it, with a new host key."""
    disk = disk_of(place, node)
    remove(disk)
    half = disk.with_name("disk.new")
    remove(half)
    for part in ("changes", "work"):
        (half / part).mkdir(parents=True)
    _Installation(root, half / "changes").run(node, user, port, (place.dir / "id_ed25519.pub").read_text())
    shutil.copyfile(half / "changes/etc/ssh/ssh_host_ed25519_key.pub", host_key(place, node))
    half.rename(disk)


class _Installation:
    """Writes into `changes`, the layer over the image at `root`. Owners and modes of directories are the image's."""

    def __init__(self, root: Path, changes: Path) -> None:
        self.root = root
        self.changes = changes
        self._like_image(changes, root)

    def run(self, node: str, user: str, port: int, key: str) -> None:
        """Writes all that makes the image one particular machine."""
        hostname = hostname_of(node)
        self.write("etc/hostname", f"{hostname}\n")
        self.write("etc/hosts", _HOSTS.format(hostname=hostname))
        if port != 22:
            self.write("etc/ssh/sshd_config.d/port.conf", f"Port {port}\n")
        for kind in HOST_KEYS:
            make_ssh_key(self._path(f"etc/ssh/ssh_host_{kind}_key"), kind)
        home = self._home(user)
        self.write(f"{home}/.ssh/authorized_keys", key, 0o600)
        self._path(f"{home}/.ssh/authorized_keys").parent.chmod(0o700)
        self._own(home)

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Writes a file of the layer."""
        path = self._path(name)
        path.write_text(text)
        path.chmod(mode)

    def _home(self, user: str) -> Path:
        """The home of `user`, who is added if the image does not have that name, and may become root with sudo."""
        if user == "root":
            return Path("root")
        known = self._lines("etc/passwd", user)
        if not known:
            self._add_user(user)
        self.write("etc/sudoers.d/90-login", f"{user} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        return Path(known[0].split(":")[5].lstrip("/")) if known else Path("home", user)

    def _add_user(self, user: str) -> None:
        self._append("etc/passwd", f"{user}:x:{_UID}:{_UID}::/home/{user}:/bin/bash")
        self._append("etc/group", f"{user}:x:{_UID}:")
        self._append("etc/shadow", f"{user}:*:19700:0:99999:7:::")
        self._append("etc/gshadow", f"{user}:!::")
        for path in (self.root / "etc/skel").iterdir():
            shutil.copy(path, self._path(f"home/{user}/{path.name}"))

    def _lines(self, name: str, user: str) -> Sequence[str]:
        return [line for line in (self.root / name).read_text().splitlines() if line.startswith(f"{user}:")]

    def _append(self, name: str, line: str) -> None:
        source, path = self.root / name, self._path(name)
        path.write_text(source.read_text() + line + "\n")
        self._like_image(path, source)

    def _path(self, name: str) -> Path:
        """A path of the layer; missing parent directories are made, with the image's owners and modes."""
        path = self.changes / name
        missing = [each for each in (path, *path.parents) if each.is_relative_to(self.changes) and not each.exists()]
        for directory in reversed(missing[1:]):
            directory.mkdir()
            self._like_image(directory, self.root / directory.relative_to(self.changes))
        return path

    def _like_image(self, path: Path, source: Path) -> None:
        status = source.stat() if source.exists() else None
        os.chown(path, status.st_uid if status else 0, status.st_gid if status else 0)
        path.chmod(status.st_mode & 0o7777 if status else 0o755)

    def _own(self, home: Path) -> None:
        """Makes the user the owner of everything below the home."""
        if home.parts[0] == "home":
            top = self.changes / home
            for path in (top, *top.rglob("*")):
                os.chown(path, _UID, _UID)
