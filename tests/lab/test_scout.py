"""`lbdeploy init` on nodes that are there: it proposes what it sees."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pexpect
from harness import LBDEPLOY, Lab
from strangers import stranger

from lbdeploy.config import reader


def test_what_nodes_show_is_proposed(session_lab: Lab, tmp_path: Path) -> None:
    """With Enter alone, interfaces and addresses are as the nodes have them; IDs in use are told and not proposed."""
    lab = session_lab
    lab.lab("down")
    lab.lab("up")  # bare nodes: `init` is for those
    for node in ("lb1", "lb2"):
        lab.on(node, "mkdir -p /etc/keepalived; echo '  virtual_router_id 101' > /etc/keepalived/old.conf")
    argv = ["-f", str(lab.file), "--lab", "init", "--output", str(tmp_path / "new.toml")]
    env = {**os.environ, "TERM": "dumb"}
    with stranger(lab) as address:
        terminal = pexpect.spawn(LBDEPLOY, argv, encoding="utf-8", env=env, timeout=30, dimensions=(24, 200))
        for question, answer in (
            ("Name", ""),
            ("Login", "ops"),
            ("Nodes", "lb1=192.168.1.11 lb2=192.168.1.12"),
            (r"Networks[^\n]*external=ens33 management=ens32\]", ""),
            (r"lb1 on external, management \[192.168.0.11 192.168.1.11\]", ""),
            (r"lb2 on external, management \[192.168.0.12 192.168.1.12\]", ""),
            ("VIP on external", "192.168.0.10"),
            ("VIP on management", "192.168.1.10"),
            (r"Network for VRRP[^\n]*\[management\]", ""),
        ):
            terminal.expect(question + "[^\n]*: $")
            terminal.sendline(answer)
        terminal.expect_exact(f"ID 51 is in use: heard from {address}")
        terminal.expect(r"ID 52 is in use: heard from fe80:")
        terminal.expect(r"ID 101 is in use: in the keepalived.conf of lb\d")
        terminal.expect(r"Virtual router ID \[1\]: $")
        terminal.sendline("")
        terminal.expect("API servers[^\n]*: $")
        terminal.sendline("192.168.1.21 192.168.1.22 192.168.1.23")
        terminal.expect(pexpect.EOF)
        terminal.close()
    for node in ("lb1", "lb2"):
        lab.on(node, "rm /etc/keepalived/old.conf; rmdir --ignore-fail-on-non-empty /etc/keepalived")
    assert terminal.exitstatus == 0
    made, wanted = reader.load(tmp_path / "new.toml"), reader.load(lab.file)
    assert (made.networks, made.nodes, made.frontends[0].servers) == (
        wanted.networks, wanted.nodes, wanted.frontends[0].servers,
    )  # fmt: skip
    assert (made.vrrp.router_id, made.ssh.user) == (1, "ops")


def test_whoever_has_enough_of_waiting_leaves_at_once(session_lab: Lab, tmp_path: Path) -> None:
    """Ctrl-C while a node does not answer: no file, and no waiting for a timeout."""
    argv = ["-f", str(session_lab.file), "--lab", "init", "--output", str(tmp_path / "new.toml")]
    session_lab.lab("cut", "lb1", "--network", "management")
    try:
        terminal = pexpect.spawn(LBDEPLOY, argv, encoding="utf-8", timeout=30, dimensions=(24, 80))
        for question, answer in (("Name", ""), ("Login", ""), ("Nodes", "192.168.1.11 192.168.1.12")):
            terminal.expect(question + "[^\n]*: $")
            terminal.sendline(answer)
        terminal.expect("lb1.* connect")
        time.sleep(1)
        begun = time.monotonic()
        terminal.sendintr()
        terminal.expect_exact("nothing was changed")
        terminal.expect(pexpect.EOF)
        took = time.monotonic() - begun
        terminal.close()
    finally:
        session_lab.lab("join", "lb1", "--network", "management")
    assert took < 3
    assert terminal.exitstatus == 130
    assert list(tmp_path.iterdir()) == []
