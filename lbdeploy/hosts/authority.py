"""The certificates of a CA, read from a file of the operator's, to be installed on the nodes."""

from __future__ import annotations

import re
from pathlib import Path

from lbdeploy.errors import shown

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?")
LARGEST = 200_000  # bytes; a CA has a few certificates, and a bundle of all public CAs does not belong in a check


def certificates(path: Path) -> str:
    """The certificates in a PEM file (RFC 7468 section 5), nothing else in it. Raises ValueError with a message."""
    try:
        with path.open(encoding="utf-8") as file:  # "\r\n" becomes "\n"
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{shown(path)} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{shown(path)} is not PEM, which is text") from None
    if len(text) > LARGEST:
        raise ValueError(f"{shown(path)} is larger than {LARGEST // 1000} kB")
    if "PRIVATE KEY" in text:  # everybody on a node can read what lies beside haproxy.cfg
        raise ValueError(f"{shown(path)} holds a private key, which must not leave this machine")
    found = [each.rstrip("\n") + "\n" for each in _CERTIFICATE.findall(text)]
    if not found or not _readable("".join(found)):
        raise ValueError(f"{shown(path)} holds no certificate in PEM that can be read")
    return "".join(found)


def _readable(pem: str) -> bool:
    import ssl  # which only files that name a CA need

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except ssl.SSLError:
        return False
    return True
