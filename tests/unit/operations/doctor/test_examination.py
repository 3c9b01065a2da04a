"""How nodes are examined."""

from __future__ import annotations

import subprocess

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
