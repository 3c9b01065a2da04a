"""What travels to workers, and back."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from console import BAD
from goldens import GOOD
from jobs import JOB, result

from lbdeploy import __version__
from lbdeploy.errors import HostsFileError, UsageError
from lbdeploy.events import silent
from lbdeploy.operations.fleet.dask import DaskWorkers, _unpacked, pack
from lbdeploy.operations.fleet.job import ClusterResult, Job


def test_a_parcel_has_the_file_and_its_templates_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked arrives as it was, templates by their names; passwords stay where they are."""
    monkeypatch.setenv("LBDEPLOY_SUDO_PASSWORD", "hunter2")
    file = tmp_path / "hosts.toml"
    file.write_text(GOOD)
    (tmp_path / "templates/parts").mkdir(parents=True)
    (tmp_path / "templates/.git").mkdir()
    (tmp_path / "templates/parts/x.j2").write_text("a part")
    for hidden in (".git/HEAD", ".x.j2.swp", "parts/.x.j2.swp"):
        (tmp_path / "templates" / hidden).write_bytes(b"b0VIM \xff\xfe")
    parcel = pack(replace(JOB, file=str(file)), "0")
    assert (parcel["text"], parcel["templates"]) == (GOOD, {"parts/x.j2": b"a part"})
    assert b"hunter2" not in pickle.dumps(parcel)
    job = Job.of_json(json.loads(json.dumps(parcel["job"])))
    assert job.options.lock_wait == 60  # whoever takes over from a lost worker waits for what that had begun
    assert replace(job, options=JOB.options, file=JOB.file) == JOB


def test_a_bad_file_goes_nowhere(tmp_path: Path) -> None:
    """It is told by the operator's own side."""
    (tmp_path / "bad.toml").write_text(BAD)
    with pytest.raises(HostsFileError):
        pack(replace(JOB, file=str(tmp_path / "bad.toml")), "0")
    with pytest.raises(UsageError):
        pack(replace(JOB, file=str(tmp_path / "nowhere.toml")), "0")


class Client:
    """Of a scheduler that is never asked for anything."""

    def subscribe_topic(self, *_: object) -> None:
        """Nobody says anything."""


def test_a_template_that_can_not_be_read_ends_its_own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on; one that is no text is told of by whoever renders it, as on one machine."""
    (tmp_path / "hosts.toml").write_text(GOOD)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/haproxy.cfg.j2").write_bytes(b"\xff\xfe")
    job = replace(JOB, command="plan", file=str(tmp_path / "hosts.toml"))
    parcel = pack(job, "0")
    assert parcel["templates"] == {"haproxy.cfg.j2": b"\xff\xfe"}
    monkeypatch.setattr(Path, "read_bytes", lambda self: (_ for _ in ()).throw(PermissionError(13, "denied", "x.j2")))
    found = DaskWorkers(Client(), lambda *_: None).begin(job).result(0)
    assert (found.exit_code, found.document["error"]["type"]) == (2, "Usage")
    assert "x.j2" in found.document["error"]["message"]


def test_a_worker_with_another_version_refuses() -> None:
    """It would write other files than the operator's plan shows."""
    parcel = {"version": "0.0.0", "job": JOB.to_json(), "path": "/a.toml", "text": GOOD, "templates": {}}
    found = _unpacked(parcel, "tcp://worker", silent)
    assert found.exit_code == 2
    assert f"the worker tcp://worker has lbdeploy {__version__}" in found.document["error"]["message"]


def test_templates_of_the_parcel_are_those_that_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what the worker happens to have at the same place."""
    seen: list[Iterable[str]] = []
    scripts: list[str] = []

    def peek(job: Job, source: object, emit: object) -> ClusterResult:
        cluster, text = source()  # type: ignore[operator]
        seen.append((text, (cluster.templates / "haproxy.cfg.j2").read_text(), str(cluster.ssh.known_hosts_file)))
        scripts.append(cluster.vrrp.notify.text)
        return result(job.file, 0)

    monkeypatch.setattr("lbdeploy.operations.fleet.dask.perform", peek)
    text = GOOD.replace("[ssh]", '[ssh]\nknown_hosts_file = "known"').replace("[vrrp]", '[vrrp]\nnotify = "notify.sh"')
    files = {"templates": {"haproxy.cfg.j2": b"mine"}, "texts": {"notify.sh": "#!/mine"}}
    source = {"path": f"{tmp_path}/a.toml", "text": text, **files}
    assert _unpacked({"version": __version__, "job": JOB.to_json(), **source}, "w", silent).exit_code == 0
    assert seen == [(text, "mine", f"{tmp_path}/known")]
    assert scripts == ["#!/mine"]
