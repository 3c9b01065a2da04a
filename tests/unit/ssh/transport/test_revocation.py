"""Keys that are revoked."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from paramiko import Ed25519Key
from paramiko.pkey import PublicBlob
from sshkeys import CA, CERT, HOST, certificate, judge, plain, public, target

from lbdeploy.ssh.config import Known
from lbdeploy.ssh.transport.revocation import revoked


def test_a_revoked_authority_is_no_authority() -> None:
    """What it has signed is refused, though the key itself is known."""
    key = plain(HOST)
    key.public_blob = certificate(b"lb1")
    ca = Known("@cert-authority", "ssh-ed25519", public(CA))
    expired = judge(target((ca,)), key)
    assert expired
    assert "its certificate has expired" in expired.message
    revoked = judge(target((ca, replace(ca, marker="@revoked"), Known("", "ssh-ed25519", public(HOST)))), key)
    assert revoked
    assert "is revoked" in revoked.message
    assert judge(target((Known("", "ssh-ed25519", public(HOST)),)), key) is None
    key.public_blob = PublicBlob(CERT, b"nonsense")
    damaged = judge(target((Known("", "ssh-ed25519", public(HOST)),)), key)
    assert damaged
    assert "can't be read" in damaged.message


def public_file(folder: Path, name: str, key: Ed25519Key) -> Path:
    blob = key.public_blob
    kind, data = (blob.key_type, blob.key_blob) if blob else (key.get_name(), key.asbytes())
    (folder / name).write_text(f"{kind} {b64encode(data).decode()}\n")
    return folder / name


@pytest.mark.parametrize("form", ["text", "krl"])
def test_revoked_host_keys_are_refused(tmp_path: Path, form: str) -> None:
    """A key that is known, and one that an authority has signed whose key is in the file; others pass."""
    certified = plain(HOST)
    certified.public_blob = certificate(b"lb1")
    known = (Known("", "ssh-ed25519", public(HOST)), Known("", "ssh-ed25519", public(CA)))

    def refused(key: Ed25519Key, gone: Ed25519Key) -> bool:
        file = tmp_path / "gone"
        source = public_file(tmp_path, "gone.pub", gone)
        if form == "krl":
            subprocess.run(["ssh-keygen", "-q", "-k", "-f", file, source], check=True)
        else:
            file.write_text(f"# no more\n\n{source.read_text()}")
        error = judge(target(known, revoked_in=(file,)), key)
        assert not error or f"is revoked by {file}" in error.message
        return bool(error)

    assert refused(plain(HOST), plain(HOST))
    assert not refused(plain(HOST), plain(CA))
    assert refused(certified, plain(HOST))
    if form == "text":
        assert refused(certified, plain(CA))


@pytest.mark.parametrize("content", [None, b"ssh-ed25519\n", b"lb1 ssh-ed25519 AAAA\n", b"SSHKRL\n\0damaged"])
def test_a_file_of_revoked_keys_that_tells_nothing_is_against_every_key(tmp_path: Path, content: bytes | None) -> None:
    """As with ssh: what may stand in it is not known."""
    if content is not None:
        (tmp_path / "gone").write_bytes(content)
    why = revoked(tmp_path / "gone", plain(HOST))
    assert why
    assert "can't be checked" in why
