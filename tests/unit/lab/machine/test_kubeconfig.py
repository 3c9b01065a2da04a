"""The operator's kubeconfig."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

from lbdeploy.config.model import Cluster
from lbdeploy.lab.host.paths import Place
from lbdeploy.lab.machine.kubeconfig import api_frontend, text


def test_it_asks_a_vip_of_the_api(seed: Cluster) -> None:
    """The first one on which its frontend listens."""
    assert "server: https://192.168.0.10:6443\n" in text(Place("x"), seed)
    inner = replace(seed, frontends=(replace(seed.frontends[0], networks=("management",)),))
    assert "server: https://192.168.1.10:6443\n" in text(Place("x"), inner)
    network = replace(seed.networks["external"], vips=(ip_interface("fd00::10/64"),))
    six = replace(seed, networks={**seed.networks, "external": network})
    assert "server: https://[fd00::10]:6443\n" in text(Place("x"), six)


def test_the_frontend_of_the_api(seed: Cluster) -> None:
    """The one at its usual port, or whose servers are asked for /readyz; or else the first."""
    api = seed.frontends[0]
    web = replace(api, name="web", port=443)
    assert api_frontend(replace(seed, frontends=(web, api))) == api
    asked = replace(api, name="asked", port=7443, check="https")
    assert api_frontend(replace(seed, frontends=(web, asked))) == asked
    assert api_frontend(replace(seed, frontends=(web,))) == web
