"""What a cluster says of its API servers."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import kube
import pytest

from lbdeploy.config.model import Address
from lbdeploy.errors import ApiError
from lbdeploy.operations.kubernetes.api_servers import ControlPlane, control_plane
from lbdeploy.operations.kubernetes.kubectl import Kubectl

VIP = ip_address("192.168.0.10")
ONE, TWO = "192.168.1.21", "192.168.1.22"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def named(plane: ControlPlane) -> list[tuple[str | None, str, int | None, bool]]:
    return [(each.node, str(each.address), each.port, each.announced) for each in plane.servers]


def asked(folder: Path, slices: str, nodes: str, vips: tuple[Address, ...] = (VIP,)) -> ControlPlane:
    kube.kubectl(folder, slices, nodes)
    return control_plane(Kubectl(), vips)


def test_those_that_serve_and_those_that_belong(folder: Path) -> None:
    """A control-plane node whose API server is down announces none, and still belongs to the cluster."""
    plane = asked(folder, kube.slices(ONE), kube.nodes({"m1": [ONE], "m2": [TWO]}))
    assert named(plane) == [("m1", ONE, 6443, True), ("m2", TWO, None, False)]
    assert plane.complete


def test_a_node_has_several_addresses(folder: Path) -> None:
    """All of them are its API server's, whichever it announces."""
    plane = asked(folder, kube.slices(ONE), kube.nodes({"m1": ["10.0.0.1", ONE, "fd00::1"]}))
    assert {str(each) for each in plane.servers[0].addresses} == {ONE, "10.0.0.1", "fd00::1"}


def test_a_vip_is_no_server(folder: Path) -> None:
    """k0s announces its external address, others what --advertise-address says: then its nodes are what is known."""
    plane = asked(folder, kube.slices("192.168.0.10"), kube.nodes({"m1": ["192.168.0.10", ONE]}))
    assert named(plane) == [("m1", ONE, None, True)]
    assert (plane.shadowed, plane.complete) == ((VIP,), False)


def test_controllers_that_are_no_nodes(folder: Path) -> None:
    """As k0s has them: who is announced is known, and not who belongs to the cluster."""
    plane = asked(folder, kube.slices(ONE, TWO), kube.nodes({}))
    assert named(plane) == [(None, ONE, 6443, True), (None, TWO, 6443, True)]
    assert not plane.complete


def test_controllers_of_which_some_are_nodes(folder: Path) -> None:
    """As k0s has them with --enable-worker: one that is only down may be no node."""
    k0s = kube.nodes({"m1": [ONE], "m2": [TWO]}, **{"node.k0sproject.io/role": "control-plane"})
    plane = asked(folder, kube.slices(ONE, TWO), k0s)
    assert [each.node for each in plane.servers] == ["m1", "m2"]
    assert not plane.complete


def test_nodes_that_may_not_be_listed(folder: Path) -> None:
    """The slices are enough to go on with; the refusal is kept."""
    plane = asked(folder, kube.slices(ONE), kube.FORBIDDEN)
    assert (len(plane.servers), plane.complete) == (1, False)
    assert "Forbidden" in str(plane.without_nodes)


def test_a_cluster_of_before_1_21(folder: Path) -> None:
    """It has Endpoints where later ones have EndpointSlices."""
    subset = '{"addresses": [{"ip": "192.168.1.21"}], "ports": [{"name": "https", "port": 443}]}'
    (folder / "endpoints").write_text('{"subsets": [' + subset + "]}")
    plane = asked(folder, "Error from server (NotFound): the server could not find", kube.nodes({}))
    assert named(plane) == [(None, ONE, 443, True)]


def test_nothing_is_named(folder: Path) -> None:
    """An empty slice and no nodes: an error, and never a hosts.toml without servers."""
    with pytest.raises(ApiError, match="names no API server"):
        asked(folder, kube.slices(), kube.nodes({}))
    with pytest.raises(ApiError, match="Forbidden"):
        asked(folder, kube.slices(), kube.FORBIDDEN)


@pytest.mark.parametrize(
    "text",
    [
        "{}", '{"items": 1}', '{"items": [1, {"endpoints": [{"addresses": "x"}]}]}',
        '{"items": [{"endpoints": [{"addresses": ["api.example.org", null]}], "ports": [{"port": "x"}]}]}',
    ],
)  # fmt: skip
def test_answers_of_another_shape(folder: Path, text: str) -> None:
    """What is no address is passed over; nothing is guessed."""
    with pytest.raises(ApiError, match="names no API server"):
        asked(folder, text, text)


def test_an_answer_that_is_no_json(folder: Path) -> None:
    """Another web server, perhaps."""
    kube.kubectl(folder, "{<html>", kube.nodes({}))
    with pytest.raises(ApiError, match="makes no sense"):
        control_plane(Kubectl(), ())
