"""Checks of servers that are allowed, and that will not say what one expects of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lbdeploy.common.paths import home_expanded, shown
from lbdeploy.common.shell import cmd
from lbdeploy.config.model import Cluster, Frontend, Secret

Suspicion = tuple[str, str]
API_PORT = 6443  # of kube-apiserver
SOON = 30 * 86400.0  # s; certificates and tokens that end within it are worth a word


def server_checks(cluster: Cluster) -> Iterator[Suspicion]:
    """(message, fix) for each suspicious check."""
    for frontend in cluster.frontends:
        key = f"frontends.{frontend.name}"
        if frontend.check_token:
            yield from _ending(f"{key}.check_token_file: the token", token_end(frontend.check_token.text))
        if frontend.check_certificate:
            end = certificate_end(frontend.check_certificate.text)
            yield from _ending(f"{key}.check_certificate: the certificate", end)
        for secret in frontend.secrets:
            yield from _open(cluster.path.parent / home_expanded(secret.path), secret)


def too_little(cluster: Cluster) -> Iterator[Suspicion]:
    """(message, fix) for each check that sees too little, by the port of its servers, which are not asked."""
    for frontend in cluster.frontends:
        if frontend.check == "tcp" and _is_api(frontend):
            yield (
                f'frontends.{frontend.name}.check = "tcp" takes a kube-apiserver (port {API_PORT}) for healthy while '
                "it starts, hangs, has lost etcd or shuts down",
                'check = "https"; lbdeploy doctor asks the servers, and says what else it needs',
            )


def _is_api(frontend: Frontend) -> bool:
    return frontend.port == API_PORT or any(each.port == API_PORT for each in frontend.servers)


def _ending(what: str, end: float | None) -> Iterator[Suspicion]:
    """What ends soon takes every server down at once: haproxy shows it in each check."""
    left = SOON if end is None else end - time.time()
    if end is not None and left < SOON:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end))
        ends = f"has ended ({when})" if left <= 0 else f"ends on {when}"
        yield f"{what} {ends}; no server passes its check then", "put a newer one into the file, then: lbdeploy up"


def token_end(token: str) -> float | None:
    """When a JSON Web Token ends (RFC 7519, section 4.1.4; s, Unix); None where it does not say, or is another kind."""
    import base64  # needed only for files that name a token
    import json

    with suppress(ValueError, AttributeError, IndexError):
        body = token.strip().split(".")[1]
        end = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))).get("exp")
        return float(end) if isinstance(end, int | float) and 0 < end < 1e11 else None
    return None


def certificate_end(pem: str) -> float | None:
    """When the first certificate in it ends (s, Unix)."""
    from cryptography import x509  # needed only for files that name a certificate

    begin = pem.find("-----BEGIN CERTIFICATE")
    with suppress(ValueError, x509.InvalidVersion):
        return x509.load_pem_x509_certificate(pem[begin:].encode()).not_valid_after_utc.timestamp()
    return None


def _open(path: Path, secret: Secret) -> Iterator[Suspicion]:
    """A secret that others on this machine may read."""
    with suppress(OSError):
        if path.stat().st_mode & 0o077:
            yield f"{shown(path)}: others on this machine may read it", cmd("chmod", "600", shown(path))
