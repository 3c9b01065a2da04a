"""This machine's logs, as `history` reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdeploy.operations.history.laptop import changes, read, sessions

LOG = """\
lbdeploy 0.1.0, Python 3.11.7, 2026-11-29 23:59:50 +0000
/usr/bin/lbdeploy -f my.toml drill haproxy
/srv/my.toml
23:59:51.000 lb1: connect
    < ended: {"command": "forged by a node"}
00:00:30.500 ended: {"command": "drill", "exit_code": 0, "outage_ms": 711}
"""


def test_a_log_tells_who_began_what_and_how_it_ended() -> None:
    """Over midnight, too; what a node said is no end."""
    session = read(LOG, 7)
    assert (session.typed, session.command, session.process) == ("lbdeploy -f my.toml drill haproxy", "drill", 7)
    assert (session.until - session.at, session.ended["outage_ms"]) == (40.5, 711)


def test_a_log_without_an_end_is_one_of_a_command_that_died() -> None:
    """What was typed is known all the same."""
    session = read("\n".join(LOG.splitlines()[:4]), 7)
    assert (session.command, session.ended) == ("drill", {})


@pytest.mark.parametrize("text", ["", "x\ny\nz", "lbdeploy 0.1.0, 2026-13-29 23:59:50 +0000\nx\ny\n"])
def test_what_is_no_log_is_refused(text: str) -> None:
    """It may be anything that lies there."""
    with pytest.raises((ValueError, IndexError)):
        read(text, 1)


def test_only_commands_that_act_are_history(tmp_path: Path) -> None:
    """In order; crashes and strange files are passed over."""
    texts = {
        "20261129T235950-7.log": LOG,
        "20261129T235949-6.log": LOG.replace(":50 +0000", ":49 +0000").replace("drill", "up"),
        "20261129T235948-5.log": LOG.replace("drill", "verify"),
        "crash-20261129T235948.log": LOG,
        "20261129T235947-4.log": "strange",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert [each.command for each in sessions(list(tmp_path.iterdir()))] == ["up", "drill"]


def test_a_rehearsal_is_another_cluster_s_history(tmp_path: Path) -> None:
    """In the lab there are other nodes, though the file is the same; `lab up` is no `up`, also where it died."""
    typed = {1: "lbdeploy drill", 2: "lbdeploy --lab drill", 3: "lbdeploy up --lab", 4: "lbdeploy lab up"}
    for process, words in typed.items():
        text = LOG.replace("lbdeploy -f my.toml drill", words)
        (tmp_path / f"20261129T235950-{process}.log").write_text(text[: text.index("00:00:30")])
    paths = list(tmp_path.iterdir())
    assert [each.process for each in sessions(paths)] == [1]
    assert sorted(each.process for each in sessions(paths, in_lab=True)) == [2, 3]


def test_changes_that_make_no_sense_are_passed_over() -> None:
    """A log may have been edited."""
    assert list(changes({"changes": [["lb1", "update x"], "y", [1]]})) == [("lb1", "update x")]
