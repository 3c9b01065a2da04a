"""What VRRP does with a keepalived.conf, whoever wrote it."""

from __future__ import annotations

from ipaddress import ip_interface
from pathlib import Path

import pytest
from builders import BIG, cluster
from goldens import GOOD, GROUPS, SIX
from hypothesis import example, given
from hypothesis import strategies as st

from lbdeploy.config.model import Cluster, Node
from lbdeploy.node.keepalived_conf import Instance, all_vips, read, routers, unread
from lbdeploy.planning.desired import HANDOVER, KEEPALIVED_CONF, files

CONF = """\
! Written by hand, # years ago
global_defs { router_id old } # of keepalived's own, not of VRRP
vrrp_script chk { script "/bin/true" }
vrrp_sync_group G {
    group { VI_1 }
}
vrrp_instance VI_1 {
    state MASTER            ! priority 1
    interface eth0
    virtual_router_id 51    # virtual_router_id 52
    priority 150
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass "secret"
    }
    unicast_src_ip 10.0.0.1
    unicast_peer {
        10.0.0.2
        10.0.0.3 min_ttl 10 ! 10.0.0.4
    }
    virtual_ipaddress {
        10.0.0.10/24
        10.1.0.10/24 dev eth1 label eth1:1
        # 10.2.0.10/24
    }
    virtual_ipaddress_excluded
    {
        fd00::10/64 dev eth2
    }
    track_script { chk }
}
vrrp_instance VI_2 {
    virtual_router_id 99
    virtual_ipaddress { 10.9.0.10/24 }
}
"""


def found(conf: str) -> Instance:
    instance = read(conf)
    assert instance
    return instance


def conf_of(cluster: Cluster, node: Node) -> str:
    return next(file.content for file in files(cluster, node) if file.path == KEEPALIVED_CONF)


def test_an_instance_written_by_hand_is_read() -> None:
    """Comments of both kinds are none of it, nor are other blocks and other instances."""
    instance = found(CONF)
    assert instance.settings == {
        "version": "2",
        "authentication": "auth_type PASS, auth_pass secret",
        "state": "MASTER",
        "interface": "eth0",
        "virtual_router_id": "51",
        "priority": "150",
        "advert_int": "1",
        "unicast_src_ip": "10.0.0.1",
    }
    assert instance.vips == {"10.0.0.10/24": "eth0", "10.1.0.10/24": "eth1", "fd00::10/64": "eth2"}
    assert instance.peers == {"10.0.0.2", "10.0.0.3"}
    assert (instance.priority, instance.identity, instance.hands_over) == (150, ("51", "10.0.0.1"), False)


def test_spaces_comments_and_braces_are_no_settings() -> None:
    """Two configurations that say the same are the same, however they are written."""
    on_few = (
        "vrrp_instance VI { virtual_router_id 7\nunicast_peer { 10.0.0.2 }\nvirtual_ipaddress { 10.0.0.1/24 dev a } }"
    )
    on_many = """\
vrrp_instance VI   # the only one
{
\tvirtual_router_id    7
    unicast_peer

    {
        10.0.0.2
    }
    virtual_ipaddress {
        10.0.0.1/24   dev   a
    }
}
"""
    assert found(on_few) == found(on_many)
    assert found(on_many).vips == {"10.0.0.1/24": "a"}


def test_an_address_is_the_same_in_each_of_its_forms() -> None:
    """That of a VIP, of a peer, and of the node itself; without a prefix length, it is a single one."""
    plain = """\
vrrp_instance VI {
    interface a
    virtual_router_id 7
    unicast_src_ip 2001:db8::11
    unicast_peer {
        2001:db8::12
    }
    virtual_ipaddress {
        2001:db8::10/64
        10.0.0.1/32 dev b
    }
}
"""
    other = plain.replace("2001:db8::", "2001:DB8:0:0::00").replace("/32", "")
    assert found(other) == found(plain)
    assert found(other).vips == {"2001:db8::10/64": "a", "10.0.0.1/32": "b"}
    assert routers(other) == routers(plain) == {"2001:db8::10": "7", "10.0.0.1": "7"}
    assert all_vips(other) == all_vips(plain) == {"2001:db8::10", "10.0.0.1"}
    assert found(other).apart(found(plain)) == []


