"""A server's certificate, as far as it is judged. Read with the library that paramiko brings along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address

from cryptography import x509

from lbdeploy.config.model import Address

# What the library raises for hostile ones, also while the parts are read; not all of it is a ValueError.
_UNREADABLE = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate (RFC 5280). `authority`: the key that has signed it, by its identifier, or else by its name."""

    names: frozenset[str]
    addresses: frozenset[Address]
    begin: datetime
    end: datetime
    issuer: str
    authority: str

    def has(self, name: Address | str) -> bool:
        """Whether clients that connect to this address, or by this name, take it (RFC 9525, section 6.3)."""
        if not isinstance(name, str):
            return name in self.addresses
        _, dot, parent = name.lower().partition(".")
        return name.lower() in self.names or (bool(dot) and f"*.{parent}" in self.names)


@lru_cache(maxsize=256)  # each node hears the same from each server
def presented(der: bytes) -> Presented | None:
    """The certificate; None for what is none, or can't be read: it may come from whoever answers there."""
    try:
        found = x509.load_der_x509_certificate(der)
        names, addresses = _alternatives(found)
        issuer = _shown(found.issuer)
        return Presented(
            names, addresses, found.not_valid_before_utc, found.not_valid_after_utc, issuer, _authority(found) or issuer
        )
    except _UNREADABLE:
        return None


def _alternatives(found: x509.Certificate) -> tuple[frozenset[str], frozenset[Address]]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset(), frozenset()
    dns = frozenset(each.lower() for each in names.get_values_for_type(x509.DNSName))
    return dns, frozenset(ip_address(str(each)) for each in names.get_values_for_type(x509.IPAddress))


def _authority(found: x509.Certificate) -> str:
    try:
        key = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    return key.hex() if key else ""


def _shown(name: x509.Name) -> str:
    """The common name, or all of it; never long."""
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return (str(common[0].value) if common else name.rfc4514_string())[:80]
