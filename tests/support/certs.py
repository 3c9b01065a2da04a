"""Certificates as nobody should present them."""

from __future__ import annotations

VERSION_3 = bytes.fromhex("a003020102")  # RFC 5280, section 4.1: [0] EXPLICIT INTEGER 2


def of_no_version(der: bytes) -> bytes:
    """The same certificate, with a version of X.509 that there is not."""
    assert VERSION_3 in der
    return der.replace(VERSION_3, VERSION_3[:-1] + b"\x13", 1)
