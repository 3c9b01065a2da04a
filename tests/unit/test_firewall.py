"""The firewall that lbdeploy writes, and what it reads of those that others wrote."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import BIG, SEED, cluster, observe, running
from syrupy.assertion import SnapshotAssertion

from lbdeploy.desired import FIREWALL, FIREWALL_AS_SERVICE, FIREWALL_SERVICE, desired, files, packages
from lbdeploy.errors import HostsFileError
from lbdeploy.firewall import remedy, shuts_out
from lbdeploy.gate import objections
from lbdeploy.health import Answered
from lbdeploy.plan import Plan, Stage, Way, diff
from lbdeploy.resource import Answer
from lbdeploy.resources import File, Gone, Service
from lbdeploy.resources.file import FileState
from lbdeploy.resources.service import ServiceState
from lbdeploy.rollout import earlier
from lbdeploy.survey import Survey

ON = 'firewall = "nftables"\nfirewall_allow = [9100, 161]\n'


def with_firewall(text: str) -> str:
    return text.replace("[cluster]\n", f"[cluster]\n{ON}", 1)


@pytest.mark.parametrize(("text", "node"), [(SEED.read_text(), "lb1"), (BIG, "lb-b")], ids=["pair", "three"])
def test_who_is_let_in(tmp_path: Path, text: str, node: str, snapshot: SnapshotAssertion) -> None:
    """SSH at its port, VRRP of the other nodes in their family, every frontend, and what is allowed besides."""
    found = cluster(tmp_path, with_firewall(text))
    rendered = {file.path: file.content for file in files(found, found.node(node))}
    assert {path: content for path, content in rendered.items() if "nft" in path or "firewall" in path} == snapshot


def test_a_firewall_takes_a_package_and_a_service(tmp_path: Path) -> None:
    """Without one, nothing is added, and what an earlier hosts.toml asked for is taken away."""
    on, off = cluster(tmp_path, with_firewall(SEED.read_text())), cluster(tmp_path, SEED.read_text())
    assert set(packages(on)) - set(packages(off)) == {"nftables"}
    for found, expected in ((on, True), (off, False)):
        wanted = desired(found, found.preferred)
        assert any(isinstance(each, Service) and each.unit == FIREWALL_SERVICE for each in wanted) == expected
        assert any(isinstance(each, Gone) and each.unit == FIREWALL_SERVICE for each in wanted) != expected


def test_metrics_are_let_in(tmp_path: Path) -> None:
    """At their port; who may ask is for haproxy to say."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()) + '[metrics]\nnetwork = "management"\nport = 8405\n')
    (file,) = (each for each in files(found, found.preferred) if each.path == FIREWALL)
    assert 'tcp dport 8405 accept comment "metrics"' in file.content


@pytest.mark.parametrize("allow", ["[0]", "[65536]", '["9100"]', "9100"])
def test_what_is_allowed_is_a_list_of_ports(tmp_path: Path, allow: str) -> None:
    """Anything else is refused; so is a list without a firewall."""
    for text in (ON.replace("[9100, 161]", allow), "firewall_allow = [9100]\n"):
        with pytest.raises(HostsFileError):
            cluster(tmp_path, SEED.read_text().replace("[cluster]\n", f"[cluster]\n{text}"))


@pytest.mark.parametrize(("port", "said"), [("22", ""), ("6443", ""), ("2222", "2222"), ("644", "644")])
def test_the_port_of_sshd_must_be_let_in(tmp_path: Path, port: str, said: str) -> None:
    """The port of sshd's open connections is looked for among those of the rules; the operator's own is one."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    (file,) = (each for each in files(found, found.preferred) if each.path == FIREWALL)
    staged = tmp_path / "staged"
    staged.write_text(file.content)
    row = f'0 0 192.168.1.11:{port} 192.168.1.1:50000 users:(("sshd",pid=1,fd=4))'
    other = '0 0 192.168.1.11:9999 192.168.1.1:50000 users:(("perl",pid=2,fd=4))'
    fakes = f"nft() {{ :; }}\nss() {{ printf '%s\\n' '{row}' '{other}'; }}\n"
    done = subprocess.run(
        ["sh", "-c", f"{fakes}{file.validate}", "x", staged], check=False, capture_output=True, text=True
    )
    assert (f"port {said}:" in done.stdout) if said else (done.stdout == "")


def test_a_table_that_is_gone_is_drift() -> None:
    """The service runs, but what it has set up is not what it left: its rules are loaded again."""
    state = FIREWALL_AS_SERVICE.read(Answer("ActiveState=active\nUnitFileState=enabled\nInForce=no\n"))
    assert state.lost
    (change,) = FIREWALL_AS_SERVICE.compare(replace(state, load="loaded"), ())
    assert (change.action, change.reason) == ("reload", "what it has set up was removed or changed")
    assert not FIREWALL_AS_SERVICE.read(Answer("ActiveState=active\n")).lost


def test_a_node_that_had_no_firewall_gets_none_back(tmp_path: Path) -> None:
    """Where another node fails, this one's new files go again, and the service is stopped before them."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    node = found.preferred
    wanted = desired(found, node)
    new = [each for each in wanted if isinstance(each, File) and "fire" in each.path]
    states = {each.id: FileState("missing") for each in new} | {f"service {FIREWALL_SERVICE}": ServiceState()}
    back = earlier(wanted, observe(found, node, states=states))
    assert not any(isinstance(each, File) and "fire" in each.path for each in back)
    assert [each.unit for each in back if isinstance(each, Gone) and each.unit] == [FIREWALL_SERVICE]
    assert not any(isinstance(each, Service) and each.unit == FIREWALL_SERVICE for each in back)


