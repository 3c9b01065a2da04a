"""A kernel setting."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import answer, steps_of

from lbdeploy.node.resources import Sysctl
from lbdeploy.node.resources.base import Change


@pytest.mark.parametrize("name", ["kernel.ostype", "kernel.pid_max", "net.ipv4.ip_nonlocal_bind"])
def test_a_kernel_setting_is_read_from_the_kernel(name: str) -> None:
    """The probe reads the value in force; numbers must be read at once, or the kernel gives a part of them."""
    now = Path("/proc/sys", name.replace(".", "/")).read_text().strip()
    setting = Sysctl(name, now)
    assert setting.read(answer(setting)) == now
    assert setting.compare(now, ()) == []


def test_a_setting_that_the_kernel_does_not_have_is_unknown() -> None:
    """Where the kernel has no such setting, there is no value, and the change says so."""
    setting = Sysctl("net.ipv9.ip_nonlocal_bind", "1")
    assert setting.read(answer(setting)) is None
    assert setting.compare(None, ()) == [
        Change("sysctl", "net.ipv9.ip_nonlocal_bind", "set", "is unknown, should be 1")
    ]


def test_a_setting_with_another_value_is_set() -> None:
    """A drifted setting is set back."""
    setting = Sysctl("net.ipv4.ip_nonlocal_bind", "1")
    assert [change.reason for change in setting.compare("0", ())] == ["is 0, should be 1"]
    lines = steps_of(setting, "0").splitlines()
    assert lines[1] == "undo 'sysctl -q -w net.ipv4.ip_nonlocal_bind=0'"
    assert lines[2] == "run sysctl -q -w net.ipv4.ip_nonlocal_bind=1"
