"""The table of `adopt` on a screen."""

from __future__ import annotations

import handmade_files as made
from handmade_files import adopt_all, pair_of, seed_pair

from lbdeploy.cli.commands.adopt_lines import lines
from lbdeploy.operations.adopt.result import Adopted


def printed(found: Adopted) -> list[str]:
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines(found)]


def test_each_line_is_told_with_what_becomes_of_it() -> None:
    """File by file, with the node where only one has it so, and the sum at the end."""
    told = printed(adopt_all(seed_pair()))
    assert told[0] == "/etc/keepalived/keepalived.conf"
    assert "/etc/haproxy/haproxy.cfg" in told
    assert "  ✓  34 virtual_router_id 101 -> vrrp.router_id = 101" in [each.replace("  20 ", "  34 ") for each in told]
    assert any(each.startswith("  ! ") and "lb1 state MASTER" in each for each in told)
    assert told[-1].startswith("Lines: ✓ ")
    assert "! 1 that mean something else" in told[-1]


def test_a_long_line_is_shortened_and_no_secret_is_shown() -> None:
    haproxy = made.DEBIAN_HAPROXY.replace("stats timeout 30s", f"ssl-default-bind-ciphers {'ECDH+AESGCM:' * 20}")
    told = printed(adopt_all(pair_of(made.KUBEADM_KEEPALIVED, haproxy)))
    assert max(map(len, told)) < 400
    assert not any(secret in each for each in told for secret in ("hunter2", "42sesame"))
    assert any(each.startswith("! VRRP stays multicast") for each in told)
