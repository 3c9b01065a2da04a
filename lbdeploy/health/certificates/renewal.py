"""What to do about a server's certificate: the lines for each distribution's configuration, and what renews it.

Which one it is, its authority's name says; docs/howto/certificates.md has all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """`issuer`: how the name of its authority begins. `file` and `line` add names ({names} is a list in YAML) to
    what it signs; `apply` does so then, and `renew` has it sign anew: commands on the server."""

    name: str
    issuer: str
    file: str
    line: str
    apply: str
    renew: str


DISTRIBUTIONS = (
    Distribution("k3s", "k3s-server-ca", "/etc/rancher/k3s/config.yaml", "tls-san: {names}", "systemctl restart k3s",
                 "systemctl stop k3s; k3s certificate rotate; systemctl start k3s"),
    Distribution("RKE2", "rke2-server-ca", "/etc/rancher/rke2/config.yaml", "tls-san: {names}",
                 "systemctl restart rke2-server",
                 "systemctl stop rke2-server; rke2 certificate rotate; systemctl start rke2-server"),
    Distribution("k0s", "kubernetes-ca", "/etc/k0s/k0s.yaml", "spec.api.sans: {names}",
                 "systemctl restart k0scontroller", "systemctl restart k0scontroller"),
    Distribution("kubeadm", "kubernetes", "ClusterConfiguration", "apiServer.certSANs: {names}",
                 "rm /etc/kubernetes/pki/apiserver.{{crt,key}}; kubeadm init phase certs apiserver --config FILE; "
                 "then restart kube-apiserver",
                 "kubeadm certs renew apiserver; then restart kube-apiserver"),
)  # fmt: skip
PAGE = "docs/howto/certificates.md has the lines for kubeadm, k3s, RKE2 and k0s"


def names_added(issuer: str, names: Sequence[str]) -> str:
    """How to have these names in the certificates that this authority signs for servers."""
    found = _of(issuer)
    listed = json.dumps(list(names))
    if found is None:
        return f"have it signed anew with {listed} among its names: {PAGE}"
    where = f"in {found.name}'s {found.file}" if "/" not in found.file else f"on each server, in {found.file}"
    return f"{where}: {found.line.format(names=listed)}; then there: {found.apply.format()}"


def renewed(issuer: str) -> str:
    """How to have a certificate that does not end so soon."""
    found = _of(issuer)
    return f"there: {found.renew}" if found else f"renew it: {PAGE}"


def _of(issuer: str) -> Distribution | None:
    return next((each for each in DISTRIBUTIONS if issuer == each.issuer or issuer.startswith(f"{each.issuer}@")), None)
