"""What is kept for the next run: found by all that it depends on, private, bounded, and never in the way."""

from __future__ import annotations

import json
import os
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from lbdeploy.common import cache

KEY = "0123456789abcdef"
VALUE = {"a": [1, 2.5, None, True, "ü"]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user who has no cache yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lbdeploy"


def test_a_value_is_found_by_its_key_alone(folder: Path) -> None:
    """What was kept comes back as it was; under another key there is nothing."""
    cache.keep(KEY, VALUE)
    assert cache.recall(KEY) == VALUE
    assert cache.recall(KEY[::-1]) is None


def test_nobody_else_can_read_it(folder: Path) -> None:
    """Folder and entries are their owner's, whatever the umask."""
    before = os.umask(0)
    try:
        cache.keep(KEY, VALUE)
    finally:
        os.umask(before)
    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder, folder / KEY)] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o640, 0o604])
@pytest.mark.parametrize("what", [".", KEY])
def test_what_others_can_get_at_is_not_believed(folder: Path, what: str, mode: int) -> None:
    """Whoever could have written, or was meant to read, a folder or an entry: it does not count."""
    cache.keep(KEY, VALUE)
    (folder / what).chmod(mode | (0o100 if what == "." else 0))
    assert cache.recall(KEY) is None


@pytest.mark.parametrize("foreign", [".", KEY])
def test_what_is_somebody_elses_is_not_believed(folder: Path, foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under sudo, the folder in the home of whoever called it does not count, nor does an entry of theirs."""
    cache.keep(KEY, VALUE)
    really, other = os.fstat, (folder / foreign).stat().st_ino

    def fstat(opened: int) -> os.stat_result:
        found = really(opened)
        return os.stat_result((*found[:4], found.st_uid + (found.st_ino == other), *found[5:]))

    monkeypatch.setattr(os, "fstat", fstat)
    assert cache.recall(KEY) is None


def test_nothing_is_made_in_the_home_of_somebody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could not use a folder that is another's."""
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    cache.keep(KEY, VALUE)
    assert not folder.parent.exists()


@pytest.mark.parametrize("what", [".", KEY])
def test_links_are_not_followed(folder: Path, tmp_path: Path, what: str) -> None:
    """Neither as the folder nor as an entry."""
    cache.keep(KEY, VALUE)
    (folder / what).resolve().rename(tmp_path / "elsewhere")
    (folder / what if what != "." else folder).symlink_to(tmp_path / "elsewhere")
    assert cache.recall(KEY) is None


def test_a_pipe_in_its_place_keeps_nobody_waiting(folder: Path) -> None:
    """An entry is a file, and nothing else."""
    cache.keep(KEY, VALUE)
    (folder / KEY).unlink()
    os.mkfifo(folder / KEY, 0o600)
    assert cache.recall(KEY) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[",
        b"null",
        b"[1]",
        json.dumps(["another key", VALUE]).encode(),
        json.dumps([KEY, VALUE]).encode()[:-1],
        b"[" * 100_000,
    ],
)
def test_what_is_damaged_is_not_believed(folder: Path, content: bytes) -> None:
    """Whatever an entry holds, it is the whole of what was kept under that key, or nothing."""
    cache.keep(KEY, VALUE)
    (folder / KEY).write_bytes(content)
    assert cache.recall(KEY) is None
    cache.keep(KEY, VALUE)
    assert cache.recall(KEY) == VALUE


def test_a_large_value_is_not_kept(folder: Path) -> None:
    """The cache stays small."""
    cache.keep(KEY, "x" * cache.LARGEST)
    assert not folder.exists()


def test_only_the_newest_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, also what a killed run left half written."""
    monkeypatch.setattr(cache, "KEPT", 50)
    monkeypatch.setattr(cache, "_added", count())
    cache.keep("new", VALUE)
    monkeypatch.setattr(cache, "_added", count())
    for number in range(cache.KEPT + 5):
        (folder / f"old-{number}").touch()
        os.utime(folder / f"old-{number}", (number, number))
    cache.keep("newest", VALUE)
    assert len(list(folder.iterdir())) == cache.KEPT
    assert (cache.recall("new"), cache.recall("newest")) == (VALUE, VALUE)
    assert not (folder / "old-0").exists()


def test_a_run_over_many_clusters_looks_seldom_for_too_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each entry, which would read all names each time; so there may be some more meanwhile."""
    monkeypatch.setattr(cache, "KEPT", 20)
    monkeypatch.setattr(cache, "EVERY", 10)
    monkeypatch.setattr(cache, "_added", count())
    found = [(cache.keep(f"entry-{number}", VALUE), len(list(folder.iterdir())))[1] for number in range(100)]
    assert found[:20] == list(range(1, 21))
    assert max(found) == 29
    assert set(found[20::10]) == {20}


@pytest.mark.parametrize("place", ["/dev/null", "/proc/1"])
def test_without_a_folder_nothing_is_kept(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, that is no error."""
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    cache.keep(KEY, VALUE)
    assert cache.recall(KEY) is None


@pytest.mark.parametrize("said", [None, "", "relative/path"])
def test_the_folder_is_in_the_home_where_nothing_else_is_said(
    said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The XDG specification: unset, empty and relative are the same."""
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.delenv("XDG_CACHE_HOME")
    if said is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", said)
    assert cache.folder() == Path("/home/ops/.cache/lbdeploy")


def test_two_runs_at_once_see_whole_values(folder: Path) -> None:
    """One that reads while another writes finds the old value or the new one, and leaves nothing behind."""
    ends = time.monotonic() + 0.3
    values = ["a" * 10_000, "b" * 20_000]
    cache.keep(KEY, values[0])

    def write(value: str) -> None:
        while time.monotonic() < ends:
            cache.keep(KEY, value)

    writers = [threading.Thread(target=write, args=(value,)) for value in values]
    for each in writers:
        each.start()
    seen = set()
    while time.monotonic() < ends:
        seen.add(cache.recall(KEY))
    for each in writers:
        each.join()
    assert seen <= set(values)
    assert [each.name for each in folder.iterdir()] == [KEY]


def test_the_key_is_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other facts, another version, other code: another key."""
    keys = [cache.key("a", {"b": 1}), cache.key("a", {"b": 2}), cache.key("a"), cache.key("a", {"b": 1}, 1)]
    monkeypatch.setattr(cache, "__version__", "9.9.9")
    keys.append(cache.key("a", {"b": 1}))
    monkeypatch.undo()
    monkeypatch.setattr(cache, "_code", lambda: [("render.py", 1, 2)])
    keys.append(cache.key("a", {"b": 1}))
    assert len(set(keys)) == len(keys)


def test_code_that_changes_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a checkout the version stays what it is, while modules and templates change."""
    for name in (*cache.WORKED_OUT_BY, "templates"):
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below" / "file").write_text("1")
    monkeypatch.setattr(cache, "PACKAGE", tmp_path)
    monkeypatch.setattr(cache, "shipped", lambda name: tmp_path / name)
    seen = []
    for name in ("", *cache.WORKED_OUT_BY, "templates"):
        if name:
            (tmp_path / name / "below" / "file").write_text("22")
        cache._code.cache_clear()
        seen.append(str(cache._code()))
    cache._code.cache_clear()
    assert len(set(seen)) == len(seen)
