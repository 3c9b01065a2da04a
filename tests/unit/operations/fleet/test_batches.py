"""Many clusters in one run, offline: which files, in which order, with which exit code, and what travels."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from console import BAD, GOOD, Run

from lbdeploy import __version__
from lbdeploy.cli.file_arguments import spread
from lbdeploy.cli.group import ORDER
from lbdeploy.cli.report.fleet import said
from lbdeploy.errors import HostsFileError, UsageError
from lbdeploy.events import silent
from lbdeploy.operations.fleet.batches import batches, carry_out
from lbdeploy.operations.fleet.dask import DaskWorkers, _unpacked, pack
from lbdeploy.operations.fleet.job import ClusterResult, Job, labels, worst
from lbdeploy.rollout.options import Options

JOB = Job("a.toml", "up", Options(limit=("lb1",), reinstall=("haproxy",), lock_wait=1.5), "me, since now")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("-f a.toml plan", "-f a.toml plan"),
        ("-f a.toml b.toml plan --json", "-f a.toml -f b.toml plan --json"),
        ("-f a.toml -f b.toml plan", "-f a.toml -f b.toml plan"),
        ("plan -f sites/a sites/b --parallel 2", "plan -f sites/a -f sites/b --parallel 2"),
        ("-f plan b.toml plan", "-f plan -f b.toml plan"),
        ("-f a.toml plna", "-f a.toml plna"),  # a typing error is no file
        ("-f a.toml -v b.toml plan", "-f a.toml -v b.toml plan"),
        ("render -f a.toml x.toml", "render -f a.toml x.toml"),  # it has an argument of its own
        ("--file a.toml b.toml -- c.toml", "--file a.toml -f b.toml -- c.toml"),
        ("plan -f", "plan -f"),
    ],
)
def test_words_after_f_are_files_where_they_can_be_nothing_else(typed: str, meant: str) -> None:
    """Several words, as a shell expands a pattern; commands, options and arguments stay what they are."""
    assert spread(typed.split(), ORDER) == meant.split()


def test_a_quoted_pattern_is_expanded_in_order(tmp_path: Path) -> None:
    """As a shell would have done it; a pattern that fits nothing is named as it is."""
    for name in ("b.toml", "a.toml", "c.txt"):
        (tmp_path / name).touch()
    assert spread(["-f", f"{tmp_path}/*.toml", "plan"], ORDER) == [
        "-f", f"{tmp_path}/a.toml", "-f", f"{tmp_path}/b.toml", "plan",
    ]  # fmt: skip
    assert spread(["-f", f"{tmp_path}/*.yaml"], ORDER) == ["-f", f"{tmp_path}/*.yaml"]


def test_a_bad_file_stops_no_other_and_is_named(run: Run, tmp_path: Path) -> None:
    """Each in the order that was given, in one document, which is worse of the two exit codes."""
    (tmp_path / "bad.toml").write_text(BAD)
    done = run("-f", "bad.toml", "nowhere.toml", "--json", "plan")
    document = done.json
    assert (done.code, document["exit_code"], document["ok"]) == (2, 2, False)
    found = [(each["file"], each["name"], each["exit_code"], each["error"]["type"]) for each in document["clusters"]]
    assert found == [("bad.toml", None, 2, "HostsFile"), ("nowhere.toml", None, 2, "Usage")]
    assert "nowhere: there is no nowhere.toml" in done.err
    assert "0 of 2 clusters" in done.err


def test_the_next_clusters_do_not_begin_after_a_canary_that_failed(run: Run, tmp_path: Path) -> None:
    """What was not begun has no exit code, and is told."""
    (tmp_path / "bad.toml").write_text(BAD)
    done = run("-f", "bad.toml", "-f", "hosts.toml", "plan", "--canary", "1", "--json")
    assert done.code == 2
    assert [each["exit_code"] for each in done.json["clusters"]] == [2, None]
    assert "1 failed, 1 not begun" in done.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("check", "check takes one file"),
        ("plan --lab", "--lab is not for"),
        ("up --ask", "--ask is not for"),
        ("status --watch", "--watch is not for"),
        ("plan --scheduler tcp://127.0.0.1:9 --ask-sudo", "--ask-sudo"),
        ("plan --parallel 0", "--parallel"),
    ],
)
def test_what_many_clusters_can_not_have_is_refused(run: Run, tmp_path: Path, words: str, complaint: str) -> None:
    """With exit 2, before anything is begun."""
    (tmp_path / "b.toml").write_text(GOOD)
    done = run("-f", "hosts.toml", "b.toml", *words.split())
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err


def result(file: str, code: int | None, **document: object) -> ClusterResult:
    return ClusterResult(file, file, code, 1.0, document)


def jobs(names: str) -> list[Job]:
    return [replace(JOB, file=name) for name in names.split()]


class Engine:
    """Begins jobs, and ends them at once with the exit code that their name tells."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, job: Job) -> Future[ClusterResult]:
        self.begun.append(job.file)
        future: Future[ClusterResult] = Future()
        future.set_result(result(job.file, int(job.file[-1])))
        return future


