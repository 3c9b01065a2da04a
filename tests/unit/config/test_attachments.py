"""Files that hosts.toml names."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from clusters import REPOSITORY_KEY, WITH_SOURCES, problems
from goldens import GOOD, RICH

from lbdeploy.config import reader


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't be read: No such file or directory"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "holds no certificate in PEM that can be"),
        (b"\x30\x82\xff\xfe", "is not PEM, which is text"),
        (b"", "holds no certificate in PEM"),
        (b"x" * 200_001, "is larger than 200 kB"),
        ("server.pem", "holds a private key, which must not leave this machine"),
    ],
)
def test_a_ca_that_is_none_is_a_problem_of_hosts_toml(
    ca_folder: Path, content: bytes | str | None, message: str
) -> None:
    """It is found offline, with its line; and a key that lies in the same file is never sent anywhere."""
    path = ca_folder / "ca.crt"
    path.unlink()
    if content is not None:
        path.write_bytes((ca_folder / content).read_bytes() if isinstance(content, str) else content)
    (found,) = problems(ca_folder, RICH)
    assert found.startswith(f"frontends.api.check_ca_file: {path} {message}")
    assert found.endswith("; name a file with the certificate of the servers' CA, as PEM")


def test_a_key_travels_with_the_file_that_names_it(tmp_path: Path) -> None:
    """Where a worker reads the file, the key need not lie there."""
    (tmp_path / "own.gpg").write_bytes(REPOSITORY_KEY)
    texts: dict[str, str] = {}
    cluster(tmp_path, GOOD + WITH_SOURCES)
    here = reader.load(tmp_path / "hosts.toml", texts=texts)
    (tmp_path / "own.gpg").unlink()
    assert reader.load(tmp_path / "hosts.toml", GOOD + WITH_SOURCES, texts).packages == here.packages
