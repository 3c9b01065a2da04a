"""The lab's secrets: the operator's SSH key, the nodes' host keys, and the certificate of the stand-ins."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


def make_ssh_key(path: Path, kind: str = "ed25519") -> None:
    """Writes an SSH key pair, PATH and PATH.pub, of the kind ed25519 or ecdsa."""
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else generate_private_key(SECP256R1())
    write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.with_name(path.name + ".pub").write_bytes(
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n"
    )


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only root can read, even while it is being written."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def fingerprint(public: Path) -> str:
    """SHA256:..., as ssh-keygen -l shows it, of a public key file."""
    digest = hashlib.sha256(base64.b64decode(public.read_text().split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


Extensions = list[tuple[x509.ExtensionType, bool]]
AUTHORITY = "lbdeploy lab CA"


def make_certificate(directory: Path, names: Iterable[str]) -> None:
    """Writes ca.pem and server.pem: certificate and key, valid for `names`, which are DNS names and addresses.

    Beside them, ca.key, and client.pem, which that authority has signed for a client.
    """
    ca_key = make_authority(directory)
    write_secret(directory / "server.pem", _signed("kube-apiserver", ca_key, _server(names)))
    client: Extensions = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)]
    write_secret(directory / "client.pem", _signed("lbdeploy-check", ca_key, client))


def make_authority(directory: Path) -> EllipticCurvePrivateKey:
    """Writes ca.pem and ca.key; returns the key."""
    ca_key = generate_private_key(SECP256R1())
    authority = _certificate(AUTHORITY, ca_key, AUTHORITY, ca_key, _authority())
    write_secret(directory / "ca.key", _private(ca_key))
    (directory / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    return ca_key


def make_other(file: Path, authority: Path, names: Iterable[str], days: float) -> None:
    """Writes a server's certificate and key that end in so many days, signed with the key of that authority."""
    ca_key = load_pem_private_key((authority / "ca.key").read_bytes(), None)
    assert isinstance(ca_key, EllipticCurvePrivateKey)
    write_secret(file, _signed("kube-apiserver", ca_key, _server(names), days))


def _signed(subject: str, ca_key: EllipticCurvePrivateKey, extensions: Extensions, days: float = 3650) -> bytes:
    key = generate_private_key(SECP256R1())
    return _certificate(subject, key, AUTHORITY, ca_key, extensions, days=days).public_bytes(Encoding.PEM) + _private(
        key
    )


def _private(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _authority() -> Extensions:
    usage = {"key_cert_sign": True, "crl_sign": True}
    return [(x509.BasicConstraints(ca=True, path_length=0), True), (_usage(**usage), True)]


def _server(names: Iterable[str]) -> Extensions:
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (alternatives, False),
    ]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(**wanted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every})


def _certificate(
    subject: str,
    key: EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: EllipticCurvePrivateKey,
    extensions: Extensions,
    *,
    days: float = 3650,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject))
        .issuer_name(_common_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + days * _DAY) - _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
