"""What haproxy shows to servers: what is refused, without a word of what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clusters import problems
from goldens import RICH, TOKEN

from lbdeploy.config import reader
from lbdeploy.lab.machine.keys import make_certificate

KEY = "-----BEGIN PRIVATE KEY-----\nMIGHhunter2\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("key", "name", "content", "message"),
    [
        ("check_token_file", "token", None, "can't be read: No such file or directory; name a file that you may read"),
        ("check_token_file", "token", b"", 'is not a bearer token; write the token alone into it, without "Bearer"'),
        ("check_token_file", "token", b"Bearer hunter2", "is not a bearer token"),
        ("check_token_file", "token", b"hunter2\nhunter3\n", "is not a bearer token"),
        ("check_token_file", "token", b"hunter2\xff", "is not plain text"),
        ("check_token_file", "token", b"x" * 8193, "is larger than 8 kB"),
        ("check_certificate", "client.pem", KEY.encode(), "holds no certificate in PEM; put both into one file: cat"),
        ("check_certificate", "client.pem", CERTIFICATE.encode(), "holds no private key in PEM; put both into one"),
        ("check_certificate", "client.pem", (CERTIFICATE + KEY).encode(), "can't be read as PEM"),
    ],
)
def test_a_secret_that_is_none_is_a_problem_of_hosts_toml(
    ca_folder: Path, key: str, name: str, content: bytes | None, message: str
) -> None:
    """It is found offline, and no message has anything of its contents."""
    path = ca_folder / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    (found,) = problems(ca_folder, RICH)
    assert found.startswith(f"frontends.machine-config.{key}: ")
    assert f"{path} {message}" in found or message in found
    assert "hunter" not in found


def test_a_key_of_another_certificate_is_refused(ca_folder: Path, tmp_path: Path) -> None:
    """haproxy would not start with it."""
    make_certificate(tmp_path, ["other"])
    own = (ca_folder / "client.pem").read_text()
    other = (tmp_path / "server.pem").read_text()
    mixed = own[: own.index("-----BEGIN PRIVATE")] + other[other.index("-----BEGIN PRIVATE") :]
    (ca_folder / "client.pem").write_text(mixed)
    (found,) = problems(ca_folder, RICH)
    assert "hold a private key that is not that of the certificate" in found


def test_a_key_with_a_passphrase_is_refused(ca_folder: Path) -> None:
    """Nobody is there to type it."""
    path = ca_folder / "client.pem"
    path.write_text(path.read_text().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
    (found,) = problems(ca_folder, RICH)
    assert "has a passphrase, for which haproxy can't ask; give one without: openssl pkey -in client.key" in found


def test_secrets_travel_with_the_file_that_names_them(ca_folder: Path) -> None:
    """Where a worker reads hosts.toml, they need not lie there; and no text of a cluster shows them."""
    (ca_folder / "hosts.toml").write_text(RICH)
    texts: dict[str, str] = {}
    here = reader.load(ca_folder / "hosts.toml", texts=texts)
    (ca_folder / "token").unlink()
    assert reader.load(ca_folder / "hosts.toml", RICH, texts) == here
    assert TOKEN not in repr(here)
    assert "PRIVATE KEY" not in repr(here)
