"""What to do about a certificate, by the distribution whose authority has signed it."""

from __future__ import annotations

import pytest

from lbdeploy.health.certificates.renewal import names_added, renewed


@pytest.mark.parametrize(
    ("issuer", "line", "apply", "renew"),
    [
        (
            "kubernetes",
            'apiServer.certSANs: ["192.0.2.1"]',
            "pki/apiserver.{crt,key}; kubeadm init phase",
            "certs renew",
        ),
        (
            "k3s-server-ca@1700000000",
            'k3s/config.yaml: tls-san: ["192.0.2.1"]',
            "restart k3s",
            "k3s certificate rotate",
        ),
        (
            "rke2-server-ca@1700000000",
            'rke2/config.yaml: tls-san: ["192.0.2.1"]',
            "rke2-server",
            "rke2 certificate rot",
        ),
        ("kubernetes-ca", 'k0s.yaml: spec.api.sans: ["192.0.2.1"]', "restart k0scontroller", "restart k0scontroller"),
        ("Example CA", '["192.0.2.1"] among its names', "docs/howto/certificates.md", "docs/howto/certificates.md"),
    ],
)
def test_each_distribution_has_its_lines(issuer: str, line: str, apply: str, renew: str) -> None:
    """The name of its authority tells which it is."""
    told = names_added(issuer, ["192.0.2.1"])
    assert line in told
    assert apply in told
    assert renew in renewed(issuer)


def test_an_authority_of_ones_own_is_not_taken_for_a_distributions() -> None:
    """Though its name begins alike."""
    assert "docs/howto" in renewed("kubernetes-prod")
    assert "{" not in renewed("kubernetes").replace("{crt,key}", "")
