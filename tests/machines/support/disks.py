"""The disk of a machine: a file with an ext4 file system, on which the lab's node is installed, network included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import root_shell

from lbdeploy.lab import up
from lbdeploy.lab.host.processes import run
from lbdeploy.lab.image.build import PACKAGES, Image, Recipe, remove
from lbdeploy.lab.machine import wiring
from lbdeploy.lab.machine.disk import disk_of
from lbdeploy.lab.machine.topology import Cable, Host

# A container is given its network from outside, and has no need of a kernel.
RECIPE = Recipe(up.DEFAULT_SUITE, ("linux-image-cloud-amd64", "udev"))
SIZE = "2G"
_WANTED = {
    "multi-user.target.wants/systemd-networkd.service": "/lib/systemd/system",
    "sockets.target.wants/systemd-networkd.socket": "/lib/systemd/system",
    "network-online.target.wants/systemd-networkd-wait-online.service": "/lib/systemd/system",
    "multi-user.target.wants/shell.service": "/etc/systemd/system",
}

# Two layers over the image: the lab's, which make it this host, and what a machine has besides.
_WRITE = """\
mount -t overlay overlay -o 'ro,lowerdir={extra}:{changes}:{image.root}' '{root}'
mount --bind '{image.repository}' '{root}{packages}'
mkfs.ext4 -q -F -d '{root}' '{disk}.new' {size}
mv '{disk}.new' '{disk}'
"""


def install(lab: up.Lab, host: Host, image: Image) -> None:
    """Wipes the host's disk, and installs it anew, with a new host key. The machine must be off."""
    up.install(lab, host, image)
    folder = lab.place.host(host.name)
    root, extra = folder / "root", folder / "extra"
    remove(extra)
    root.mkdir(exist_ok=True)
    for name, text in _texts(host, lab.cluster.ssh.user or "ops"):
        _write(extra / name, text)
    _enable(extra / "etc/systemd/system")
    changes = disk_of(lab.place, host.name) / "changes"
    paths = {"extra": extra, "changes": changes, "image": image, "root": root, "disk": image_of(folder)}
    script = _WRITE.format(**paths, packages=PACKAGES, size=SIZE)
    run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", script])


def image_of(folder: Path) -> Path:
    """The file that is the disk of the host with this folder."""
    return folder / "disk.img"


def _texts(host: Host, user: str) -> Iterator[tuple[str, str]]:
    yield "etc/fstab", "/dev/vda / ext4 errors=remount-ro 0 1\n"
    yield "etc/systemd/system/shell.service", root_shell.UNIT
    # The user's systemd stays, which would start and end with each login: half a second of a machine without KVM.
    yield f"var/lib/systemd/linger/{user}", ""
    for cable in host.cables:
        mac = wiring.mac(host, cable)
        name = f"etc/systemd/network/10-{cable.interface}"
        yield f"{name}.link", f"[Match]\nMACAddress={mac}\n[Link]\nName={cable.interface}\n"
        yield f"{name}.network", _network(cable)


def _network(cable: Cable) -> str:
    addresses = "".join(f"Address={each}\n" for each in cable.addresses)
    routes = "".join(f"[Route]\nDestination={each}\nScope=link\n" for each in cable.routes)
    return f"[Match]\nName={cable.interface}\n[Network]\n{addresses}{routes}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _enable(system: Path) -> None:
    for link, folder in _WANTED.items():
        (system / link).parent.mkdir(parents=True, exist_ok=True)
        (system / link).symlink_to(f"{folder}/{Path(link).name}")
