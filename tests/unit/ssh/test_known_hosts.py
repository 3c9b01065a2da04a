"""Lines of known_hosts, added and taken out; ssh-keygen is asked where there may be doubt about the format."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdeploy.ssh import known_hosts
from lbdeploy.ssh.known_hosts import fingerprint, forget, hash_name, known_name, plain_lines, remember

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIDnlXl8ZJcYHzfcRKLj8mW5Kqy7nPGpqrKZ1Mg1BvYvB"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIFw1gLq0yEBCsCzQYj2wTRyc1GZ7LxYnCwhNXQEhb1Dn"
SALT = bytes(range(20))

# What people have in their files, with every kind of line that sshd(8) knows, and some that are damaged.
CAPTURED = f"""\
# from the old laptop

lb1,192.168.1.11 ssh-ed25519 {OTHER} console
{hash_name("lb1", SALT)} ssh-ed25519 {OTHER}
[lb1]:2222 ssh-ed25519 {ED25519}
*.example.org,!lb1 ssh-ed25519 {ED25519}
@cert-authority lb1,*.example.org ssh-ed25519 {ED25519} ca
@revoked * ssh-ed25519 {OTHER}
lb10 ssh-ed25519 {ED25519}
|1|damaged ssh-ed25519 {ED25519}
|1|no-base64|at-all ssh-ed25519 {ED25519}
lb2 ssh-ed25519
LB1 ssh-ed25519 {OTHER}
"""

names = st.text("ab1.-", min_size=1, max_size=4)
ports = st.sampled_from([22, 2222, 65535])
keys = st.binary(min_size=3, max_size=6).map(lambda raw: b64encode(raw).decode())
entries = st.lists(st.tuples(names, ports, keys, st.booleans()), max_size=3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def test_a_key_is_added_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    """The folder and the file are made, for the operator's eyes only, as OpenSSH makes them."""
    file = tmp_path / ".ssh" / "known_hosts"
    remember(file, "lb1", 22, "ssh-ed25519", ED25519)
    assert file.read_text() == f"lb1 ssh-ed25519 {ED25519}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_is_added_once(file: Path) -> None:
    """A line that is there already, hashed or not, is not written again; one for another port is another line."""
    file.write_text("# mine")
    for _ in range(2):
        remember(file, "LB1", 22, "ssh-ed25519", ED25519)
        remember(file, "lb1", 2222, "ssh-ed25519", ED25519, hashed=True)
    first, second, third = file.read_text().splitlines()
    assert (first, second) == ("# mine", f"lb1 ssh-ed25519 {ED25519}")
    assert third.startswith("|1|")
    assert "2222" not in third


def test_one_hosts_keys_are_taken_out(file: Path) -> None:
    """Every plain line of this very host goes, or only its name where the line has others; the rest stays as it was."""
    file.write_text(CAPTURED)
    file.chmod(0o640)
    assert forget(file, "lb1") == 3
    gone = {f"lb1,192.168.1.11 ssh-ed25519 {OTHER} console", f"LB1 ssh-ed25519 {OTHER}"}
    left = [line for line in CAPTURED.splitlines() if line not in gone and hash_name("lb1", SALT) not in line]
    left.insert(2, f"192.168.1.11 ssh-ed25519 {OTHER} console")
    assert file.read_text().splitlines() == left
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in file.parent.iterdir()] == ["known_hosts"]


def test_forgetting_an_unknown_host_writes_nothing(file: Path) -> None:
    """A file without the host is left alone, and one that is not there is not made."""
    assert forget(file, "lb1") == 0
    assert not file.exists()
    file.write_text(CAPTURED)
    before = file.stat()
    assert forget(file, "lb3") == 0
    after = file.stat()
    # Not all of it: the time of the last access may be another, since the file was read.
    assert after.st_ino == before.st_ino
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Operators keep their dotfiles elsewhere; the file there is changed."""
    real, link = tmp_path / "real", tmp_path / "known_hosts"
    real.write_text(f"lb1 ssh-ed25519 {ED25519}\nlb2 ssh-ed25519 {OTHER}\n")
    link.symlink_to(real)
    assert forget(link, "lb1") == 1
    remember(link, "lb3", 22, "ssh-ed25519", ED25519)
    assert link.is_symlink()
    assert real.read_text() == f"lb2 ssh-ed25519 {OTHER}\nlb3 ssh-ed25519 {ED25519}\n"


@settings(max_examples=10, deadline=None)
@given(entries, names, ports, keys)
def test_what_is_remembered_is_forgotten_without_a_trace(
    before: list[tuple[str, int, str, bool]], host: str, port: int, key: str
) -> None:
    """Whatever else the file holds: adding a new host and taking it out again gives back the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "known_hosts"
        file.write_text("# first\n")
        for name, at, each, hashed in before:
            remember(file, name, at, "ssh-ed25519", each, hashed=hashed)
        forget(file, host, port)
        text = file.read_bytes()
        remember(file, host, port, "ssh-ed25519", key, hashed=True)
        assert forget(file, host, port) == 1
        assert file.read_bytes() == text


