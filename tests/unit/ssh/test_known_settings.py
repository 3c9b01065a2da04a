"""What `ssh -G` has said is kept only where nothing else than the files that were looked at can change it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from lbdeploy.config.model import Ssh
from lbdeploy.errors import ConnectError
from lbdeploy.ssh import config, known_settings
from lbdeploy.ssh.config import Resolving

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="needs OpenSSH's client")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The programs that were started, for a user who has a cache folder here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    programs: list[str] = []
    really = config._start

    def start(argv: Sequence[str]) -> object:
        programs.append(argv[0])
        return really(argv)

    monkeypatch.setattr(config, "_start", start)
    return programs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text("Host lb1\n  User one\n# include and match are words of a comment\n")
    return path


def user(file: Path) -> str:
    return Resolving(Ssh(config_file=file), "lb1").result().user


def test_it_is_asked_once(started: list[str], file: Path) -> None:
    """And again once the file is another one, or after another option."""
    assert (user(file), started.count("ssh")) == ("one", 1)
    assert (user(file), started.count("ssh")) == ("one", 1)
    assert (Resolving(Ssh(config_file=file, port=2222), "lb1").result().port, started.count("ssh")) == (2222, 2)
    file.write_text("Host lb1\n  User two\n")
    assert (user(file), started.count("ssh")) == ("two", 3)


@pytest.mark.parametrize(
    "line",
    [
        "Include more", "  include=more", '"Include" more', "Match exec true", "MATCH all", "CanonicalizeHostname no",
        "IdentityAgent ${AGENT}",
    ],
)  # fmt: skip
def test_what_may_depend_on_more_is_asked_each_time(
    started: list[str], file: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files, commands, the networks of this machine, DNS, variables."""
    monkeypatch.setenv("AGENT", "/run/agent")
    file.write_text(f"{line}\n{file.read_text()}")
    assert (user(file), user(file), started.count("ssh")) == ("one", "one", 2)


def test_who_may_write_the_file_counts(file: Path) -> None:
    """ssh refuses ~/.ssh/config where others may."""
    file.chmod(0o666)
    seen = known_settings.key(["ssh"], file)
    file.chmod(0o644)
    assert "" != seen != known_settings.key(["ssh"], file)


def test_what_may_hold_a_password_is_not_kept(started: list[str], file: Path) -> None:
    """Such as the way through a proxy."""
    file.write_text(f"{file.read_text()}  ProxyCommand connect --proxy-password=s3cret %h %p\n")
    assert (user(file), user(file), started.count("ssh")) == ("one", "one", 2)


def test_a_failure_is_not_kept(started: list[str], file: Path) -> None:
    file.write_text("no such keyword\n")
    for _ in range(2):
        with pytest.raises(ConnectError, match="ssh -G lb1 failed"):
            user(file)
    assert started.count("ssh") == 2


def test_the_usual_files_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's, the system's, and those that Debian's includes, also one that is new."""
    home, system = tmp_path / "home", tmp_path / "etc" / "ssh_config"
    usual = f"include {system}.d/*.conf"
    for folder in (home / ".ssh", Path(f"{system}.d")):
        folder.mkdir(parents=True)
    system.write_text(f"# Debian's\n  Include   {system}.d/*.conf\nHost *\n  HashKnownHosts yes\n")
    monkeypatch.setattr(known_settings, "SYSTEM", system)
    monkeypatch.setattr(known_settings, "USUAL", usual)
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name="me", pw_uid=1, pw_dir=str(home)))
    seen = [known_settings.key(["ssh", "lb1"], None)]
    for path in (home / ".ssh" / "config", Path(f"{system}.d/new.conf"), system):
        with path.open("a") as more:
            more.write("Compression yes\n")
        seen.append(known_settings.key(["ssh", "lb1"], None))
    assert all(seen)
    assert len(set(seen)) == 4
    Path(f"{system}.d/new.conf").write_text(usual)  # what is usual there is not usual here
    assert known_settings.key(["ssh", "lb1"], None) == ""


def test_without_ssh_or_a_user_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    with monkeypatch.context() as patched:
        patched.setattr("pwd.getpwuid", nobody)
        assert known_settings.key(["ssh"], None) == ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert known_settings.key(["ssh"], None) == ""


def test_another_ssh_is_asked_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """A script, or one that was built here: it may have its files elsewhere."""
    own = tmp_path / "bin" / "ssh"
    own.parent.mkdir()
    own.write_text('#!/bin/sh\nexec /usr/bin/ssh "$@"\n')
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin")
    assert known_settings.key(["ssh"], file) != ""  # nobody can run it
    own.chmod(0o755)
    assert known_settings.key(["ssh"], file) == ""
    monkeypatch.setattr(known_settings, "PROGRAM", str(own))
    assert known_settings.key(["ssh"], file) == ""
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(known_settings, "PROGRAM", "/usr/bin/ssh")
    monkeypatch.setattr(known_settings, "SYSTEM", tmp_path / "none")
    assert known_settings.key(["ssh"], None) == ""


def test_a_pipe_in_place_of_the_file_is_left_to_ssh(tmp_path: Path) -> None:
    """Whoever reads it waits for somebody to write, and takes it away from others."""
    os.mkfifo(tmp_path / "pipe")
    assert known_settings.key(["ssh"], tmp_path / "pipe") == ""


def test_a_file_that_changes_while_ssh_reads_it_is_not_kept(
    started: list[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was before may come back."""
    before = file.read_text()
    resolving = Resolving(Ssh(config_file=file), "lb1")
    file.write_text("Host lb1\n  User two\n")
    resolving.result()
    file.write_text(before)
    assert (user(file), started.count("ssh")) == ("one", 2)
