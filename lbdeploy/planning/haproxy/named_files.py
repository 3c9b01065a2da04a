"""The files that haproxy.cfg names: the CAs against which servers are checked, and what haproxy shows to servers."""

from __future__ import annotations

from lbdeploy.config.model import Cluster
from lbdeploy.node.resources import File

OWN_CAS = "/etc/haproxy/lbdeploy-"  # prefix of all these files
TOKEN, CLIENT = "-token.map", "-client.pem"  # suffixes of those with secrets


def ca_file(frontend: str) -> str:
    """The path of the CA certificates against which a frontend's servers are checked."""
    return f"{OWN_CAS}{frontend}-ca.crt"


def token_file(frontend: str) -> str:
    """The path of the token with which a frontend's servers are checked, as a map of haproxy's."""
    return f"{OWN_CAS}{frontend}{TOKEN}"


def client_file(frontend: str) -> str:
    """The path of the certificate, with its private key, that a frontend's checks show to servers."""
    return f"{OWN_CAS}{frontend}{CLIENT}"


def is_shown_to_servers(path: str) -> bool:
    """Whether it is a file with a secret."""
    return path.startswith(OWN_CAS) and path.endswith((TOKEN, CLIENT))


def haproxy_files(cluster: Cluster) -> list[File]:
    """All of them. haproxy reads them as root, before it gives up being that."""
    return [
        *(File(path, content) for path, content in ca_files(cluster).items()),
        *(File(path, content, "600", secret=True) for path, content in secret_files(cluster).items()),
    ]


def ca_files(cluster: Cluster) -> dict[str, str]:
    """The certificates of the CAs, by path."""
    return {ca_file(each.name): each.check_ca for each in cluster.frontends if each.check_ca}


def secret_files(cluster: Cluster) -> dict[str, str]:
    """Tokens and private keys, by path.

    A token is a map of haproxy's, so that haproxy.cfg names it and does not contain it; a reload reads it anew.
    """
    found = {}
    for each in cluster.frontends:
        if each.check_token:
            found[token_file(each.name)] = f"Authorization Bearer {each.check_token.text.strip()}\n"
        if each.check_certificate:
            found[client_file(each.name)] = each.check_certificate.text.replace("\r\n", "\n").rstrip() + "\n"
    return found