def test_all_are_done_whatever_happens_to_one() -> None:
    """Without canaries nothing stops the others."""
    engine = Engine()
    found = list(carry_out(jobs("a0 b4 c1 d3"), engine.begin, 2))
    assert engine.begun == ["a0", "b4", "c1", "d3"]
    assert sorted((each.file, each.exit_code) for each in found) == [("a0", 0), ("b4", 4), ("c1", 1), ("d3", 3)]


@pytest.mark.parametrize(
    ("names", "begun"),
    [
        ("a0 b0 c0 d0 e0", "a0 b0 c0 d0 e0"),
        ("a4 b0 c0", "a4"),
        ("a3 b0 c6 d0 e0", "a3 b0 c6"),  # changes that are pending are no failure; a batch is ended
    ],
)
def test_canaries_then_batches_until_one_fails(names: str, begun: str) -> None:
    """One first, then two at a time; every cluster has a result in the end."""
    engine = Engine()
    found = list(carry_out(jobs(names), engine.begin, 2, canary=1))
    assert engine.begun == begun.split()
    left = [each.file for each in found if each.exit_code is None]
    assert begun.split() + left == names.split()


def test_batches_have_the_size_that_goes_on_at_once() -> None:
    """All in one where there is no canary."""
    assert [[job.file for job in batch] for batch in batches(jobs("a b c d e f"), 2, 1)] == [
        ["a"], ["b", "c"], ["d", "e"], ["f"],
    ]  # fmt: skip
    assert len(batches(jobs("a b c"), 1, 0)) == 1


def test_who_asks_it_to_stop_waits_for_no_more_than_has_begun() -> None:
    """The rest is not begun."""
    engine = Engine()
    found = list(carry_out(jobs("a0 b0 c0"), engine.begin, 1, stop=lambda: len(engine.begun) == 2))
    assert [each.exit_code for each in found] == [0, 0, None]


def test_the_worst_exit_code_is_the_one_with_most_to_do() -> None:
    """From an interrupted run down to one with nothing to do; one that nobody knows is a failure."""

    def of(*codes: int | None) -> int:
        return worst([result("x", code) for code in codes])

    order = [130, 1, 7, 4, 6, 5, 2, 3, 0]
    assert [of(*order[at:]) for at in range(len(order))] == order
    assert (of(0, 99, 7), of(None, 3), of()) == (1, 3, 0)


def test_files_are_told_apart_by_short_names() -> None:
    """The name alone, or the folder of a hosts.toml; where two are alike, all of it."""
    files = ["sites/berlin.toml", "paris/hosts.toml", "a/rome.toml", "b/rome.toml"]
    assert list(labels(files).values()) == ["berlin", "paris", "a/rome.toml", "b/rome.toml"]


@pytest.mark.parametrize(
    ("code", "document", "words"),
    [
        (None, {}, "not begun"),
        (0, {"changes": []}, "nothing to do"),
        (3, {"changes": [{"node": "lb1"}, {"node": "lb2"}, {"node": "lb1"}]}, "3 changes on lb1 and lb2"),
        (4, {"error": {"message": "gone\nfor good", "node": "lb1"}}, "lb1: gone"),
        (6, {"findings": [{"severity": "error"}, {"severity": "warning"}], "vips": [{"holders": []}]},
         "1 check failed, VIPs on nobody"),
        (0, {"findings": [{"severity": "ok"}], "vips": [{"holders": ["lb2"]}] * 2}, "healthy, VIPs on lb2"),
        (4, {"nodes": [{"node": "lb1", "reachable": False}], "warnings": [1], "vips": []},
         "lb1 can't be looked at, 1 warning"),
    ],
)  # fmt: skip
def test_what_came_of_a_cluster_in_a_few_words(code: int | None, document: dict[str, object], words: str) -> None:
    """From its document alone, which may come from another machine."""
    assert said(result("a", code, **document)) == words


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