def test_fingerprints_are_openssh_s() -> None:
    """A key that is no base64 has none."""
    assert fingerprint(ED25519).startswith("SHA256:")
    assert len(fingerprint(ED25519)) == 50
    with pytest.raises(ValueError, match=r"base64|[Ii]ncorrect|[Nn]on"):
        fingerprint("no base64!")


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH's client")
def test_openssh_reads_what_was_written(file: Path) -> None:
    """ssh-keygen finds a hashed line by its name and port, and shows the same fingerprint."""
    remember(file, "FD00::11", 2222, "ssh-ed25519", ED25519, hashed=True)
    argv = ["ssh-keygen", "-l", "-F", known_name("fd00::11", 2222), "-f", os.fspath(file)]
    found = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert fingerprint(ED25519) in found


NAMES = st.sampled_from(["lb1", "LB1", "lb1.", "[lb1]:2222", "lb10", "b1", "192.168.1.11", "fd00::11"])
LINES = st.one_of(
    st.builds(
        lambda names, more: f"{','.join(names)} ssh-ed25519 A{more}", st.lists(NAMES, min_size=1), st.text("b @*")
    ),
    st.sampled_from(["", "#", "# me@laptop", " #lb1 *", "lb1", " lb1"]),
)


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH's client")
@settings(max_examples=25)
@given(st.lists(LINES, max_size=6), NAMES.map(str.lower))
def test_plain_lines_are_found_as_by_openssh(lines: list[str], name: str) -> None:
    """The same lines, where ssh-keygen need not be started; and it need not."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "known_hosts")
        file.write_text("".join(f"{line}\n" for line in lines))
        argv = ["ssh-keygen", "-F", name, "-f", os.fspath(file)]
        said = subprocess.run(argv, check=False, capture_output=True, text=True).stdout.splitlines()
        found = plain_lines(file, name)
        assert found is not None
        # Of a line without a key, ssh-keygen says elsewhere that it is none.
        assert [line for line in found if line.split()[1:]] == [line for line in said if not line.startswith("# Host")]


@pytest.mark.parametrize(
    "line", [hash_name("lb2", SALT), "*.example.org", "lb2,!lb3", "@revoked lb2", "lb?", " @revoked lb2"]
)
def test_more_than_plain_names_is_for_openssh(file: Path, line: str) -> None:
    """A single such line is enough; a name with capitals, and a file that can't be read, are, too."""
    file.write_text(f"lb1 ssh-ed25519 {ED25519} me@laptop\n")
    assert plain_lines(file, "lb1") == [f"lb1 ssh-ed25519 {ED25519} me@laptop"]
    assert plain_lines(file, "Lb1") is None
    file.write_text(f"lb1 ssh-ed25519 {ED25519}\n{line} ssh-ed25519 {OTHER}\n")
    assert plain_lines(file, "lb1") is None
    assert plain_lines(file.parent, "lb1") is None


REINSTALLED = """\
import sys
from pathlib import Path

from lbdeploy.ssh import known_hosts
from lbdeploy.ssh.known_hosts import forget, remember

file, name, key = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
print("ready", flush=True)
sys.stdin.read()
for _ in range(3):
    forget(file, name)
    remember(file, name, 22, "ssh-ed25519", key)
"""


@pytest.mark.terminal
def test_no_line_is_lost_where_processes_write_at_once(tmp_path: Path) -> None:
    """A hundred processes take their hosts out and put them in again, through a link, and every line is there."""
    real, link = tmp_path / "real", tmp_path / "known_hosts"
    names = [f"lb{number}" for number in range(100)]
    real.write_text("".join(f"{name} ssh-ed25519 {OTHER}\n" for name in names))
    real.chmod(0o640)
    link.symlink_to(real)
    argv = [[sys.executable, "-c", REINSTALLED, os.fspath(link), name, ED25519] for name in names]
    writers = [subprocess.Popen(each, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for each in argv]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:  # all are waiting: now they write at once
        assert writer.stdin
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0] * 100
    assert sorted(real.read_text().splitlines()) == sorted(f"{name} ssh-ed25519 {ED25519}" for name in names)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["known_hosts", "real"]


def test_a_file_that_stays_locked_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded time, and nothing is written."""
    monkeypatch.setattr(known_hosts, "LOCK_SECONDS", 0.05)
    file.write_text("# mine\n")
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="locked for") as raised:
            remember(file, "lb1", 22, "ssh-ed25519", ED25519)
    assert raised.value.filename == os.fspath(file)
    assert file.read_text() == "# mine\n"
