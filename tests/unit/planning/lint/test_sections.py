"""What is suspicious in the operator's own sections of haproxy.cfg."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import cluster
from goldens import GOOD

from lbdeploy.planning.lint.lint import lint

EXTRA = '[haproxy]\nextra = ["own.cfg"]\n'
WALLED = GOOD.replace("[cluster]\n", '[cluster]\nfirewall = "nftables"\nfirewall_allow = [81]\n')


def messages(folder: Path, text: str, hosts: str = GOOD) -> list[str]:
    (folder / "own.cfg").write_text(text)
    return [each.message for each in lint(cluster(folder, hosts + EXTRA)) if each.node == "lb1"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("listen a\n bind *:443\n", []),
        ("listen a\n # six\n bind :6443\n", ["own.cfg:3: a listens on *:6443, as does k8s-api at 192.168.0.10"]),
        ("listen a\n bind *:6000-7000\n", ["own.cfg:2: a listens on *:6000-7000, as does k8s-api at 192.168.0.10"]),
        ("listen a\n bind *:10647\n", ["own.cfg:2: a listens on *:10647, as does lbdeploy-status at 192.168.1.11"]),
        ("global\n maxconn 2000\n log stderr local0\n", []),
        ("global\n localpeer x\n", ["own.cfg: its section global sets localpeer, which lbdeploy's does, too"]),
    ],
)
def test_ports_and_settings_that_meet_lbdeploys_are_found(tmp_path: Path, text: str, found: list[str]) -> None:
    got = messages(tmp_path, text)
    assert len(got) == len(found)
    assert all(each.startswith(wanted) for each, wanted in zip(got, found, strict=True))


def test_a_port_that_the_firewall_shuts_is_found(tmp_path: Path) -> None:
    """Not one that it lets through, nor one of this host alone."""
    text = "listen a\n bind *:80\n bind *:81\n bind 127.0.0.1:82\n"
    assert messages(tmp_path, text, WALLED) == ["own.cfg: a listens on port 80, and the firewall lets nobody in there"]


@pytest.mark.parametrize(
    ("ports", "where"),
    [
        ("80-82", "port 80-82, and the firewall lets nobody in at 80, 82"),
        ("90-91", "port 90-91, and the firewall lets nobody in there"),
        ("90-99", "port 90-99, and the firewall lets nobody in there"),
        ("081", None),
    ],
)
def test_of_a_range_the_ports_that_are_shut_are_said(tmp_path: Path, ports: str, where: str | None) -> None:
    """Each is to be opened by itself: firewall_allow knows no ranges."""
    found = messages(tmp_path, f"listen a\n bind 192.168.0.11:{ports}\n", WALLED)
    assert found == ([f"own.cfg: a listens on {where}"] if where else [])
