"""What was done on a node, in short."""

from __future__ import annotations

from lbdeploy.cli.report.plan import in_short
from lbdeploy.node.resources.base import Change


def test_what_was_done_is_told_by_kind_and_no_two_files_by_the_same_name() -> None:
    """A file that was removed is not called written, and drop-ins of the same name are told apart."""
    changes = [
        Change("package", "haproxy", "install", "is missing"),
        Change("file", "/etc/haproxy/haproxy.cfg", "create", "is missing"),
        Change("file", "/etc/systemd/system/haproxy.service.d/lbdeploy.conf", "create", "is missing"),
        Change("file", "/etc/systemd/system/keepalived.service.d/lbdeploy.conf", "update", "differs"),
        Change("file", "/etc/keepalived/check-haproxy", "chmod", "is 644"),
        Change("file", "/etc/lbdeploy/firewall.nft", "remove", "hosts.toml does not ask for it"),
        Change("sysctl", "net.ipv4.ip_nonlocal_bind", "set", "is 0"),
        Change("service", "haproxy", "start", "is not running"),
    ]
    assert in_short(changes).splitlines() == [
        "installed haproxy",
        "wrote haproxy.cfg, haproxy.service.d/lbdeploy.conf, keepalived.service.d/lbdeploy.conf",
        "set owner and mode of check-haproxy",
        "removed firewall.nft",
        "set net.ipv4.ip_nonlocal_bind",
        "started haproxy",
    ]
