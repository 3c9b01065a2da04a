"""Mistakes in keepalived.conf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders import cluster
from goldens import SIX
from linted import built_in, lints, text_of

from lbdeploy.planning.desired import KEEPALIVED_CONF
from lbdeploy.planning.lint.lint import lint

PEERS = """\
{% for peer in peers %}
        {{ peer.addresses[vrrp.network] }} min_ttl {{ 255 - vrrp.max_hops }} max_ttl 255
{% endfor %}"""
KEEPALIVED = {
    "pidof": (
        'script "{{ paths.check_haproxy }}"',
        'script "pidof haproxy"',
        ("error", "pidof never succeeds", "check-haproxy"),
        "script",
    ),
    "state MASTER with a delay": (
        "state {{ group.state }}",
        "state MASTER",
        ("error", "state MASTER with preempt_delay: keepalived -t refuses it", "state BACKUP"),
        "state MASTER",
    ),
    "a script on the next line": (
        'script "{{ paths.check_haproxy }}"',
        'script\n        "/bin/pidof haproxy"',
        ("error", "script has no value on its line: keepalived takes the next line for a keyword", "on the same line"),
        "script",
    ),
    "a tracked script that is nowhere": (
        "        check_address\n{% for",
        "        check_address\n        chk_haproxy weight 2\n{% for",
        ("error", "track_script names chk_haproxy, and there is no such vrrp_script", "did you mean check_haproxy?"),
        "chk_haproxy",
    ),
    "a tracked file that is nowhere": (
        "        handover weight 1\n",
        "        handover weight 1\n        uplink\n",
        ("error", "track_file names uplink, and there is no such track_file", "known are: handover, haproxy_stopped"),
        "uplink",
    ),
    "another virtual router": (
        "virtual_router_id {{ group.router_id }}",
        "virtual_router_id 51",
        ("warning", "virtual_router_id is 51, and hosts.toml says 101", "{{ vrrp.router_id }}"),
        "virtual_router_id",
    ),
    "another priority": (
        "    priority {{ group.priority }}",
        "    priority {{ node.priority + 1 }}",
        ("warning", "priority is 201, and hosts.toml says 200", "{{ node.priority }}"),
        "priority",
    ),
    "another source": (
        "unicast_src_ip {{ node.addresses[vrrp.network] }}",
        "unicast_src_ip {{ node.addresses.external }}",
        ("warning", "unicast_src_ip is 192.168.0.11, and hosts.toml says 192.168.1.11", "{{ node.addresses[vrrp."),
        "unicast_src_ip",
    ),
    "own interface tracked": (
        "track_interface {",
        "track_interface {\n        {{ node.interfaces[vrrp.network] }}",
        ("error", "ens32 is VRRP's own interface", "leave it out"),
        "track_interface",
    ),
    "no script security": (
        "enable_script_security\n",
        "\n",
        ("error", "a script without script security", "add enable_script_security"),
        "script \"",
    ),
    "scripts run by another user": (
        "script_user root",
        "script_user keepalived_script",
        ("error", "a script without script security", "script_user root"),
        "script \"",
    ),
    "no peers": (
        PEERS,
        "",
        ("error", "an empty unicast_peer list means multicast", "name the peers"),
        "unicast_peer",
    ),
    "only a peer that is commented out": (
        PEERS,
        "        # 192.168.1.12",
        ("error", "an empty unicast_peer list means multicast", "name the peers"),
        "unicast_peer",
    ),
    "fractional adverts of version 2": (
        "advert_int {{ vrrp.advert_interval | number }}",
        "advert_int 0.5",
        ("error", "advert_int 0.5 is rounded to whole seconds", "vrrp_version 3"),
        "advert_int",
    ),
    "two VIPs on a line": (
        "    virtual_ipaddress {\n{%",
        "    virtual_ipaddress {\n        192.168.9.8/24 192.168.9.9/24\n{%",
        ("error", "2 addresses on one line of virtual_ipaddress", "a line for each"),
        "192.168.9.9",
    ),
    "both families in one list": (
        "    virtual_ipaddress {\n",
        "    virtual_ipaddress {\n        192.168.9.8/24\n        fd00::10/64\n",
        ("error", "IPv6 in a virtual_ipaddress of IPv4: keepalived ignores it", "virtual_ipaddress_excluded"),
        "fd00::10",
    ),
    "a long secret": (
        "    priority {{ group.priority }}\n",
        "    priority {{ group.priority }}\n    authentication {\n        auth_pass 123456789\n    }\n",
        ("error", "a value of auth_pass with over 8 characters", "8 characters; or none"),
        "auth_pass",
    ),
    "adverts of anybody": (
        " min_ttl {{ 255 - vrrp.max_hops }} max_ttl 255",
        "",
        ("warning", "adverts of any host count", "min_ttl 255 max_ttl 255 after each peer"),
        "unicast_peer",
    ),
    "no check of the own address": (
        'script "{{ paths.check_address }}"',
        'script "/bin/true"',
        ("warning", "does not check the node's own address", "take the vrrp_script check_address over"),
        None,
    ),
    "no handover": (
        "        handover weight 1\n",
        "",
        ("warning", "does not track /run/lbdeploy-handover", "take the track_file handover over"),
        None,
    ),
    "a brace too many": (
        "    track_script {\n        check_haproxy\n",
        "    track_script\n        check_haproxy\n",
        ("error", "has 11 opening and 12 closing braces", "check its template"),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected", "at"), KEEPALIVED.values(), ids=KEEPALIVED.keys())
def test_a_mistake_in_keepalived_conf_is_found(
    tmp_path: Path, old: str, new: str, expected: tuple[str, str, str], at: str | None
) -> None:
    """Each mistake gives one finding: how bad, where on the node, what, and what would be right."""
    text = built_in("keepalived.conf")
    assert text.count(old) == 1
    (found,) = lints(tmp_path, "keepalived.conf", text.replace(old, new))
    severity, message, fix = expected
    assert (found.severity, found.node, found.file) == (severity, "lb1", "/etc/keepalived/keepalived.conf")
    assert found.message.startswith(message)
    assert fix in found.fix
    if at:
        content = text_of(tmp_path, KEEPALIVED_CONF)
        assert at in content.splitlines()[(found.line or 0) - 1], content
    else:
        assert found.line is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("global_defs {", "# pidof, state MASTER, advert_int 0.5 and { are no concern in a comment\nglobal_defs {"),
        ("global_defs {", '! script "pidof haproxy" }\nglobal_defs {'),
        ("track_interface {", "track_interface {\n        # not ens32: it is VRRP's own\n"),
        ("state {{ group.state }}", "state MASTER\n    preempt_delay 0\n#"),
        ("    track_script {\n", "    track_script {\n        # chk_haproxy\n"),
        ("    track_script {\n        check_haproxy\n", '    track_script {\n        "check_haproxy"\n'),
        (
            "    track_script {\n",
            "    track_script {\n        elsewhere\n    }\n    include more.conf\n    track_script {\n",
        ),
        ("vrrp_script check_haproxy {", "vrrp_script check_haproxy\n{"),
        ("advert_int {{ vrrp.advert_interval | number }}", "version 3\n    advert_int 0.5"),
        ("    preempt_delay {{", "    # preempt_delay {{"),
    ],
)
def test_what_only_looks_like_a_mistake_is_let_pass(tmp_path: Path, old: str, new: str) -> None:
    """Comments, and settings that go together, are no findings."""
    text = built_in("keepalived.conf")
    if "MASTER\n" in new:
        text = text.replace("    preempt_delay {{ group.preempt_delay | number }}\n", "")
    assert text.count(old) == 1
    assert lints(tmp_path, "keepalived.conf", text.replace(old, new)) == []


def test_state_master_without_preemption_is_found(tmp_path: Path) -> None:
    """keepalived drops nopreempt there, as it does the delay, and its validator objects."""
    text = built_in("keepalived.conf").replace("    state {{ group.state }}\n", "    state MASTER\n    nopreempt\n")
    (found,) = lints(tmp_path, "keepalived.conf", re.sub(r"    preempt_delay .*\n", "", text))
    assert found.message.startswith("state MASTER with nopreempt: keepalived -t refuses it")


def test_ipv6_adverts_with_the_usual_hop_limit_would_not_be_heard(tmp_path: Path) -> None:
    """keepalived sends them with 64, and min_ttl 255 drops that; with unicast_ttl 255 nothing is said."""
    (tmp_path / "templates").mkdir()
    text = built_in("keepalived.conf")
    assert text.count("    unicast_ttl 255\n") == 1
    (tmp_path / "templates" / "keepalived.conf.j2").write_text(text.replace("    unicast_ttl 255\n", ""))
    found = lint(cluster(tmp_path, SIX))
    assert {(each.severity, each.fix) for each in found} == {
        ("error", "add unicast_ttl 255 above unicast_peer, on all nodes")
    }
    (tmp_path / "templates" / "keepalived.conf.j2").write_text(text)
    assert lint(cluster(tmp_path, SIX)) == []
