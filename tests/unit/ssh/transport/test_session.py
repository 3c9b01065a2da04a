"""A node that hangs, dawdles or talks without end is given up in time, and named."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hostile
import pytest
from hostile import Behaviour

from lbdeploy.errors import LostError
from lbdeploy.events import Event, RemoteCommand
from lbdeploy.ssh.limits import LOOK, STREAM, WORK, Limits
from lbdeploy.ssh.transport import session as module
from lbdeploy.ssh.transport.session import Session

SHORT = Limits(0.5, 0.5, 200_000)


@contextmanager
def given_up(within: float = 30.0) -> Iterator[pytest.ExceptionInfo[LostError]]:
    """Ends with that error, in time, and with a bounded part of this machine's memory."""
    began = time.monotonic()
    tracemalloc.start()
    with pytest.raises(LostError) as raised:
        yield raised
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - began < within
    assert peak < 64 << 20


@pytest.mark.parametrize(
    ("behave", "limits", "why"),
    [
        (hostile.silent, SHORT, "its answer takes longer than 0.5 s"),
        (hostile.begins_and_is_silent, SHORT, "its answer takes longer than 0.5 s"),
        (hostile.begins_and_is_silent, Limits(60, 0.5), "it has reported nothing for 0.5 s"),
        (hostile.drips, SHORT, "its answer takes longer than 0.5 s"),
        (hostile.drips, Limits(60, 0.5), "it has reported nothing for 0.5 s"),
        (hostile.drips_lines, Limits(0.5, 60), "its answer takes longer than 0.5 s"),
        (hostile.floods, Limits(60, 60, 200_000), "its answer is longer than 0.190735 MiB"),
        (hostile.floods, Limits(60, 60), "its answer is longer than 8 MiB"),
    ],
)
def test_a_node_that_exceeds_a_limit_is_given_up(tmp_path: Path, behave: Behaviour, limits: Limits, why: str) -> None:
    """The error has the node, the limit, and what to type; the connection is not used again."""
    with hostile.session(tmp_path, behave) as session:
        with given_up() as raised:
            session.run("true\n", limits=limits)
        error = raised.value
        assert (error.node, error.message, error.silent) == ("lb1", f"it was given up: {why}", True)
        assert error.fix == "see whether it answers by hand: ssh lb1 true; then: lbdeploy verify"
        assert not session.alive
        with pytest.raises(LostError):
            session.run("true\n", limits=limits)


def test_a_node_that_accepts_no_command_is_given_up(tmp_path: Path) -> None:
    """It opens a channel, and then never says whether the command runs."""
    with hostile.session(tmp_path, hostile.silent, deaf=True) as session, given_up():
        session.run("true\n", limits=SHORT)


def test_a_node_that_dies_before_it_accepts_a_command_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that dies later: long before an answer would have to be there."""
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.3)
    with hostile.session(tmp_path, hostile.silent, deaf=True) as session:
        monkeypatch.setattr(
            session._connections.current.transport, "global_request", lambda *_: threading.Event().wait(5)
        )
        with given_up(10) as raised:
            session.run("true\n", limits=Limits(60, 60))
    assert raised.value.silent
    assert raised.value.message == "the connection was lost: nothing was heard from it for 0 s"


def test_a_node_that_does_not_read_is_given_up(tmp_path: Path) -> None:
    """A script longer than the room that the node gives would wait for more room."""
    with hostile.session(tmp_path, hostile.silent) as session, given_up():
        session.run("x" * (8 << 20), limits=SHORT)


def test_a_node_that_sends_more_than_there_is_room_for_is_left(tmp_path: Path) -> None:
    """Also while nobody reads: paramiko would keep all of it."""
    with hostile.session(tmp_path, hostile.floods_beyond_the_window) as session:
        channel = session._channel()
        with given_up():
            session._start(channel, "sh -s", "echo 1\n")
            for _ in range(200):
                time.sleep(0.05)
                if not session._connections.current.transport.is_active():
                    raise session._lost(str(session._connections.current.transport.get_exception()))


@pytest.mark.parametrize("behave", [hostile.silent, hostile.drips, hostile.floods])
def test_a_lock_that_is_never_told_is_given_up(
    tmp_path: Path, behave: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that is held open has to say that it runs."""
    monkeypatch.setattr(module, "HOLD", SHORT)
    with hostile.session(tmp_path, behave) as session, given_up():
        session.hold("true\n", "@@lbdeploy")


def test_an_answer_in_time_is_passed_on(tmp_path: Path) -> None:
    """Line by line, with its status; the log gets the beginning of a long one, without its secrets."""
    told: list[Event] = []
    lines: list[str] = []
    text = "auth_pass s3cret\n" + "line\n" * 30_000
    with hostile.session(tmp_path, hostile.answers(text), told=told) as session:
        result = session.run("true\n", lines.append, SHORT.longer(30))
    assert (result.output, result.status) == (text, 0)
    assert lines == text.splitlines()
    (event,) = told
    assert isinstance(event, RemoteCommand)
    assert "\nauth_pass (hidden)\nline\n" in event.output
    assert len(event.output) < module.TOLD + 100


def test_where_an_answer_is_cut_no_secret_is_torn(tmp_path: Path) -> None:
    """The end of a line may be what tells that there is a password in it."""
    told: list[Event] = []
    text = "x" * (module.TOLD - 60) + f"\nOPTS=-ps3cret; {'x' * 40}; mysqldump $OPTS http://me:s3cret@proxy\n"
    with hostile.session(tmp_path, hostile.answers(text), told=told) as session:
        assert session.run("true\n", limits=SHORT.longer(30)).output == text
    (event,) = told
    assert isinstance(event, RemoteCommand)
    assert "s3cret" not in event.output
    assert event.output.partition("... ")[0].endswith("xxx\n")


def test_a_session_ends_while_its_node_talks(tmp_path: Path) -> None:
    """Closing waits for nobody."""

    def run(session: Session) -> None:
        with pytest.raises(LostError):
            session.run("true\n", limits=SHORT)

    with hostile.session(tmp_path, hostile.drips) as session:
        run(session)
        began = time.monotonic()
        session.close()
        assert time.monotonic() - began < 2


def test_limits_are_for_what_is_done() -> None:
    """Changes report what they do, and may take long; looks do not."""
    assert LOOK.longer(12) == Limits(LOOK.seconds + 12, LOOK.silence + 12, LOOK.size)
    assert WORK.silence < WORK.seconds
    assert LOOK.seconds < WORK.silence
    assert STREAM.size > LOOK.size
