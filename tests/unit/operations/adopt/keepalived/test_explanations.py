"""What becomes of lines of keepalived.conf that hosts.toml has no key for."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of, told

from lbdeploy.operations.adopt.result import Adopted


def explained(line: str, text: str | None = None, old: str = "    interface eth0\n") -> tuple[str, str]:
    """What becomes of a line that k3s's file has besides, after `old`."""
    conf = made.K3S_KEEPALIVED.replace(old, f"{old}{line}\n")
    return told(adopt_all(pair_of(conf, made.K3S_HAPROXY)), text or line.strip())


@pytest.mark.parametrize(
    ("line", "verdict", "words"),
    [
        ("use_vmac", "changes", "MAC"),
        ("track_src_ip", "equal", "check-address"),
        ("garp_master_delay 10", "equal", "after a move"),
        ("nopreempt", "equal", "ignores it with state MASTER"),
        ("advert_int 60", "changes", "vrrp.advert_interval = 40"),
        ("smtp_alert", "changes", "no mail any more"),
        ("notify_stop /x", "ends", "stops"),
        ("whatever 5", "changes", "nothing like it"),
    ],
)
def test_keywords_of_an_instance(line: str, verdict: str, words: str) -> None:
    """What holds instead, and what that means."""
    found, meaning = explained(line)
    assert (found, words in meaning) == (verdict, True)


@pytest.mark.parametrize(
    ("block", "line", "verdict"),
    [
        ("virtual_routes {\n 10.0.0.0/8 via 10.20.0.1\n }", "10.0.0.0/8 via 10.20.0.1", "ends"),
        ("track_interface {\n eth9\n }", "eth9", "ends"),
        ("track_interface {\n eth0 weight 5\n }", "eth0 weight 5", "changes"),
        ("virtual_ipaddress_excluded {\n 10.20.0.9/24 label eth0:1\n }", "10.20.0.9/24 label eth0:1", "changes"),
    ],
)
def test_blocks_of_an_instance(block: str, line: str, verdict: str) -> None:
    assert explained(block, line)[0] == verdict


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("vrrp_strict", "changes"),
        ("smtp_server 10.0.0.1", "changes"),
        ("vrrp_garp_interval 0", "equal"),
        ("script_user nobody", "changes"),
    ],
)
def test_keywords_of_global_defs(line: str, verdict: str) -> None:
    assert explained(line, old="  script_user root\n")[0] == verdict


def test_what_the_kernel_balances_ends_and_a_sync_group_is_not_needed() -> None:
    more = "virtual_server 10.20.0.10 80 {\n    lb_algo rr\n}\nvrrp_sync_group G {\n    group {\n        A\n    }\n}\n"
    found = adopt_all(pair_of(made.K3S_KEEPALIVED + more, made.K3S_HAPROXY))
    assert told(found, "virtual_server 10.20.0.10 80 {")[0] == "ends"
    assert told(found, "lb_algo rr")[0] == "ends"
    assert told(found, "vrrp_sync_group G {")[0] == "equal"


@pytest.mark.parametrize(
    ("line", "ignored"), [("", True), ("    sync_group_tracking_weight\n", False), ("    notify_master /x\n", True)]
)
def test_a_weight_that_keepalived_ignores_in_a_sync_group_watches_nothing(line: str, ignored: bool) -> None:
    conf = made.K3S_KEEPALIVED.replace("interval 2\n", "interval 2\n    weight -20\n")
    conf += f"vrrp_sync_group G {{\n    group {{\n        haproxy-vip\n    }}\n{line}}}\n"
    verdict, meaning = told(adopt_all(pair_of(conf, made.K3S_HAPROXY)), "weight -20")
    assert (verdict, "no haproxy is watched now" in meaning) == ("changes", ignored)


DISK = 'vrrp_script chk_disk {\n    script "/opt/disk x"\n}\n'


