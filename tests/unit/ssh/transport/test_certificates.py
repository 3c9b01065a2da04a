"""Host certificates: which prove a host."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateType,
)
from paramiko.pkey import PublicBlob
from sshkeys import CA, HOST, certificate, public

from lbdeploy.ssh.transport.certificates import authority, complaint, subject


@pytest.mark.parametrize("names", [(), (b"lb1",), (b"other", b"lb1")])
def test_a_certificate_proves_a_host(names: tuple[bytes, ...]) -> None:
    """For one of its names, or for all where it has none, within its time."""
    blob = certificate(*names)
    assert complaint(blob, "LB1", ("ssh-ed25519",), 1000) is None
    assert complaint(blob, "lb1", (), 1999.9) is None
    assert (authority(blob), subject(blob)) == (public(CA), b64decode(public(HOST)))


@pytest.mark.parametrize(
    ("blob", "at", "signed_with", "says"),
    [
        (certificate(b"lb1"), 999, (), "not valid before 1970-01-01"),
        (certificate(b"lb1"), 2000, (), "expired on 1970-01-01"),
        (certificate(b"lb2", b"*"), 1500, (), r"is for lb2, \*"),
        (certificate(b"lb1", kind=SSHCertificateType.USER), 1500, (), "for users"),
        (certificate(b"lb1", option=b"force-command"), 1500, (), "critical options"),
        (certificate(b"lb1"), 1500, ("rsa-sha2-512",), "signed with ssh-ed25519"),
    ],
)
def test_a_certificate_that_does_not_suit_is_no_proof(
    blob: PublicBlob, at: float, signed_with: tuple[str, ...], says: str
) -> None:
    """And what is wrong with it is said."""
    with pytest.raises(AssertionError, match=says):
        assert complaint(blob, "lb1", signed_with, at) is None


def test_a_certificate_with_a_changed_byte_is_no_proof() -> None:
    """Wherever it was changed."""
    blob = certificate(b"lb1")
    for place in range(len(blob.key_blob)):
        raw = bytearray(blob.key_blob)
        raw[place] ^= 1
        assert complaint(PublicBlob(blob.key_type, bytes(raw)), "lb1", (), 1500), place
