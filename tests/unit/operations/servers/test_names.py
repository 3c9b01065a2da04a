"""Servers as the operator names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import SEED, cluster

from lbdeploy.config.model import Cluster
from lbdeploy.errors import UsageError
from lbdeploy.operations.servers.names import members

WEB = '\n[frontends.web]\nport = 443\n[frontends.web.servers]\nmaster1 = "192.168.1.21"\nw2 = "192.168.1.32"\n'


@pytest.fixture
def two(tmp_path: Path) -> Cluster:
    return cluster(tmp_path, SEED.read_text() + WEB)


def test_a_server_is_meant_behind_each_of_its_frontends(two: Cluster) -> None:
    """Or behind one, if that is named."""
    assert [f.name for f, _ in members(two, "master1")] == ["k8s-api", "web"]
    assert [(f.name, s.port) for f, s in members(two, "master1", "web")] == [("web", 443)]


@pytest.mark.parametrize(
    ("server", "frontend", "message", "fix"),
    [
        ("nobody", None, "there is no server nobody in hosts.toml", "one of: master1, master2, master3, w2"),
        ("master1", "x", "there is no frontend x in hosts.toml", "one of: k8s-api, web"),
        ("w2", "k8s-api", "the frontend k8s-api has no server w2", "lbdeploy drain w2, or one of: --frontend web"),
    ],
)
def test_what_hosts_toml_does_not_have(two: Cluster, server: str, frontend: str | None, message: str, fix: str) -> None:
    """It is said before anything is contacted, with what there is."""
    with pytest.raises(UsageError) as raised:
        members(two, server, frontend)
    assert (raised.value.message, raised.value.fix) == (message, fix)
