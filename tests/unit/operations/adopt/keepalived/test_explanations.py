"""What becomes of lines of keepalived.conf that hosts.toml has no key for."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of, told


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
