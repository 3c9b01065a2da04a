"""Three members of etcd with mutual TLS, in the lab where stand-ins were, and etcdctl as their client."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness import VIPS, wait_for

if TYPE_CHECKING:
    from harness import Lab

MEMBERS = {"etcd1": "192.168.1.31", "etcd2": "192.168.1.32", "etcd3": "192.168.1.33"}
FRONTEND = "\n[frontends.etcd]\nport = 2379\n[frontends.etcd.servers]\n" + "".join(
    f'{name} = "{address}"\n' for name, address in MEMBERS.items()
)


class Etcd:
    """A cluster of etcd; `folder` has its certificates and data."""

    def __init__(self, lab: Lab, programs: Path, folder: Path) -> None:
        self.lab = lab
        self.programs = programs
        self.folder = folder

    def entry(self, where: str) -> list[str]:
        return ["ip", "netns", "exec", self.lab.namespace(where)]

    def ctl(self, where: str, address: str, *args: str) -> list[str]:
        """An etcdctl in one of the lab's networks. It sends nothing by itself: it has no keepalive."""
        files = [
            f"--{name}={self.folder / file}" for name, file in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
        ]
        given = [f"--endpoints=https://{address}:2379", "--keepalive-time=0s", *files]
        return [*self.entry(where), "env", "ETCDCTL_API=3", str(self.programs / "etcdctl"), *given, *args]

    def ask(self, *args: str, check: bool = True) -> str:
        """What a member answers, asked without a load balancer; some of it is printed to standard error."""
        argv = self.ctl("etcd1", MEMBERS["etcd1"], *args)
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
        assert not check or done.returncode == 0, done.stderr
        return (done.stdout + done.stderr).strip()

    def member(self, name: str) -> list[str]:
        own, files = MEMBERS[name], {"cert": "cert", "key": "key", "trusted-ca": "ca"}
        tls = [f"--{kind}{what}-file={self.folder / file}" for kind in ("", "peer-") for what, file in files.items()]
        cluster = ",".join(f"{each}=https://{address}:2380" for each, address in MEMBERS.items())
        urls = {"listen-client": 2379, "advertise-client": 2379, "listen-peer": 2380, "initial-advertise-peer": 2380}
        argv = [*self.entry(name), str(self.programs / "etcd"), f"--name={name}", f"--initial-cluster={cluster}"]
        argv += [f"--{each}-urls=https://{own}:{port}" for each, port in urls.items()]
        slow = ["--heartbeat-interval=500", "--election-timeout=5000"]  # a busy machine is no reason to elect
        return [*argv, *tls, *slow, "--client-cert-auth", "--peer-client-cert-auth", f"--data-dir={self.folder / name}"]

    def certify(self) -> None:
        """One certificate for all, by a CA of its own."""
        sans = ",".join(f"IP:{each}" for each in (*MEMBERS.values(), *VIPS))
        new = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]
        by_ca = ["-CA", "ca", "-CAkey", "ca-key", "-addext", f"subjectAltName={sans}"]
        by_ca += ["-addext", "extendedKeyUsage=serverAuth,clientAuth", "-addext", "basicConstraints=critical,CA:FALSE"]
        for more in (["-subj", "/CN=ca", "-keyout", "ca-key", "-out", "ca"],
                     ["-subj", "/CN=etcd", "-keyout", "key", "-out", "cert", *by_ca]):  # fmt: skip
            subprocess.run([*new, *more], check=True, capture_output=True, cwd=self.folder)


@contextmanager
def etcd_in(lab: Lab, programs: Path, folder: Path) -> Iterator[Etcd]:
    """etcd behind a frontend of its own, within the block."""
    lab.file.write_text(lab.file.read_text() + FRONTEND)
    lab.lab("up")
    for name in MEMBERS:
        lab.lab("stop", name)
    etcd = Etcd(lab, programs, folder)
    etcd.certify()
    quiet = subprocess.DEVNULL
    members = [subprocess.Popen(etcd.member(name), stdout=quiet, stderr=quiet) for name in MEMBERS]
    try:
        wait_for(lambda: "is healthy" in etcd.ask("endpoint", "health", "--dial-timeout=1s", check=False), 60)
        lab.do("up")
        yield etcd
    finally:
        for each in members:
            each.kill()
            each.wait()


class Reading:
    """What a program prints, line by line, and when (s, monotonic)."""

    def __init__(self, argv: list[str]) -> None:
        self.lines: list[tuple[float, str]] = []
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append((time.monotonic(), line.strip()))

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
