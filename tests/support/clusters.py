"""Clusters with all that hosts.toml may have, and what comes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import GOOD, OPTIONS, beside

from lbdeploy.config.model import Cluster
from lbdeploy.errors import HostsFileError
from lbdeploy.node.resources import Gone
from lbdeploy.planning.desired import (
    HAPROXY_CFG,
    desired,
    files,
)


def haproxy_cfg(cluster: Cluster, node: str = "lb1") -> str:
    return next(each.content for each in files(cluster, cluster.node(node)) if each.path == HAPROXY_CFG)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a hosts.toml, without its line."""
    with pytest.raises(HostsFileError) as caught:
        cluster(folder, text)
    return [f"{each.key}: {each.message}; {each.fix}" for each in caught.value.problems]


def with_options(folder: Path, options: str = OPTIONS, text: str = GOOD) -> Cluster:
    """The sample cluster with options, and the scripts that they name."""
    beside(folder)
    return cluster(folder, text.replace("preempt_delay = 30\n", "preempt_delay = 30\n" + options))


def leftovers(of: Cluster, name: str) -> Gone:
    return next(each for each in desired(of, of.node(name)) if isinstance(each, Gone) and each.late)


GONE = "/etc/keepalived/lbdeploy-track-old"


ON = 'firewall = "nftables"\nfirewall_allow = [9100, 161]\n'


def with_firewall(text: str) -> str:
    return text.replace("[cluster]\n", f"[cluster]\n{ON}", 1)


REPOSITORY_KEY = bytes.fromhex("9833") + bytes(range(0x33))  # an old-format packet of tag 6, and its 51 bytes
WITH_SOURCES = """\
[packages]
haproxy = "2.8.*"
keepalived = "1:2.2.7-1*"
apt_proxy = "http://10.0.0.5:3142"
[packages.repositories.own]
uri = "https://apt.example.org/debian"
suite = "stable"
components = ["main", "lb/extra"]
key_file = "own.gpg"
[packages.repositories.flat]
uri = "file:/srv/flat"
suite = "./"
"""