def test_the_first_instance_counts() -> None:
    """Where there are several, the first one is read whole, and nothing of the others."""
    both = "vrrp_instance A {\npriority 7\n}\nvrrp_instance B {\npriority 8\nadvert_int 3\n}\n"
    assert found(both).settings == {"version": "2", "authentication": "", "priority": "7"}


@pytest.mark.parametrize("conf", ["", "\n", "global_defs {\n}\n", "# vrrp_instance X {\n", "vrrp_instance", "{", "}}"])
def test_where_there_is_no_instance_there_is_none(conf: str) -> None:
    """A file without VRRP gives no instance."""
    assert read(conf) is None


@pytest.mark.parametrize(
    ("text", "priority"),
    [("priority 1", 1), ("priority 254", 254), ("", 100), ("priority", 100), ("priority x", 100), ("priority ²", 100),
     ("priority " + "9" * 5000, 100)],
)  # fmt: skip
def test_the_priority_is_keepaliveds_default_where_none_can_be_read(text: str, priority: int) -> None:
    """keepalived.conf(5): 100, where nothing else is said."""
    assert found(f"vrrp_instance X {{\nstate BACKUP\n{text}\n}}").priority == priority


@pytest.mark.parametrize(
    ("old", "new", "agree", "same", "place"),
    [
        ("advert_int 1", "advert_int 2", False, True, True),
        ("auth_pass", "auth_pass x", False, True, True),
        ("global_defs {", "global_defs {\nvrrp_version 3\n", False, True, True),
        ("10.0.0.10/24", "10.0.0.11/24", False, True, False),
        ("10.0.0.10/24", "10.0.0.10/25", True, True, False),
        ("10.0.0.10/24", "10.0.0.10", True, True, False),
        ("dev eth1", "dev eth7", True, True, False),
        ("interface eth0", "interface eth7", True, True, False),
        ("virtual_router_id 51", "virtual_router_id 7", True, False, True),
        ("unicast_src_ip 10.0.0.1", "unicast_src_ip 10.0.0.7", True, False, True),
        ("priority 150", "priority 151", True, True, True),
        ("10.0.0.3", "10.0.0.7", True, True, True),
        ("# years ago", "# days ago", True, True, True),
    ],
)
def test_each_setting_is_of_the_aspect_that_it_is_about(
    old: str, new: str, agree: bool, same: bool, place: bool
) -> None:
    """What peers compare in adverts, by what they know each other, and where the VIPs are."""
    before, after = found(CONF), found(CONF.replace(old, new))
    assert (before.agreed == after.agreed, before.identity == after.identity) == (agree, same)
    assert (before.places == after.places) is place


@pytest.mark.parametrize(
    ("block", "track", "expected"),
    [
        ("track_file handover {\nfile FILE\nweight 1\n}\n", "track_file {\nhandover weight 1\n}\n", True),
        ("vrrp_track_file handover {\nfile FILE\n}\n", "track_file {\nhandover\n}\n", True),
        ("track_file handover {\nfile /run/other\n}\n", "track_file {\nhandover\n}\n", False),
        ("track_file handover {\nfile FILE\n}\n", "", False),
        ("", "track_file {\nhandover\n}\n", False),
        ("# file FILE\n", "track_file {\nhandover\n}\n", False),
    ],
)
def test_an_instance_hands_over_where_it_tracks_the_file(block: str, track: str, expected: bool) -> None:
    """Both the file and its use by the instance must be there."""
    conf = block.replace("FILE", HANDOVER) + CONF.replace("track_script { chk }", track)
    assert found(conf).hands_over is expected


@pytest.mark.parametrize("name", ["lb-a", "lb-b", "lb-c"])
def test_what_lbdeploy_writes_is_read_back(tmp_path: Path, name: str) -> None:
    """Addresses, interfaces, peers and priority of the templates' own file, with many settings."""
    made = cluster(tmp_path, BIG)
    node = made.node(name)
    instance = found(conf_of(made, node))
    assert instance.vips == {str(vip.address): node.interfaces[vip.network] for vip in made.vips}
    assert instance.peers == {str(each.addresses["back"]) for each in made.peers(node)}
    assert instance.identity == ("7", str(node.addresses["back"]))
    assert instance.priority == node.priority
    assert instance.settings["version"] == "3"
    assert instance.hands_over
    assert all(ip_interface(address) for address in instance.vips)


