"""Certificates (OpenSSH's PROTOCOL.certkeys): paramiko can ask for a host's, but does not check its contents."""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    SSHCertPublicKeyTypes,
    load_ssh_public_identity,
)
from paramiko import Message
from paramiko.pkey import PublicBlob

SUFFIX = "-cert-v01@openssh.com"


def authority(blob: PublicBlob) -> str:
    """The key (base64) of the authority that a certificate names as its signer, unverified. Raises ValueError."""
    return _text(_parsed(blob).signature_key())


def subject(blob: PublicBlob) -> bytes:
    """The key that a certificate is for; a plain key is returned as it is. Raises ValueError."""
    return b64decode(_text(_parsed(blob).public_key())) if blob.key_type.endswith(SUFFIX) else blob.key_blob


def complaint(blob: PublicBlob, host: str, algorithms: Sequence[str], now: float | None = None) -> str | None:
    """Why a certificate does not prove the identity of the host that presents it; None where it does (ssh(1)).

    `algorithms` are those that an authority may sign with, any if empty. Whether it is trusted is checked elsewhere.
    """
    try:
        certificate = _parsed(blob)
        certificate.verify_cert_signature()
    except (ValueError, InvalidSignature, UnsupportedAlgorithm, AssertionError):
        return "is damaged, or was not signed by its authority"
    if algorithms and _algorithm(blob) not in algorithms:
        return f"was signed with {_algorithm(blob)}, which is not accepted"
    return _unsuitable(certificate, host, time.time() if now is None else now)


def _unsuitable(certificate: SSHCertificate, host: str, now: float) -> str | None:
    names = [name.decode(errors="replace") for name in certificate.valid_principals]
    if certificate.type != SSHCertificateType.HOST:
        return "is one for users, not for hosts"
    if certificate.critical_options:
        return "has critical options, which no host's may have"
    if now < certificate.valid_after:
        return f"is not valid before {_day(certificate.valid_after)}"
    if now >= certificate.valid_before:
        return f"has expired on {_day(certificate.valid_before)}"
    if names and host.lower() not in names:
        return f"is for {', '.join(names)}"
    return None


def _parsed(blob: PublicBlob) -> SSHCertificate:
    parsed = load_ssh_public_identity(blob.key_type.encode() + b" " + b64encode(blob.key_blob))
    if not isinstance(parsed, SSHCertificate):
        raise ValueError("no certificate")
    return parsed


def _text(key: SSHCertPublicKeyTypes) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1].decode()


def _algorithm(blob: PublicBlob) -> str:
    """The algorithm of its signature: the first part of the last field."""
    algorithm: str = Message(_last_field(blob.key_blob)).get_text()
    return algorithm


def _last_field(blob: bytes) -> bytes:
    """The signature. It can't be located from the end, so the fields before it are skipped, one by one."""
    message = Message(blob)
    kind = message.get_text().removesuffix(SUFFIX)
    for _ in range(2 if kind == "ssh-ed25519" else 3):  # the nonce, and the parts of the key
        message.get_binary()
    message.get_int64()
    message.get_int()
    for _ in range(2):  # key ID, principals
        message.get_binary()
    message.get_int64()
    message.get_int64()
    for _ in range(4):  # critical options, extensions, reserved, the authority's key
        message.get_binary()
    signature: bytes = message.get_binary()
    return signature


def _day(when: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(min(when, 253402300799)))
