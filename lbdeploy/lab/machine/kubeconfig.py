"""The operator's kubeconfig for the lab's cluster: its API servers, through the first VIP."""

from __future__ import annotations

from pathlib import Path

from lbdeploy.config.model import Cluster, Frontend
from lbdeploy.lab.host.paths import Place, replace

API_PORT = 6443  # kube-apiserver's own


def path_of(place: Place) -> Path:
    """Where it is."""
    return place.dir / "kubeconfig"


def write(place: Place, cluster: Cluster) -> None:
    """Write it, for root alone."""
    replace(path_of(place), text(place, cluster))
    path_of(place).chmod(0o600)


def text(place: Place, cluster: Cluster) -> str:
    """A kubeconfig with one cluster. The stand-ins take any token; without one, kubectl would ask for a password."""
    frontend = api_frontend(cluster)
    vip = next(each.ip for each in cluster.vips if not frontend.networks or each.network in frontend.networks)
    host = f"[{vip}]" if vip.version == 6 else str(vip)
    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: https://{host}:{frontend.port}
    certificate-authority: {place.dir / "ca.pem"}
users:
- name: operator
  user:
    token: lab
contexts:
- name: lab
  context:
    cluster: lab
    user: operator
current-context: lab
"""


def api_frontend(cluster: Cluster) -> Frontend:
    """The frontend of the API: the one with its port, or whose servers are asked for /readyz; or else the first."""
    named = [each for each in cluster.frontends if each.port == API_PORT]
    asked = [each for each in cluster.frontends if each.check == "https"]
    return next(iter([*named, *asked, *cluster.frontends]))
