"""firewall = "nftables" on nodes: who gets in, who does not, and what becomes of a rule that breaks something."""

from __future__ import annotations

import signal

from clients import traffic
from harness import TOP, VIPS, Lab, held_by, wait_for
from runs import begin, until

NODES = ("lb1", "lb2")
LISTEN = (
    "use Socket; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);"
    "bind(S, pack_sockaddr_in({port}, INADDR_ANY)); listen(S, 9); sleep 600"
)
TABLE = "nft list table inet lbdeploy"
PLANTED = (
    "table inet planted { chain input { type filter hook input priority 0; policy drop; "
    "ct state established,related accept; iif lo accept; meta l4proto 112 accept; tcp dport 22 accept; }; }"
)
ON = '[cluster]\nfirewall = "nftables"\nfirewall_allow = [9100]'


def reaches(lab: Lab, port: int, address: str = "192.168.0.11") -> bool:
    """Whether the client can connect there."""
    shell = f"timeout 2 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo yes || echo no"
    return lab.on("client", shell) == "yes"


def refuses(lab: Lab, name: str, template: str) -> str:
    """What is said of a change of the firewall that is undone."""
    folder = lab.file.parent / "templates"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.j2").write_text(template)
    done = lab.run("--json", "up")
    assert done.code == 7, done.out + done.err
    (folder / f"{name}.j2").unlink()
    return str(done.json["error"]["message"])


def test_only_what_is_meant_gets_in(pair: Lab) -> None:
    """On and off under traffic that notices nothing; the rules come back; one that breaks something is undone."""
    for port in (9100, 9101):
        pair.on("lb1", f"systemd-run -q --unit planted-{port} perl -e '{LISTEN.format(port=port)}'")
    wait_for(lambda: reaches(pair, 9100) and reaches(pair, 9101))
    pair.edit("[cluster]", ON)
    costs = " ".join(stage["cost"] for stage in pair.do("plan", code=3)["stages"])
    assert ("port 9101 ends" in costs, "port 9100 ends" in costs) == (True, False)
    ends = [each for each in pair.do("doctor")["findings"] if each["check"] == "ends" and not each["ok"]]
    assert {(each["node"], each["severity"], each["subject"]) for each in ends} == {("lb1", "warning", "port 9101")}
    with traffic(pair, *VIPS) as seen:
        pair.do("up")
        assert (reaches(pair, 9100), reaches(pair, 9101)) == (True, False)
        pair.on("lb1", "systemctl restart nftables")
        assert "policy drop" in pair.on("lb1", TABLE)
        pair.on("lb1", "systemctl reload nftables")
        assert "policy drop" in pair.on("lb1", TABLE)
        assert held_by(pair, "lb1")
        assert pair.do("up")["changes"] == []
    assert seen["probes"] > 100
    assert (seen["failures"], seen["late"], seen["broken"]) == ([], [], [])

    # Somebody takes it away by hand: that is drift.
    pair.on("lb2", "nft flush ruleset")
    found = [each for each in pair.do("verify", code=6)["findings"] if not each["ok"]]
    assert [(each["node"], each["check"]) for each in found] == [("lb2", "service")]
    assert [(each["action"], each["name"]) for each in pair.do("up")["changes"]] == [("reload", "lbdeploy-firewall")]
    assert "policy drop" in pair.on("lb2", TABLE)

    # A node that was rebooted has it before keepalived runs.
    pair.lab("stop", "lb2")
    pair.lab("start", "lb2")
    wait_for(lambda: pair.on("lb2", "systemctl is-active keepalived", check=False) == "active")
    assert "policy drop" in pair.on("lb2", TABLE)
    assert pair.run("verify", "--wait", "30").code == 0

    before = [pair.on(node, TABLE) for node in NODES]
    assert "validate /etc/lbdeploy/firewall.nft" in refuses(pair, "firewall.nft", _rules("nonsense dport 22"))
    assert refuses(pair, "firewall.nft", _rules("tcp dport 22 ct state new drop"))
    assert "6443" in refuses(pair, "firewall.nft", _rules('tcp dport 22 accept; iifname != "lo" tcp dport 6443 drop'))
    assert [pair.on(node, TABLE) for node in NODES] == before

    pair.file.write_text(pair.original)
    loses_power_as_it_drops_its_firewall(pair)
    with traffic(pair, *VIPS) as seen:
        pair.do("up")
        assert reaches(pair, 9101)
    assert (seen["failures"], seen["late"], seen["broken"]) == ([], [], [])
    for node in NODES:
        assert "lbdeploy" not in pair.on(node, "nft list ruleset")
        assert pair.on(node, "find /etc -name 'lbdeploy-firewall*' -o -name 'firewall.nft*'") == ""
    pair.on("lb1", "systemctl stop planted-9100 planted-9101")

    pair.edit("[cluster]", ON)
    # lb2 gets it and is confirmed; then lb1 fails, and lb2's goes again with its files.
    assert "did not accept the new configuration" in refuses(pair, "haproxy.cfg", _nowhere_on("lb1"))
    assert "lbdeploy" not in pair.on("lb2", "nft list ruleset")
    assert pair.on("lb2", "systemctl is-active lbdeploy-firewall", check=False) == "inactive"
    pair.file.write_text(pair.original)

    # A firewall of somebody else's, which knows nothing of the frontends.
    pair.on("lb2", f"nft '{PLANTED}'")
    found = pair.do("doctor", code=0)["findings"]
    pair.on("lb2", "nft delete table inet planted")
    said = [each for each in found if each["check"] == "firewall" and not each["ok"]]  # the peers' port is shut, too
    assert {(each["node"], each["severity"]) for each in said} == {("lb2", "warning")}
    opened = [each["fix"] for each in said]
    assert sum(each.startswith("nft insert rule inet planted input tcp dport 6443 accept") for each in opened) == 1


def loses_power_as_it_drops_its_firewall(pair: Lab) -> None:
    """As lb2 starts, it has the rules again: nobody had confirmed that they go."""
    process = begin(pair, "up")
    until(process, "lb2 changed")
    process.send_signal(signal.SIGSTOP)
    pair.lab("stop", "lb2")
    process.kill()
    process.communicate()
    pair.lab("start", "lb2")
    pair.on("lb2", "systemctl is-system-running --wait", check=False)
    assert "policy drop" in pair.on("lb2", TABLE)
    assert pair.on("lb2", "systemctl is-enabled lbdeploy-firewall") == "enabled"
    wait_for(lambda: held_by(pair, "lb1"), 30)


def _nowhere_on(node: str) -> str:
    """haproxy.cfg, which that node's haproxy can't begin to use, though it is valid."""
    text = (TOP / "templates" / "haproxy.cfg.j2").read_text()
    nowhere = text.replace("    balance", "    bind unix@/run/nowhere/x.sock\n    balance")
    return f'{{% if node.name == "{node}" %}}{nowhere}{{% else %}}{text}{{% endif %}}'


def _rules(rule: str) -> str:
    chain = "type filter hook input priority 0; policy accept;"
    anew = "table inet lbdeploy\ndelete table inet lbdeploy\ntable inet lbdeploy"
    return f"{anew} {{\nchain input {{\n{chain}\n{rule}\n}}\n}}\n"