def in_a_group(*lines: str, members: str = "haproxy-vip") -> Adopted:
    """k3s's pair, whose instance is in a sync group that has these lines besides."""
    inside = "".join(f"    {each}\n" for each in lines)
    conf = f"{made.K3S_KEEPALIVED}{DISK}vrrp_sync_group G {{\n    group {{\n        {members}\n    }}\n{inside}}}\n"
    return adopt_all(pair_of(conf, made.K3S_HAPROXY))


@pytest.mark.parametrize(
    ("line", "text", "verdict", "words"),
    [
        ("", "haproxy-vip", "equal", "never apart"),
        ("track_script {\n chk_disk\n }", "chk_disk", "kept", "vrrp.track_scripts.chk_disk"),
        ("track_script {\n chk_disk\n }", 'script "/opt/disk x"', "kept", "scripts/chk_disk"),
        ("track_file {\n none\n }", "none", "ends", "can't track"),
        ("track_interface {\n eth9\n }", "eth9", "ends", "no network"),
        ("track_interface {\n eth0\n }", "eth0", "kept", "tracked"),
        ("track_bfd {\n x\n }", "x", "ends", "BFD"),
        ("notify_master /opt/up.sh", "notify_master /opt/up.sh", "kept", "vrrp.notify"),
        ("notify_master /opt/up.sh nobody", "notify_master /opt/up.sh nobody", "changes", "no longer nobody"),
        ("notify_master /opt/up.sh -x 5", "notify_master /opt/up.sh -x 5", "changes", "no longer another user"),
        ("notify /opt/n.sh", "notify /opt/n.sh", "changes", "no longer GROUP"),
        ("notify_stop /opt/n.sh", "notify_stop /opt/n.sh", "ends", "stops"),
        ("smtp_alert", "smtp_alert", "changes", "no mail"),
        ("sync_group_tracking_weight", "sync_group_tracking_weight", "equal", "weights"),
        ("whatever", "whatever", "changes", "nothing like it"),
    ],
)
def test_what_a_sync_group_tracks_and_tells_is_the_instances(line: str, text: str, verdict: str, words: str) -> None:
    """As far as an instance has it in hosts.toml."""
    found, meaning = told(in_a_group(line), text)
    assert (found, words in meaning) == (verdict, True)


def test_scripts_of_a_sync_group_are_run_as_those_of_the_instance_are() -> None:
    found = in_a_group("track_script {\n chk_disk\n }", "notify_backup /opt/down.sh")
    assert list(found.draft["vrrp"]["track_scripts"]) == ["chk_disk"]
    assert "BACKUP) /opt/down.sh ;;" in found.files["scripts/notify"]


def test_what_another_sync_group_tracks_ends() -> None:
    """Such a group does not say what the VIPs go by that hosts.toml's settings are made from."""
    found = in_a_group("track_script {\n chk_disk\n }", "notify /opt/n.sh", members="other")
    for text in ("chk_disk", "vrrp_script chk_disk {", 'script "/opt/disk x"', "notify /opt/n.sh"):
        assert told(found, text)[0] == "ends"


def test_a_script_that_nothing_tracks_is_not_missed() -> None:
    assert told(in_a_group(), "vrrp_script chk_disk {") == ("equal", "nothing tracks it: nothing changes without it")


def test_a_script_that_only_the_other_node_tracks_ends() -> None:
    """The scripts of the preferred node are those of all."""
    conf = made.K3S_KEEPALIVED.replace("chk_haproxy\n    }", "chk_haproxy\n        chk_OWN\n    }")
    scripts = "".join(f'vrrp_script chk_{n} {{\n    script "/opt/chk_{n}"\n}}\n' for n in (11, 12))
    found = adopt_all(pair_of(scripts + conf, made.K3S_HAPROXY))
    assert list(found.draft["vrrp"]["track_scripts"]) == ["chk_11"]
    assert [told(found, each, "lb2")[0] for each in ("chk_12", "vrrp_script chk_12 {", 'script "/opt/chk_12"')] == [
        "ends"
    ] * 3
