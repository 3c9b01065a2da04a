"""The holder that watches over VIPs which a standby takes, too; what asks and announces is replaced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from builders import SEED

from lbdeploy.config import reader
from lbdeploy.planning.vrrp.shared_vips import UNIT, watch

HAS, NOBODY = "has 192.168.0.10 02:00:00:00:00:02 ens33\ndone who-has\n", "done who-has\n"


def watched(folder: Path, *answers: str) -> tuple[str, str]:
    """What systemd is told to do, and what is announced while these answers come, one a second."""
    cluster = reader.load(SEED)
    asked = f'read -r n < {folder}/n; echo $((n + 1)) > {folder}/n; shift 2; echo "$*" > {folder}/asked'
    programs = {
        "systemd-run": 'while [ "$1" != /bin/sh ]; do echo "$1"; shift; done; exec "$@"',
        "systemctl": ":",
        "perl": f"{asked}\ncat {folder}/$n",
        "announce": f"echo announced >> {folder}/announced",
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    for number, answer in enumerate(answers):
        (folder / str(number)).write_text(answer)
    (folder / "n").write_text("0\n")
    (folder / "announced").write_text("")
    script = watch(cluster.preferred, cluster.vips, str(folder / "announce"), len(answers))
    path = f"{folder}:/usr/bin:/bin"
    done = subprocess.run(["sh"], input=script, text=True, check=True, env={"PATH": path}, capture_output=True)
    assert (folder / "asked").read_text() == "0.9 ens33 192.168.0.10 ens32 192.168.1.10\n"
    return done.stdout, (folder / "announced").read_text()


@pytest.mark.parametrize(
    ("answers", "announced"),
    [
        ((NOBODY, HAS, NOBODY, NOBODY, HAS), "announced\n"),  # and ends: there is one holder again
        ((HAS, NOBODY, HAS, NOBODY, HAS), ""),  # paused for a moment
        ((HAS, HAS), ""),
        ((NOBODY, NOBODY, NOBODY), ""),
        ((HAS, ""), ""),  # it could not ask
    ],
)
def test_vips_are_announced_once_nobody_else_has_them_any_more(
    tmp_path: Path, answers: tuple[str, ...], announced: str
) -> None:
    """Not before another node has had them: clients would be led back and forth."""
    told, done = watched(tmp_path, *answers)
    assert done == announced
    assert f"--unit={UNIT}" in told
