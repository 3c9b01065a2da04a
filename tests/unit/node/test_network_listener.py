"""The programs that listen on a node's networks, and what they say."""

from __future__ import annotations

import re
import subprocess
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

from builders import BIG, cluster
from checkups import LB2, STRANGER

from lbdeploy.node import network_listener


def test_what_is_heard_is_read_and_the_rest_passed_over() -> None:
    """Lines of the three programs, in any order."""
    text = "51 192.168.1.99 ens32\nthrough 51 192.168.1.99\n7 fe80::1 ens32\nhas 192.168.0.10 02:00:00:00:00:99 ens33\n"
    text += "unsent 192.168.1.12 Operation not permitted\nhas x y z\nthrough 9 nobody\n\n999999 1.2.3.4 x\ndone vrrp\n"
    read = network_listener.read(text)
    assert read.adverts == {
        network_listener.Advert(51, STRANGER, "ens32"),
        network_listener.Advert(7, ip_address("fe80::1"), "ens32"),
    }
    assert read.through == {STRANGER}
    assert read.claims == {network_listener.Claim(ip_address("192.168.0.10"), "02:00:00:00:00:99", "ens33")}
    assert read.done == {"vrrp"}
    assert read.unsent == {LB2: "Operation not permitted"}


def test_all_programs_are_asked_for_what_the_cluster_has(tmp_path: Path) -> None:
    """Listening lasts three adverts; VIPs are asked for on their own interfaces, peers hailed at their addresses."""
    of = cluster(tmp_path, BIG.replace("advert_interval = 0.25", "advert_interval = 4"))
    assert network_listener.seconds(of) == 12.5
    told = [each.rpartition("\n") for each in network_listener.programs(of, of.node("lb-b"))]
    listen, hail, ask = (program for program, _, _ in told)
    assert [end for *_, end in told] == [f'echo "ended {each} $?"' for each in ("vrrp", "hail", "who-has")]
    assert listen.endswith(" 12.5")
    assert hail.endswith(" 12.0 eth1 fd00:1::12 fd00:1::11 fd00:1::13")
    assert ask.endswith(" 2 enp1s0 203.0.113.10 enp1s0 2001:db8:17::10 eth1 fd00:1::10")


def test_what_nodes_run_needs_nothing_that_a_bare_debian_lacks() -> None:
    """perl-base has few modules: Time::HiRes, for one, is not among them (Debian 11 and 13)."""
    programs = [
        each for each in (resources.files("lbdeploy") / "node" / "remote").iterdir() if each.name.endswith(".pl")
    ]
    used = {name for each in programs for name in re.findall(r"^use ([^;\s]+)", each.read_text(), re.MULTILINE)}
    assert len(programs) == 6
    assert used == {"strict", "Socket"}
    for each in programs:
        done = subprocess.run(["perl", "-cw", "-"], check=False, capture_output=True, input=each.read_bytes())
        assert done.stderr == b"- syntax OK\n", each.name
