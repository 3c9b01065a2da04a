"""How nodes are examined."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from checkups import STRANGER

from lbdeploy.common.shell import Raw
from lbdeploy.config.model import Cluster
from lbdeploy.node import network_listener
from lbdeploy.operations.doctor import examination
from lbdeploy.operations.doctor.examination import Examination


def test_the_wire_is_listened_to_while_the_rest_is_looked_at(seed: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One script, in which what takes long runs beside the probes; the clock is read as its line arrives."""
    monkeypatch.setattr(
        examination, "beside", lambda *_: [Raw("sleep 0.05; echo 51 192.168.1.99 ens32"), Raw("echo x >&2")]
    )
    checkup = Examination(seed, seed.node("lb1"), clock=lambda: 1000.0)
    # Nothing is asked of this machine: every probe says nothing.
    quiet = {name: Raw(":") for name in checkup.probes if name != "heard"}
    checkup.probes |= quiet | {"os": Raw("echo ID=debian"), "clock": Raw("echo 1000000060.000000000")}
    done = subprocess.run(["sh", "-s"], check=True, capture_output=True, text=True, input=checkup.script())
    assert done.stderr == ""
    for line in done.stdout.splitlines():
        checkup.on_line(line)
    found = checkup.checkup(done.stdout)
    assert found.wire.adverts == {network_listener.Advert(51, STRANGER, "ens32")}
    assert found.lines("os") == ["ID=debian"]
    assert found.ahead == 1000000060.0 - 1000.0


def test_what_apt_says_of_unattended_upgrades_is_read(seed: Cluster, tmp_path: Path) -> None:
    """Whether it is on, and what it leaves alone; nothing where its timer is off."""
    dump = (
        'APT::Periodic::Enable "1";\nAPT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::Update-Package-Lists "1";\n'
        'Unattended-Upgrade::Package-Blacklist "";\nUnattended-Upgrade::Package-Blacklist:: "^haproxy$";\n'
    )
    for name, does in (("unattended-upgrade", ":"), ("systemctl", "exit $OFF"), ("apt-config", f"printf '{dump}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    probe = examination.probes(seed, seed.preferred)["unattended"]
    for off, said in ((0, "Enable 1\nUnattended-Upgrade 1\nspares ^haproxy$\n"), (1, "")):
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OFF": str(off)}
        run = subprocess.run(["sh", "-c", probe], check=True, capture_output=True, text=True, env=env)
        assert run.stdout == said
