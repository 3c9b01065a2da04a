"""A TLS ClientHello, the smallest request that any TLS server answers without a secret or a server name."""

from __future__ import annotations

import struct
from functools import cache


def client_hello(server_name: str = "") -> bytes:
    """One TLS record (RFC 5246 section 7.4.1.2; RFC 8446 section 4.1.2) that offers TLS 1.2 with common suites.

    `server_name` is sent as SNI (RFC 6066, section 3).
    """
    suites = (0xC02F, 0xC030, 0xC02B, 0xC02C, 0xCCA8, 0xCCA9, 0x009C, 0x002F)
    groups = struct.pack(">4H", 6, 0x001D, 0x0017, 0x0018)
    signatures = struct.pack(">8H", 14, 0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0601)
    name = server_name.encode("ascii")
    sni = [(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)] if name else []
    kinds = (*sni, (10, groups), (11, b"\x01\x00"), (13, signatures))
    extensions = b"".join(struct.pack(">HH", kind, len(body)) + body for kind, body in kinds)
    body = b"\x03\x03" + bytes(range(1, 33)) + b"\x00"
    body += struct.pack(f">H{len(suites)}H", 2 * len(suites), *suites) + b"\x01\x00"
    body += struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


@cache  # the same in each frontend's check
def escaped(server_name: str = "") -> str:
    """The greeting as octal escapes, which every printf understands."""
    return "".join(f"\\{byte:03o}" for byte in client_hello(server_name))
