"""Files that hosts.toml names: whatever they are, nothing waits for them, or fills the memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from clusters import REPOSITORY_KEY, WITH_SOURCES, problems
from goldens import GOOD, RICH

from lbdeploy.config.loading.named_file import contents


def test_no_more_is_read_than_is_wanted(tmp_path: Path) -> None:
    """One byte more tells that there is more."""
    (tmp_path / "file").write_bytes(b"abcdef")
    assert contents(tmp_path / "file", 3) == b"abcd"
    assert contents(tmp_path / "file", 6) == b"abcdef"


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe would be waited for; /dev/zero has no end; a link to one is no better."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/tty")):
        with pytest.raises(OSError, match="no regular file") as raised:
            contents(path, 3)
        assert raised.value.strerror == "it is no regular file"


def test_a_folder_and_nothing_have_errors_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        contents(tmp_path, 3)
    with pytest.raises(FileNotFoundError):
        contents(tmp_path / "none", 3)


@pytest.mark.parametrize("name", ["ca.crt", "token", "client.pem"])
def test_a_hosts_toml_that_names_a_pipe_is_refused(ca_folder: Path, name: str) -> None:
    """As a node may have stored it: a rollback reads that."""
    (ca_folder / name).unlink()
    os.mkfifo(ca_folder / name)
    (found,) = problems(ca_folder, RICH)
    assert f"{ca_folder / name} can't be read: it is no regular file" in found


def test_a_key_that_has_no_end_is_refused(tmp_path: Path) -> None:
    """Nor one that is far too large."""
    (tmp_path / "large").write_bytes(REPOSITORY_KEY + bytes(300_000))
    for path, words in (("/dev/zero", "can't be read: it is no regular file"), (f"{tmp_path}/large", "is larger than")):
        (found,) = problems(tmp_path, GOOD + WITH_SOURCES.replace("own.gpg", path))
        assert f"own.key_file: {path} {words}" in found
