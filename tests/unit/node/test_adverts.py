"""How adverts of a peer that has a change are told from those of one that has not."""

from __future__ import annotations

import re
import socket

import pytest

from lbdeploy.node.adverts import distinguishing, source
from lbdeploy.node.keepalived_conf import Instance, read

CONF = """\
global_defs {{
    vrrp_version {version}
}}
vrrp_instance VI {{
    virtual_router_id {router}
    advert_int {interval}
    {source}
    {peers}
    {auth}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""
AUTH = "authentication {{ auth_type PASS\n auth_pass {} }}"
USUAL = {
    "version": "2", "router": "101", "interval": "1", "source": "unicast_src_ip 10.0.0.2",
    "peers": "unicast_peer { 10.0.0.1 }", "auth": "", "vips": "10.0.0.10/24 dev a\n10.1.0.10/24 dev b",
}  # fmt: skip


def instance(**settings: str) -> Instance:
    found = read(CONF.format(**(USUAL | settings)))
    assert found
    return found


def advert(of: Instance, target: str = "host", auth: str = "") -> str:
    """As keepalived sends it: RFC 3768 and RFC 5798, 5.1; then as agree.pl writes it."""
    vips = [socket.inet_aton(vip.split("/")[0]) for vip in of.vips]
    version, router, seconds = (of.settings[key] for key in ("version", "virtual_router_id", "advert_int"))
    head = bytes([int(version) << 4 | 1, int(router), 100, len(vips)])
    timing = bytes([1 if auth else 0, int(float(seconds))])
    if version == "3":
        timing = int(float(seconds) * 100).to_bytes(2, "big")
    tail = auth.encode().ljust(8, b"\0") if version == "2" else b""
    return f"{source(of)} {target} {(head + timing + b'ck' + b''.join(vips) + tail).hex()}"


CHANGES: dict[str, tuple[dict[str, str], str, str]] = {
    "router ID": ({"router": "102"}, "host", ""),
    "interval": ({"interval": "2"}, "host", ""),
    "version": ({"version": "3", "interval": "0.5"}, "host", ""),
    "network": ({"source": "unicast_src_ip 10.1.0.2", "peers": "unicast_peer { 10.1.0.1 }"}, "host", ""),
    "mode": ({"source": "mcast_src_ip 10.0.0.2", "peers": ""}, "group", ""),
    "a VIP more": ({"vips": USUAL["vips"] + "\n10.1.0.11/24 dev b"}, "host", ""),
    "a VIP less": ({"vips": "10.0.0.10/24 dev a"}, "host", ""),
    "another VIP": ({"vips": "10.0.0.10/24 dev a\n10.1.0.11/24 dev b"}, "host", ""),
    "a password": ({"auth": AUTH.format("secret")}, "host", "secret"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_old_adverts_are_told_from_new_ones(change: str) -> None:
    """Whatever peers must agree on: each matches its own, and not the other."""
    settings, target, auth = CHANGES[change]
    before, after = instance(), instance(**settings)
    old, new = distinguishing(before, after)
    sent = {old: advert(before), new: advert(after, target, auth)}
    for pattern, line in sent.items():
        assert [other for other, each in sent.items() if re.fullmatch(pattern, each)] == [pattern], line


def test_a_password_that_changes_is_told() -> None:
    """Only the bytes after the addresses differ."""
    before, after = (instance(auth=AUTH.format(each)) for each in ("one", "another1"))
    old, new = distinguishing(before, after)
    assert re.fullmatch(old, advert(before, auth="one"))
    assert not re.fullmatch(old, advert(after, auth="another1"))
    assert re.fullmatch(new, advert(after, auth="another1"))


def test_what_keepalived_fills_in_does_no_harm() -> None:
    """Priority and checksum are not compared, nor are settings that a change leaves as they are."""
    old, _ = distinguishing(instance(), instance(router="102"))
    assert re.fullmatch(old, advert(instance(vips="10.0.0.10/24 dev a")))
    assert re.fullmatch(old, advert(instance()).replace("6564", "65fa"))
    assert not re.fullmatch(old, advert(instance(router="77")))


def test_the_order_of_addresses_does_not_matter() -> None:
    """It is as the file has it, but who knows."""
    after = instance(vips="10.1.0.11/24 dev b\n10.0.0.10/24 dev a")
    _, new = distinguishing(instance(), after)
    assert re.fullmatch(new, advert(after))
    assert re.fullmatch(new, advert(instance(vips="10.0.0.10/24 dev a\n10.1.0.11/24 dev b")))


def test_what_does_not_show_on_the_wire_has_no_pattern() -> None:
    """Such as a priority: peers hear each other all the same."""
    assert distinguishing(instance(), instance()) == ("", "")


def test_a_source_that_only_one_of_them_names_tells_nothing() -> None:
    """A hand-made instance names none, its successor does: all adverts of the successor would be taken for old ones."""
    by_hand, named = instance(source="", peers=""), instance(source="mcast_src_ip 10.0.0.2", peers="")
    assert distinguishing(by_hand, named) == ("", "")
    assert distinguishing(named, by_hand) == ("", "")
    old, new = distinguishing(by_hand, instance(source="mcast_src_ip 10.0.0.2", peers="", router="102"))
    assert re.fullmatch(old, advert(named, "group"))
    assert not re.fullmatch(new, advert(named, "group"))
    moved = instance(source="mcast_src_ip 10.1.0.2", peers="")
    assert re.fullmatch(distinguishing(named, moved)[0], advert(named, "group"))


@pytest.mark.parametrize("setting", ["router", "interval", "version"])
def test_what_can_not_be_read_tells_nothing(setting: str) -> None:
    """As keepalived's own definitions, which stand for a number."""
    assert distinguishing(instance(**{setting: "$OWN"}), instance(router="102")) == ("", "")
    assert distinguishing(instance(router="102"), instance(**{setting: "$OWN"})) == ("", "")


def test_ipv6_has_version_3() -> None:
    """Whatever the file says."""
    settings = {"source": "unicast_src_ip fd00::2", "peers": "unicast_peer { fd00::1 }", "vips": "fd00::10/64 dev a"}
    old, new = distinguishing(instance(**settings), instance(**settings, router="102"))
    assert re.fullmatch(old, "fd00::2 host 3165640100640000" + "00" * 16)
    assert re.fullmatch(new, "fd00::2 host 3166640100640000" + "00" * 16)