def pieces(text: str) -> st.SearchStrategy[str]:
    """Lines and words of a configuration in any order, among anything else."""
    piece = st.sampled_from([*text.splitlines(keepends=True), *text.split(), "{", "}", "\n", '"', "#", "!"])
    return st.lists(piece | st.text(max_size=8), max_size=25).map(" ".join) | st.text()


@given(pieces(CONF))
@example('vrrp_instance {\n"" dev\n}\n')
@example("vrrp_instance x {\nvirtual_ipaddress {\n1.2.3.4/24 dev\n}\n")
@example("vrrp_version\nvrrp_instance x { priority ² }")
def test_any_text_can_be_read(text: str) -> None:
    """No file makes the reader raise, and of what it read every aspect can be had."""
    instance = read(text)
    if instance:
        assert isinstance(instance.priority, int)
        assert all(isinstance(vip, str) for vip in instance.vips)
        assert hash((instance.identity, instance.agreed, instance.places)) is not None


def test_peers_of_ipv6_agree_on_the_hop_limit(tmp_path: Path) -> None:
    """A node that asks for 255 hears no peer that sends 64: it is changed on all at once. IPv4 sends 255 anyway."""
    six = cluster(tmp_path, SIX)
    conf = conf_of(six, six.preferred)
    assert found(conf).agreed - found(conf.replace("    unicast_ttl 255\n", "")).agreed == {"unicast_ttl 255"}
    four = cluster(tmp_path, GOOD)
    assert "unicast_ttl" not in conf_of(four, four.preferred)


def test_definitions_are_put_where_they_are_used() -> None:
    """With or without braces, and one within another; a name that is not defined here stays."""
    conf = "$NET = 10.0.0 ! the site's\n${VIP}=${NET}.9\n$ID=51\n" + (
        "vrrp_instance A {\n virtual_router_id $ID\n virtual_ipaddress {\n ${VIP}/24 dev eth1\n }\n}\n"
    )
    assert (found := read(conf))
    assert found.vips == {"10.0.0.9/24": "eth1"}
    assert found.identity[0] == "51"
    assert all_vips(conf) == {"10.0.0.9"}
    assert unread(conf) == ()
    assert unread(conf.replace("$ID=51\n", "")) == ("virtual_router_id $ID",)


@pytest.mark.parametrize(
    "line", ["include conf.d/*.conf", "  includer x", "@lb1 priority 200", "${_X}.1/24", "a ~SEQ(X, 1)", "$A=x\\\n y"]
)
def test_what_only_keepalived_can_read_is_told(line: str) -> None:
    """Other files, lines for some nodes, and what is generated."""
    assert unread(f"vrrp_instance A {{\n}}\n{line}\n")[0] in (line.strip(), "$A=x\\")


@pytest.mark.parametrize(
    "line", ["# include x", "script \"/bin/sh -c 'echo $1'\"", "! @lb1", "includes", 'auth_pass "@"']
)
def test_scripts_and_comments_are_no_riddle(line: str) -> None:
    """keepalived leaves alone what stands there."""
    assert unread(line) == ()


def test_a_definition_that_grows_is_not_put_anywhere() -> None:
    """A node may have any file."""
    conf = "$A=0123456789\n" + "".join("$A=$A$A\n" for _ in range(60)) + "x $A\n"
    assert len(unread(conf)[-1]) < 300


def test_between_quotes_there_are_no_blocks_and_no_comments() -> None:
    """A script may have braces, and a password any letter."""
    conf = (
        "vrrp_script chk {\n script \"/bin/sh -c 'test -f /x || { exit 1;'\"\n}\nvrrp_instance A {\n"
        ' authentication {\n auth_pass "a#b"\n }\n virtual_ipaddress {\n FD00:0::9/64\n }\n}\n'
    )
    assert (found := read(conf))
    assert found.settings["authentication"] == "auth_pass a#b"
    assert all_vips(conf) == {"fd00::9"}


@pytest.mark.parametrize("text", [GOOD, SIX, GROUPS])
def test_lbdeploy_s_own_file_is_read_as_a_whole(tmp_path: Path, text: str) -> None:
    """Otherwise each change of it would have VRRP elect anew."""
    of = cluster(tmp_path, text)
    for node in of.nodes:
        assert unread(next(each.content for each in files(of, node) if each.path == KEEPALIVED_CONF)) == ()
