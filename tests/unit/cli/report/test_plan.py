"""What is to be done, and what was done on a node, in short."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from plans import bare_and_changed

from lbdeploy.cli.report.plan import in_short, outline, steps
from lbdeploy.cli.report.terminal import Line
from lbdeploy.config.model import Cluster
from lbdeploy.node.resources.base import Change
from lbdeploy.planning.desired import files


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


def text(lines: Iterable[Line]) -> list[str]:
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines]


def test_a_new_file_is_told_by_its_length_and_shown_where_that_is_wanted(seed: Cluster, tmp_path: Path) -> None:
    """A changed one has its diff."""
    new, changed = bare_and_changed(seed, tmp_path)
    short, whole = text(steps(new, diffs=True)), text(steps(new, diffs=True, whole=True))
    assert not [line for line in short if line.startswith("      +")]
    assert sum(line.startswith("      +") for line in whole) > 100
    assert [line for line in short if "create file /etc/haproxy/haproxy.cfg  (does not exist; " in line]
    assert "      +    balance leastconn" in text(steps(changed, diffs=True))


def test_what_is_the_same_on_several_nodes_is_told_once(seed: Cluster, tmp_path: Path) -> None:
    """Together where they change together, and by reference in a later step."""
    new, changed = bare_and_changed(seed, tmp_path)
    assert sum("lb1, lb2  create file /etc/keepalived/announce" in line for line in text(steps(new, diffs=True))) == 1
    drawn = text(steps(changed, diffs=True))
    assert sum("+    balance leastconn" in line for line in drawn) == 1
    assert "  lb1  update file /etc/haproxy/haproxy.cfg  (its content differs; as on lb2)" in drawn
    assert drawn.index("Step 1: lb2  (clients notice nothing)") < drawn.index("Step 2: lb1  (clients notice nothing)")


def test_a_plan_in_five_lines(seed: Cluster, tmp_path: Path) -> None:
    """How much where, by kind, and what clients notice."""
    new, changed = bare_and_changed(seed, tmp_path)
    assert text(outline(changed)) == [
        "4 changes on lb2 and lb1, in 2 steps",
        "  files     update haproxy.cfg",
        "  services  reload haproxy",
        "  clients   notice nothing",
    ]
    created = len(files(seed, seed.node("lb1")))
    assert f"  files     create {created}" in text(outline(new))
