"""One machine: QEMU with the kernel of its disk, and before that disk a volatile cache, as in a real one.

What the guest has not written is lost when the power is cut, and so is what it has written and not flushed: nbdkit
keeps that apart until the guest flushes, and both are killed. That is the worst that a disk may do.
"""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from disks import image_of
from root_shell import PORT, Console, GoneError

from lbdeploy.lab.host.paths import SWITCH, Place
from lbdeploy.lab.host.processes import ENVIRONMENT, run
from lbdeploy.lab.image.build import Image
from lbdeploy.lab.machine import wiring
from lbdeploy.lab.machine.topology import Host

MEGABYTES = 640
_KVM_PATIENCE = 15.0  # s; a kernel that has not come to its end by then will not
_TCG = "tcg,thread=multi"
_KERNEL = "root=/dev/vda ro console=ttyS0 mitigations=off"
# Without KVM, on a busy host, the kernel measures its clocks wrongly, by a factor of 36 once; HPET's rate is a given. A
# processor without AES has no modules for it, which test themselves at each boot; nor does all else have to be started.
_UNNEEDED = ("e2scrub_reap.service", "getty@tty1.service", "serial-getty@ttyS0.service", "systemd-pstore.service")
_SLOW = " ".join(
    (
        "tsc=unstable nolapic_timer no_timer_check quiet systemd.show_status=no systemd.default_timeout_start_sec=600",
        *(f"systemd.mask={unit}" for unit in _UNNEEDED),
    )
)
_NO_ROOT = "Unable to mount root fs"  # what the kernel ends with where it finds no disk


def accelerator(image: Image) -> str:
    """KVM where a kernel boots with it, or else QEMU's own translation, which is slower.

    /dev/kvm may be there, and each call of it succeed, and the guest hang all the same: only a boot tells.
    """
    argv = [*_base("kvm", image, "console=ttyS0 panic=-1"), "-no-reboot", "-serial", "stdio"]
    try:
        boot = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_KVM_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return _TCG
    return "kvm" if _NO_ROOT.encode() in boot.stdout else _TCG


def _base(accelerator: str, image: Image, kernel_arguments: str) -> list[str]:
    kernel = ["-kernel", str(image.root / "vmlinuz"), "-append", kernel_arguments]
    machine = [
        "-machine",
        "q35",
        "-accel",
        accelerator,
        "-cpu",
        "host" if accelerator == "kvm" else "Nehalem",
        "-smp",
        "1",
        "-m",
        str(MEGABYTES),
    ]
    return ["qemu-system-x86_64", *machine, "-nodefaults", "-display", "none", *kernel]


class Machine:
    """The machine of a host. Its processes are in the switch's namespace, where `lab down` ends whatever it finds."""

    def __init__(self, place: Place, host: Host, image: Image, accelerator: str) -> None:
        self.host = host
        self._place = place
        self._folder = place.host(host.name)
        self._image = image
        self._accelerator = accelerator
        self._disk: subprocess.Popen[bytes] | None = None
        self._qemu: subprocess.Popen[bytes] | None = None
        self._shell: Console | None = None

    @property
    def messages(self) -> str:
        """All that its kernels and systemds have ever said on the console."""
        return (self._folder / "console.log").read_text(errors="replace")

    def ask(self, command: str, seconds: float) -> tuple[int, str, str]:
        """Exit code, output and errors of a shell command, run as root. Raises GoneError."""
        if not (self.is_on and self._shell):
            raise GoneError("the machine is off")
        return self._shell.ask(command, seconds)

    @property
    def is_on(self) -> bool:
        return self._qemu is not None and self._qemu.poll() is None

    def reboot(self) -> None:
        """Has the machine reboot, as its administrator does; returns at once. It answers again after its boot.

        Once the reboot has begun, the shell is one of the first to end: it must have answered by then.
        """
        assert self._shell
        self._shell.ask("(sleep 1; systemctl reboot) > /dev/null 2>&1 < /dev/null &", 60)
        self._shell.reboots()

    def power_on(self) -> None:
        """Switches the machine on; returns at once. To be called by a thread that lives as long as the machine."""
        self._plug_in()
        for path in (self._disk_socket, self._shell_socket):
            path.unlink(missing_ok=True)
        cache = ["--filter=cache", "file", str(image_of(self._folder)), "cache=writeback"]
        self._disk = self._start(["nbdkit", "--foreground", "--unix", str(self._disk_socket), *cache])
        self._connected(self._disk_socket).close()
        arguments = _KERNEL if self._accelerator == "kvm" else f"{_KERNEL} {_SLOW}"
        self._qemu = self._start([*_base(self._accelerator, self._image, arguments), *self._parts()])
        self._shell = Console(self._connected(self._shell_socket))

    def cut_power(self) -> None:
        """What has not reached the disk for good is lost, at once."""
        for process in (self._disk, self._qemu):  # in this order: no flush reaches a disk that has no power
            if process:
                process.kill()
        for process in (self._disk, self._qemu):
            if process:
                process.wait(10)
        if self._shell:
            self._shell.close()

    def _start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        # They end with whatever has started them, in whichever way that ends. Each has a session of its own, as Linux
        # divides cores by sessions (sched(7), autogroup): so one of many that are at work here is no busier.
        around = ["ip", "netns", "exec", self._place.namespace(SWITCH), "setsid", "setpriv", "--pdeathsig", "KILL"]
        around += ["nice", "-n", "1"]  # client and laptop come first
        with (self._folder / "machine.log").open("ab") as log:
            environment = {**ENVIRONMENT, "TMPDIR": str(self._folder)}
            return subprocess.Popen(
                [*around, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd="/"
            )

    def _connected(self, path: Path) -> socket.socket:
        """A connection to a program that was started just now."""
        deadline = time.monotonic() + 20
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
                return connection
            except OSError:
                connection.close()
                assert time.monotonic() < deadline, (self._folder / "machine.log").read_text()
                time.sleep(0.02)

    @property
    def _disk_socket(self) -> Path:
        return self._folder / "disk.socket"

    @property
    def _shell_socket(self) -> Path:
        return self._folder / "shell.socket"

    def _parts(self) -> list[str]:
        disk = f"file=nbd+unix:///?socket={self._disk_socket},format=raw,if=virtio,cache=writeback"
        parts = ["-initrd", str(self._image.root / "initrd.img"), "-drive", disk, "-device", "virtio-rng-pci"]
        messages = f"file,id=messages,append=on,path={self._folder}/console.log"
        shell = f"socket,id=shell,server=on,wait=off,path={self._shell_socket}"
        parts += ["-chardev", messages, "-serial", "chardev:messages", "-chardev", shell]
        parts += ["-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=shell,name={PORT}"]
        for cable in self.host.cables:
            parts += ["-netdev", f"tap,id={cable.port},ifname={cable.port},script=no,downscript=no"]
            parts += ["-device", f"virtio-net-pci,netdev={cable.port},mac={wiring.mac(self.host, cable)}"]
        return parts

    def _plug_in(self) -> None:
        switch = self._place.namespace(SWITCH)
        for cable in self.host.cables:
            if not run(["ip", "-n", switch, "-br", "link", "show", "dev", cable.port], check=False):
                run(["ip", "-n", switch, "tuntap", "add", "dev", cable.port, "mode", "tap"])
                into = ["master", wiring.bridge(cable.segment), "addrgenmode", "none", "up"]
                run(["ip", "-n", switch, "link", "set", cable.port, *into])