def test_a_firewall_of_ours_is_stopped_while_its_file_is_there() -> None:
    """So that the unit itself says how; undone by starting it again."""
    gone = Gone("x", ("/etc/a",), unit="lbdeploy-firewall")
    fix = gone.fix({"/etc/a": ""}, gone.compare({"/etc/a": ""}, ()))
    assert fix.index("disable --quiet --now") < fix.index("drop /etc/a")
    assert "undo_last 'systemctl enable --quiet --now lbdeploy-firewall'" in fix


def test_vips_that_other_nodes_do_not_reach_any_more_stop_the_run(tmp_path: Path) -> None:
    """The node itself asks past its rules, so the others are heard; only where it was changed who is let in."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    lb1, lb2 = found.nodes
    for state, expected in ((ServiceState(), True), (running(), False)):
        seen = observe(found, lb1, holds=True, states={f"service {FIREWALL_SERVICE}": state})
        plans = {"lb1": diff(desired(found, lb1), seen), "lb2": diff(desired(found, lb2), observe(found, lb2))}
        stage = Stage(Way.RELOAD, {"lb1": plans["lb1"]}, "")
        good = {"lb1": observe(found, lb1, holds=True), "lb2": observe(found, lb2)}
        silent = tuple(Answered(vip.ip, 6443, "") for vip in found.vips)
        bad = good | {"lb2": observe(found, lb2, answered=silent)}
        settled = {name: plan.only(lambda *_: False) for name, plan in plans.items()}
        before, after = (Survey(found, each, settled, {}) for each in (good, bad))
        said = objections(Plan(plans, (stage,)), stage, before, after, frozenset())
        assert any(each.node == "lb2" and each.check == "api" for each in said) == expected


NFT = """\
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		tcp dport { 22, 16443 } accept
	}
}
"""
IPTABLES = "-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"
OURS = """\
table inet lbdeploy {
	chain input {
		type filter hook input priority filter; policy drop;
		tcp dport 6443 accept
	}
}
"""


@pytest.mark.parametrize(
    ("rules", "fix"),
    [
        ("", None),
        (OURS.replace("6443", "1"), None),
        (NFT, "nft insert rule inet filter input tcp dport 6443 accept; and the same in /etc/nftables.conf"),
        (OURS + NFT, "nft insert rule inet filter input tcp dport 6443 accept; and the same in /etc/nftables.conf"),
        (NFT.replace("16443", "6443"), None),
        (NFT.replace("policy drop", "policy accept"), None),
        (IPTABLES, "iptables -I INPUT -p tcp --dport 6443 -j ACCEPT; and keep it over a reboot"),
        ("-P INPUT DROP\n-A INPUT -p tcp -m multiport --dports 22,6443 -j ACCEPT\n", None),
        ("-P INPUT ACCEPT\n", None),
        ("-P INPUT DROP\n-A INPUT -j ufw-before-input\n", "ufw allow 6443/tcp"),
        ("table inet firewalld {\n}\n", "firewall-cmd --permanent --add-port=6443/tcp; firewall-cmd --reload"),
    ],
)  # fmt: skip
def test_a_firewall_that_names_no_port_of_a_frontend_is_told(rules: str, fix: str | None) -> None:
    """Of others' firewalls that let in only what they name; with what to type, in the words of that firewall."""
    assert shuts_out(rules.splitlines(), 6443) == fix


def test_our_own_table_is_not_taken_for_what_drops_vrrp(seed) -> None:  # type: ignore[no-untyped-def]
    """It lets VRRP of peers in, so another one is to blame."""
    said = remedy((OURS + NFT).splitlines(), "input", seed.nodes[1].addresses["management"], "ens32")
    assert said.startswith("nft insert rule inet filter input ip saddr 192.168.1.12 meta l4proto 112 accept")
