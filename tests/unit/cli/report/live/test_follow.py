"""The live screen on a terminal: pyte, which is one, draws what is sent to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import pyte
import pytest

pytestmark = pytest.mark.terminal

SUPPORT = Path(__file__).parents[4] / "support"
PROGRAM = f"""
import sys
sys.path[:0] = [{str(SUPPORT)!r}]
from builders import SEED
from statuses import pair
from watching import Looked, clusters
from lbdeploy.cli.report.reporter import Reporter
from lbdeploy.config import reader
from lbdeploy.operations.watch.clusters import WatchedCluster
seed = reader.load(SEED)
print("before")
many = sys.argv[1] == "many"
Reporter(json=False, verbose=0).watch(clusters(seed) if many else [WatchedCluster("a", Looked(pair(seed)))])
print("after")
"""


class Watching:
    """A screen of so many columns and rows, and what is on it."""

    def __init__(self, columns: int, rows: int, *args: str, **env: str) -> None:
        self.size = columns, rows
        self.process = pexpect.spawn(
            sys.executable, ["-c", PROGRAM, *(args or ("one",))], encoding="utf-8", dimensions=(rows, columns),
            env={"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", **env}, timeout=20,
        )  # fmt: skip
        self.sent = ""

    def read(self) -> None:
        with suppress(pexpect.TIMEOUT):
            self.sent += self.process.read_nonblocking(100_000, 0.05)

    @property
    def rows(self) -> list[str]:
        """What stands on the terminal now: pyte has only one screen, which the other one, while it is used, hides."""
        other = self.sent.rpartition("\x1b[?1049h")[2]
        screen = pyte.Screen(*self.size)
        pyte.Stream(screen).feed(other)
        return [line.rstrip() for line in screen.display]

    def until(self, true: Callable[[list[str]], bool]) -> list[str]:
        """The rows, as soon as they are as wanted."""
        deadline = time.monotonic() + 15
        while not true(self.rows):
            assert time.monotonic() < deadline, "\n".join(self.rows)
            self.read()
        return self.rows

    def has(self, text: str) -> list[str]:
        return self.until(lambda rows: any(text in row for row in rows))

    def end(self, how: Callable[[], object]) -> str:
        """End it; what the terminal then shows, whose first screen it is again."""
        how()
        while True:
            try:
                self.sent += self.process.read_nonblocking(100_000, 10)
            except pexpect.EOF:
                break
        self.process.close()
        assert self.process.exitstatus == 0
        return self.sent.rpartition("\x1b[?1049l")[2]


@pytest.fixture
def watching() -> Iterator[Callable[..., Watching]]:
    begun: list[Watching] = []

    def begin(columns: int = 60, rows: int = 14, *args: str, **env: str) -> Watching:
        begun.append(Watching(columns, rows, *args, **env))
        return begun[-1]

    yield begin
    for each in begun:
        each.process.close(force=True)


@pytest.mark.parametrize("how", ["q", "Ctrl-C"])
def test_it_ends_well_and_leaves_the_last_screen(watching: Callable[..., Watching], how: str) -> None:
    """On the terminal's first screen, below what stood there; and keys are echoed again."""
    shown = watching()
    shown.has("q quit")
    left = shown.end(lambda: shown.process.send("q") if how == "q" else shown.process.sendintr())
    assert left.index("k8s-api") < left.index("master3") < left.index("after")
    assert "q quit" not in left


def test_each_key_shows_its_page_and_esc_comes_back(watching: Callable[..., Watching]) -> None:
    shown = watching()
    first = shown.has("q quit")
    for key, text in (("?", "choose a row"), ("h", "what has changed"), ("d", "drill haproxy"), ("\r", "addresses")):
        shown.process.send(key)
        shown.until(lambda rows, wanted=text: any(wanted in row or "192.168.0.11 on" in row for row in rows))
        assert shown.rows[0] == first[0]
        shown.process.send("\x1b")
        shown.has("q quit  ? help  Enter details")
    assert shown.rows[:11] == first[:11]
    assert "after" in shown.end(lambda: shown.process.send("q"))


def test_a_filter_is_shown_as_it_is_typed(watching: Callable[..., Watching]) -> None:
    shown = watching()
    shown.has("q quit")
    shown.process.send("/master2")
    shown.has("/master2_")
    assert not any(row.startswith("master1") for row in shown.rows)
    shown.process.send("\x1b")
    shown.has("master1")
    shown.end(lambda: shown.process.send("q"))


def test_a_terminal_of_another_size_is_filled_again(watching: Callable[..., Watching]) -> None:
    shown = watching(140, 30)
    shown.has("last changes")
    shown.process.setwinsize(14, 60)
    shown.size = 60, 14
    before = len(shown.sent)
    shown.until(lambda _: "\x1b[H" in shown.sent[before:] and len(shown.sent) > before + 500)
    shown.sent = "\x1b[?1049h" + shown.sent[before:]
    assert shown.has("more lines: h shows them")
    shown.end(lambda: shown.process.send("q"))


def test_many_clusters_are_a_row_each_and_one_is_opened(watching: Callable[..., Watching]) -> None:
    shown = watching(80, 20, "many")
    assert shown.has("connecting")[0].startswith("4 clusters")
    shown.process.send("j\r")
    assert shown.has("keepalived")[0].startswith("k8s-api  DEGRADED")
    shown.process.send("\x1b")
    shown.has("4 clusters")
    left = shown.end(lambda: shown.process.send("q"))
    assert "tokyo" in left


def test_it_is_ascii_where_the_locale_is(watching: Callable[..., Watching]) -> None:
    shown = watching(60, 14, LC_ALL="C")
    shown.has("q quit")
    marks = {"✓", "✗"}  # which all reports have
    assert {each for row in shown.rows for each in row if not each.isascii()} <= marks
    shown.end(lambda: shown.process.send("q"))
