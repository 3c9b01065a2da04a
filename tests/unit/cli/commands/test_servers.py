"""`servers`, with a kubectl of the test's own."""

from __future__ import annotations

from pathlib import Path

import kube
import pytest
from console import Run

ONE, TWO, THREE, FOUR = (f"192.168.1.2{last}" for last in (1, 2, 3, 4))
SAME = {"master1": [ONE], "master2": [TWO], "master3": [THREE]}


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in PATH, with a cluster that is as the sample says."""
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return kube.kubectl(folder, kube.slices(ONE, TWO, THREE), kube.nodes(SAME))


def test_the_same(run: Run, bin_: Path) -> None:
    """Exit code 0; two questions, and nothing is written."""
    done = run("servers")
    assert (done.code, done.err) == (0, "")
    assert "Nothing to do: hosts.toml has the API servers that the cluster names." in done.out
    assert len((bin_ / "asked").read_text().splitlines()) == 2


def test_a_replaced_server(run: Run, bin_: Path, tmp_path: Path) -> None:
    """Exit code 3, and nothing is written, until --write: then only these lines are other ones."""
    kube.kubectl(bin_, kube.slices(ONE, TWO, FOUR), kube.nodes({"master1": [ONE], "master2": [TWO], "master4": [FOUR]}))
    file, config = tmp_path / "hosts.toml", tmp_path / "admin.conf"
    before = file.read_text()
    config.touch()
    done = run("servers", "--kubeconfig", str(config))
    assert (done.code, file.read_text()) == (3, before)
    assert f"lbdeploy servers --kubeconfig {config} --write" in " ".join(done.out.split())
    file.chmod(0o640)
    done = run("--json", "servers", "--write")
    assert done.code == 0
    assert done.json["written"] is True
    assert file.read_text() == before.replace('master3 = "192.168.1.23"', 'master4 = "192.168.1.24"')
    assert file.stat().st_mode & 0o777 == 0o640
    assert run("servers").code == 0
    assert run("--json", "servers", "--write").json["written"] is False


def test_line_ends_and_links_stay(run: Run, bin_: Path, tmp_path: Path) -> None:
    """A file of Windows stays one, and a symbolic link is followed."""
    file, target = tmp_path / "hosts.toml", tmp_path / "real.toml"
    target.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    before = target.read_bytes()
    file.unlink()
    file.symlink_to(target)
    kube.kubectl(bin_, kube.slices(ONE, TWO, THREE, FOUR), kube.nodes({**SAME, "master4": [FOUR]}))
    assert run("servers", "--write").code == 0
    added = b'master3 = "192.168.1.23"\r\nmaster4 = "192.168.1.24"\r\n'
    assert target.read_bytes() == before.replace(b'master3 = "192.168.1.23"\r\n', added)
    assert file.is_symlink()


def test_what_can_not_be_asked(run: Run, bin_: Path, tmp_path: Path) -> None:
    """An error that says what to do, and a file as it was."""
    before = (tmp_path / "hosts.toml").read_text()
    kube.kubectl(bin_, "error: You must be logged in to the server (Unauthorized)", kube.nodes(SAME))
    done = run("--json", "servers", "--write")
    assert (done.code, done.json["error"]["type"]) == (1, "Api")
    assert done.json["error"]["state"] == "nothing was changed"
    kube.kubectl(bin_, kube.slices("10.9.9.9"), kube.nodes({}))
    done = run("--json", "servers", "--write")
    assert (done.code, done.json["error"]["state"]) == (1, "hosts.toml is as it was")
    assert (tmp_path / "hosts.toml").read_text() == before
    assert run("servers", "--kubeconfig", "none").code == 2
    assert run("-f", "hosts.toml", "-f", "x.toml", "verify", "--kubeconfig", "admin.conf").code == 2


def test_a_file_that_can_not_be_written(run: Run, bin_: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says so, and no half-written file is left."""
    kube.kubectl(bin_, kube.slices(ONE, TWO, THREE, FOUR), kube.nodes({**SAME, "master4": [FOUR]}))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    done = run("--json", "servers", "--write")
    assert (done.code, done.json["error"]["message"]) == (2, "hosts.toml can't be written: No space left on device")
    assert {each.name for each in tmp_path.iterdir() if "hosts.toml" in each.name} == {"hosts.toml"}
    (tmp_path / "hosts.toml").rename(tmp_path / "my hosts.toml")
    assert run("--json", "-f", "my hosts.toml", "servers", "--write").json["error"]["fix"] == "ls -l 'my hosts.toml'"
