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


def test_a_file_with_two_roles_is_checked_for_each(ca_folder: Path) -> None:
    """A CA is no certificate with a key, and no token: haproxy would not start, or no server pass its check."""
    for old, key in (("token", "check_token_file"), ("client.pem", "check_certificate")):
        (found,) = problems(ca_folder, RICH.replace(f'{key} = "{old}"', f'{key} = "ca.crt"'))
        assert found.startswith(f"frontends.machine-config.{key}: ")


def test_a_secret_is_no_key_of_a_repository(ca_folder: Path) -> None:
    """Everybody on a node can read such a key."""
    source = '[packages.repositories.own]\nuri = "https://apt.example.org/debian"\nsuite = "./"\nkey_file = "token"\n'
    (found,) = problems(ca_folder, RICH + source)
    assert "token is not a public key of OpenPGP" in found


def test_the_advice_about_a_secret_can_be_copied(ca_folder: Path) -> None:
    """Also where the name has spaces."""
    (ca_folder / "the client.pem").write_text(KEY)
    (found,) = problems(ca_folder, RICH.replace('"client.pem"', '"the client.pem"'))
    assert "cat client.crt client.key > 'the client.pem'" in found


def test_secrets_travel_with_the_file_that_names_them(ca_folder: Path) -> None:
    """Where a worker reads hosts.toml, they need not lie there; and no text of a cluster shows them."""
    (ca_folder / "hosts.toml").write_text(RICH)
    texts: dict[str, str] = {}
    here = reader.load(ca_folder / "hosts.toml", texts=texts)
    (ca_folder / "token").unlink()
    assert reader.load(ca_folder / "hosts.toml", RICH, texts) == here
    assert TOKEN not in repr(here)
    assert "PRIVATE KEY" not in repr(here)
