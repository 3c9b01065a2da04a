"""The greeting that a TLS server answers."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lbdeploy.node.tls_hello import client_hello, escaped


def test_the_greeting_makes_a_tls_server_answer(tmp_path: Path) -> None:
    """The bytes that are sent are a greeting that a TLS server goes on from, and every shell prints them alike.

    A name is sent with it where there is one.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(client_hello("k8s-api"))
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    assert outgoing.read()[:1] == b"\x16"
    assert names == ["k8s-api"]
    for shell in ("dash", "bash"):
        printed = subprocess.run([shell, "-c", f"printf '{escaped()}'"], check=True, capture_output=True).stdout
        assert printed == client_hello()


def certificate(folder: Path) -> Path:
    """A key with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    today = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + timedelta(days=1))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(pem + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path
