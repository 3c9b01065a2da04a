"""Texts of hosts.toml, changed and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import GOOD

from lbdeploy.errors import HostsFileError

# The same as the seed's file, without comments and with every optional key left out.
SHORT = """\
[cluster]
name = "k8s-api"
[networks.external]
interface = "ens33"
vip = "192.168.0.10/24"
[networks.management]
interface = "ens32"
vip = "192.168.1.10/24"
[nodes.lb1]
external = "192.168.0.11"
management = "192.168.1.11"
priority = 200
[nodes.lb2]
external = "192.168.0.12"
management = "192.168.1.12"
priority = 100
[vrrp]
network = "management"
router_id = 101
[frontends.k8s-api]
port = 6443
[frontends.k8s-api.servers]
master1 = "192.168.1.21"
master2 = "192.168.1.22"
master3 = "192.168.1.23"
"""


def problems(folder: Path, text: str) -> list[str]:
    """Each problem of a file with this text, as `line: key: message; fix`."""
    with pytest.raises(HostsFileError) as caught:
        cluster(folder, text)
    return [line.removeprefix(f"{caught.value.path}:") for line in caught.value.lines()]


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def line_of(part: str, text: str) -> int:
    (line,) = (number for number, line in enumerate(text.splitlines(), 1) if part in line)
    return line
