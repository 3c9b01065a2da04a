"""What a node remembers, and what it may say instead."""

from __future__ import annotations

import subprocess
from base64 import b64encode

from garbage import garbled
from hypothesis import given
from hypothesis import strategies as st
from pasts import CONF, FIRST, ROLLBACK, SECOND, UP, T

from lbdeploy.node.answers import UNREADABLE
from lbdeploy.operations.history.node import Past, PastReader

AHEAD = 3600.0  # by which the node's clock is ahead


def line(at: float, text: str) -> str:
    return f"NONCE said {at + AHEAD:.6f} lb1 {text}"


ANSWER = "\n".join((
    f"NONCE now {T + AHEAD}",
    f"NONCE file / 2222 {CONF}",
    f"NONCE run {UP} 1 {b64encode(FIRST.encode()).decode()}",
    f"NONCE run {ROLLBACK} 2 {b64encode(SECOND.encode()).decode()}",
    f"NONCE file {ROLLBACK} 1111 {CONF}",
    line(T + 1, f"systemd[1]: Started lbdeploy.service - lbdeploy: {FIRST}."),
    line(T + 2, f"systemd[1]: Started lbdeploy: {SECOND}."),
    line(T + 3, "systemd[1]: lbdeploy.service: Deactivated successfully."),
    line(T + 4, "systemd[1]: Started lbdeploy-drill.timer - /bin/sh -c systemctl start haproxy."),
    line(T + 5, "Keepalived_vrrp[832]: (VI_K8S_API) Entering MASTER STATE"),
    line(T + 6, "evil[1]: Entering BACKUP STATE"),
    ""
))  # fmt: skip


def read(text: str) -> Past:
    reader = PastReader([CONF])
    return reader.read(text.replace("NONCE", reader.nonce), T - 0.1, T + 0.1)


def test_the_script_is_one_for_sh() -> None:
    """A POSIX shell has nothing to say against it."""
    script = PastReader([CONF, "/etc/a b"]).script()
    done = subprocess.run(["sh", "-n"], input=script, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_times_are_converted_to_this_machines() -> None:
    """By its clock now, an hour ahead; who pretends to be keepalived is not believed."""
    past = read(ANSWER)
    assert [(round(at - T), state) for at, state, _ in past.states] == [(5, "MASTER")]
    assert [(round(at - T), about) for at, about in past.started] == [(1, FIRST), (2, SECOND)]
    assert [round(at - T) for at in (*past.ended, *past.drills)] == [3, 4]


def test_what_a_run_changed_is_what_differs_after_it() -> None:
    """Up to the next run, or up to now; a file that was not there before counts, too."""
    past = read(ANSWER)
    assert [each.id for each in past.generations] == [ROLLBACK, UP]
    assert (past.changed(UP), past.changed(ROLLBACK), past.changed("unknown")) == ([CONF], [CONF], [])


def test_a_bare_node_remembers_nothing() -> None:
    """Nor does it fail."""
    past = read(f"NONCE now {T}\n")
    assert not any((past.generations, past.states, past.started, past.ended, past.drills))


@given(st.data())
def test_any_answer_is_read_or_refused(data: st.DataObject) -> None:
    """As an answer that makes no sense: see `node.answers`."""
    text = data.draw(garbled(ANSWER))
    try:
        past = read(text)
    except UNREADABLE:
        return
    assert all(at >= 0 for at, _, _ in past.states)
