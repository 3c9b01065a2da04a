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


EXTRA = '[haproxy]\nextra = ["haproxy.d/*.cfg", "one.cfg"]\n'


def test_sections_are_read_in_the_order_of_the_file_and_of_names(tmp_path: Path) -> None:
    """Each once; hidden files, as editors write them, are none. They travel with the file that names them."""
    (tmp_path / "haproxy.d").mkdir()
    for name in ("haproxy.d/b.cfg", "haproxy.d/a.cfg", "haproxy.d/.a.cfg", "haproxy.d/a.cfg~", "one.cfg"):
        (tmp_path / name).write_text(f"backend {Path(name).stem}\n")
    cluster(tmp_path, GOOD + EXTRA)
    texts: dict[str, str] = {}
    here = reader.load(tmp_path / "hosts.toml", texts=texts)
    assert [each.path for each in here.extra] == ["haproxy.d/a.cfg", "haproxy.d/b.cfg", "one.cfg"]
    away = reader.load(tmp_path / "elsewhere" / "hosts.toml", GOOD + EXTRA, texts)
    assert away.extra == here.extra


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("other", b"", "haproxy.extra.0: no file is haproxy.d/*.cfg; write one there"),
        ("haproxy.d/a.cfg", b" \n", "haproxy.extra.0: haproxy.d/a.cfg is empty"),
        ("haproxy.d/a.cfg", b"listen a\r\n", "haproxy.extra.0: haproxy.d/a.cfg has the line ends of Windows"),
        ("haproxy.d/a.cfg", b"\xff", "haproxy.extra.0: haproxy.d/a.cfg is not text in UTF-8"),
        ("haproxy.d/a.cfg", b"a\0", "haproxy.extra.0: haproxy.d/a.cfg is no configuration: it has NUL bytes"),
    ],
)
def test_sections_that_can_not_be_used_are_a_problem_of_hosts_toml(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / "haproxy.d").mkdir()
    (tmp_path / name).write_bytes(content)
    (tmp_path / "one.cfg").write_text("listen one\n")
    (found,) = problems(tmp_path, GOOD + EXTRA)
    assert found.startswith(message)
