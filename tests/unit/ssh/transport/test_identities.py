"""Which keys log in, in which order, and how they are unlocked."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sshkeys import HOST, certificate_line, target

from lbdeploy.config.credentials import Answers
from lbdeploy.ssh.transport.identities import LockedKeyError, identities, unlock


def write_key(path: Path, form: PrivateFormat, passphrase: str | None, *, ecdsa: bool = False) -> bytes:
    key = generate_private_key(SECP256R1()) if ecdsa else Ed25519PrivateKey.generate()
    cipher = NoEncryption() if not passphrase else BestAvailableEncryption(passphrase.encode())
    if passphrase and form == PrivateFormat.OpenSSH:
        cipher = form.encryption_builder().kdf_rounds(1).build(passphrase.encode())
    path.write_bytes(key.private_bytes(Encoding.PEM, form, cipher))
    text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return b64decode(text.split()[1])


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("passphrase", [None, "sésame"])
def test_keys_in_every_format_are_unlocked(tmp_path: Path, form: PrivateFormat, passphrase: str | None) -> None:
    """With their passphrase; without it, or with another, they are locked."""
    blob = write_key(tmp_path / "key", form, passphrase, ecdsa=True)
    assert unlock(tmp_path / "key", passphrase).asbytes() == blob
    for wrong in (None, "wrong") if passphrase else ():
        with pytest.raises(LockedKeyError):
            unlock(tmp_path / "key", wrong)


def test_keys_are_tried_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    """Each with its certificate first. What is locked, damaged or not there does not stop the others."""
    paths = [tmp_path / name for name in ("first", "locked", "damaged", "gone", "signed")]
    write_key(paths[0], PrivateFormat.OpenSSH, None)
    write_key(paths[1], PrivateFormat.OpenSSH, "secret")
    paths[2].write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nno key\n")
    paths[4].write_bytes(HOST.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (tmp_path / "signed-cert.pub").write_text(certificate_line())
    hop = target(identity_files=tuple(paths), certificates=(tmp_path / "nothing-cert.pub",))
    found = identities(hop, Answers())
    assert [(Path(name).name, bool(key.public_blob)) for name, key in found.keys] == [
        ("first", False), ("signed", True), ("signed", False),
    ]  # fmt: skip
    assert found.locked == [paths[1]]
    opened = identities(hop, Answers(unlocked={paths[1]: unlock(paths[1], "secret")}))
    assert [Path(name).name for name, _ in opened.keys] == ["first", "locked", "signed", "signed"]
    assert opened.locked == []
