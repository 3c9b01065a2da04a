"""Clients and servers that nobody here wrote: Debian's own, unpacked, and not installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PACKAGES = ("etcd-server", "etcd-client", "kubernetes-client")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with etcd, etcdctl and kubectl. An installed etcd would be started on this machine."""
    folder = tmp_path_factory.mktemp("programs")
    download = ["apt-get", "-q", "download", *PACKAGES]
    if subprocess.run(download, check=False, cwd=folder, capture_output=True).returncode:
        subprocess.run(["apt-get", "-q", "update"], check=True, capture_output=True)
        subprocess.run(download, check=True, cwd=folder, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder / "usr/bin"
