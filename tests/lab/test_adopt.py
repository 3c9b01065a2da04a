"""Pairs that somebody has built by hand: `adopt` reads them, `up` takes them over, `down` gives them back."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import smooth, traffic
from hand_made import (
    BY_MULTICAST_WITH_AUTH,
    BY_UNICAST,
    HAPROXY,
    IN_A_SYNC_GROUP,
    INGRESS,
    NODES,
    OTHER_WAY_ROUND,
    SECOND,
    by_hand,
)
from harness import RELOADED, VIPS, Lab, held_by, wait_for

# As the procedure that this project automates has them, in words of our own.
SEED = """\
vrrp_script look_at_haproxy {{
    # By env, since pidof is a link to killall5 on Debian, which keepalived would run by that name.
    script "/usr/bin/env pidof haproxy"
    interval 1
}}
vrrp_instance KUBE_API {{
    state {state}
    interface ens32
    track_interface {{
        ens32
        ens33
    }}
    track_script {{
        look_at_haproxy
    }}
    unicast_src_ip {own}
    track_src_ip
    unicast_peer {{
        {peer}
    }}
    virtual_router_id 101
    priority {priority}
    advert_int 1
    virtual_ipaddress {{
        192.168.0.10/24 dev ens33
        192.168.1.10/24 dev ens32
    }}
    preempt
    preempt_delay 5
}}
"""
SEED_HAPROXY = """\
global
    log /dev/log local0
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin
    user haproxy
    group haproxy
    daemon
defaults
    log global
    mode http
    option httplog
    timeout connect 5000
    timeout client  50000
    timeout server  50000
frontend k8s-api
    bind 192.168.0.10:6443
    bind 192.168.1.10:6443
    mode tcp
    option tcplog
    default_backend k8s-api
backend k8s-api
    mode tcp
    option tcp-check
    balance roundrobin
    default-server inter 2s rise 3 fall 2
    server master1 192.168.1.21:6443 check
    server master2 192.168.1.22:6443 check
    server master3 192.168.1.23:6443 check
"""
# What no frontend of hosts.toml can do.
WEB = """\
userlist people
    user admin insecure-password hunter2
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend web
    bind *:8080
    http-request auth unless { http_auth(people) }
    http-request return status 200 content-type text/plain string "kept"
"""
# Another cluster, at the same port of its own VIP.
TWO_CLUSTERS = (
    HAPROXY.replace("bind *:6443", "bind 192.168.0.10:6443,192.168.1.10:6443")
    + """\
frontend second
    bind 192.168.0.77:6443
    default_backend second
backend second
    server master1 api-3.example.org:6443 check
"""
)
SECTIONS = "haproxy.d/sections.cfg"
LOOK = (
    "stat -c '%a %U %G %n' /etc/keepalived/* /etc/haproxy/*; "
    "sha256sum /etc/keepalived/*.conf /etc/haproxy/*.cfg /etc/default/haproxy; "
    f"{RELOADED}systemctl is-active haproxy keepalived; systemctl is-enabled haproxy keepalived"
)


@pytest.fixture
def unadopted(bare: Lab) -> Iterator[Lab]:
    """Bare nodes; hosts.toml is afterwards as before."""
    yield bare
    bare.file.write_text(bare.original)
    (bare.file.parent / SECTIONS).unlink(missing_ok=True)


def looks(lab: Lab) -> dict[str, str]:
    return {node: lab.on(node, LOOK) for node in NODES}


def adopted(lab: Lab) -> Any:
    """What adopt tells; hosts.toml is the one that it wrote, in the place of the lab's own."""
    before = looks(lab)
    told = lab.do("adopt", *NODES, "--output", str(lab.file.with_name("adopted.toml")), "--force")
    assert looks(lab) == before
    lab.file.write_text(lab.file.with_name("adopted.toml").read_text())
    assert lab.run("check").code == 0
    return told


def lines(told: Any, verdict: str) -> set[str]:
    return {each["text"] for each in told["lines"] if each["verdict"] == verdict}


def taken_over(lab: Lab, *vips: str, moves: int = 0, then: Callable[[], None] = lambda: None) -> None:
    """`up` costs clients no more than the moves, the next has nothing to do, and `down` gives back what was there."""
    before = looks(lab)
    with traffic(lab, *vips) as seen:
        assert lab.run("up").code == 0
    assert seen["probes"] > 20
    smooth(seen, moves)
    assert lab.do("up")["changes"] == []
    assert lab.run("verify").code == 0
    then()
    assert lab.do("down", "--yes")["removed"]
    assert looks(lab) == before
    wait_for(lambda: held_by(lab, "lb1"), 30)
    wait_for(lambda: lab.answers(VIPS[0]) == "ok", 30)


@pytest.mark.slow
def test_the_procedures_pair_is_adopted(unadopted: Lab) -> None:
    """Every line is kept or equal but MASTER, the plan has no ending, and nobody notices `up`."""
    by_hand(unadopted, SEED, SEED_HAPROXY)
    told = adopted(unadopted)
    assert lines(told, "changes") == {"state MASTER"}
    assert lines(told, "ends") == set()
    assert unadopted.run("adopt", *NODES).code == 2  # hosts.toml is there
    assert unadopted.run("plan").code == 3
    assert [each for each in unadopted.do("doctor")["findings"] if each["check"] == "ends" and not each["ok"]] == []
    taken_over(unadopted, *VIPS)


def test_a_pair_with_a_password_a_second_vip_and_an_ingress_is_adopted(unadopted: Lab) -> None:
    """All that the pair serves is in hosts.toml or beside it, no password is shown, and no new connection fails."""
    by_hand(unadopted, BY_MULTICAST_WITH_AUTH + SECOND, HAPROXY + INGRESS + WEB)
    wait_for(lambda: unadopted.holder("192.168.0.77"))
    told = adopted(unadopted)
    assert lines(told, "ends") == {"auth_type PASS", "auth_pass (hidden)"}
    assert "1111" not in unadopted.file.read_text()
    assert "weight -20" in lines(told, "changes")
    assert "[frontends.ingress]" in unadopted.file.read_text()
    assert "hunter2" not in str(told)
    assert by_the_library(unadopted) == (unadopted.file.read_text(), (unadopted.file.parent / SECTIONS).read_text())
    assert (unadopted.file.parent / SECTIONS).stat().st_mode & 0o777 == 0o600
    taken_over(unadopted, *VIPS, "192.168.0.77", moves=2, then=lambda: sections_are_part_of_it(unadopted))


@pytest.mark.slow
def test_a_pair_with_two_instances_is_adopted_as_two_groups(unadopted: Lab) -> None:
    """Each goes on by its router ID and priorities, where it is, with its own servers: no client notices `up`."""
    for node in NODES:
        unadopted.on(node, "echo 192.168.1.23 api-3.example.org >> /etc/hosts")
    by_hand(unadopted, BY_UNICAST + OTHER_WAY_ROUND, TWO_CLUSTERS)
    wait_for(lambda: held_by(unadopted, "lb2", "192.168.0.77"), 30)
    told = adopted(unadopted)
    written = tomllib.loads(unadopted.file.read_text())
    assert {name: (each["router_id"], each.get("priorities")) for name, each in written["vrrp"]["groups"].items()} == {
        "API": (101, None), "INGRESS": (71, {"lb1": 100, "lb2": 200})
    }  # fmt: skip
    assert {name: (each["groups"], each["servers"]) for name, each in written["frontends"].items()} == {
        "kubernetes": (["API"], {"master1": "192.168.1.21", "master2": "192.168.1.22"}),
        "second": (["INGRESS"], {"master1": "192.168.1.23"}),
    }  # fmt: skip
    assert {"virtual_router_id 71", "priority 200", "priority 100"} <= lines(told, "kept")
    stages = unadopted.do("plan", code=3)["stages"]
    print([(each["way"], each["cost"]) for each in stages])
    taken_over(unadopted, *VIPS, "192.168.0.77", then=lambda: wait_for(lambda: at_home(unadopted)))


ANOTHER_HAND = "s/server master1/server api-1/; s/master2.*/master2 192.168.1.23:6443 check/; s/client 50s/client 60s/"


@pytest.mark.slow
def test_a_pair_whose_instances_are_kept_together_and_whose_nodes_differ_is_adopted(unadopted: Lab) -> None:
    """One instance moves what a sync group did, no server of either node is lost, and each gets its own files back."""
    by_hand(unadopted, IN_A_SYNC_GROUP, HAPROXY)
    unadopted.on("lb2", f"sed -i '{ANOTHER_HAND}' /etc/haproxy/haproxy.cfg; systemctl reload haproxy")
    told = adopted(unadopted)
    assert any("a vrrp_sync_group keeps them together" in each for each in told["notes"])
    written = tomllib.loads(unadopted.file.read_text())
    assert ("groups" in written["vrrp"], written["frontends"]["kubernetes"]["client_timeout"]) == (False, 50)
    assert written["frontends"]["kubernetes"]["servers"] == {
        "master1": "192.168.1.21", "master2": "192.168.1.22", "master2-2": "192.168.1.23"
    }  # fmt: skip
    row = next(each for each in told["lines"] if each["text"] == "timeout client 60s")
    assert (row["nodes"], row["verdict"], row["meaning"]) == (
        ["lb2"],
        "changes",
        "frontends.kubernetes.client_timeout = 50",
    )
    taken_over(unadopted, *VIPS, moves=2)


def at_home(lab: Lab) -> bool:
    return held_by(lab, "lb1") and held_by(lab, "lb2", "192.168.0.77")


BY_A_PROGRAM = f"""
import json, sys
from lbdeploy import adopt, load
ssh = load(sys.argv[1], lab=True).ssh
found = adopt({list(NODES)}, ssh=ssh)
print(json.dumps([found.text, found.files["{SECTIONS}"]]))
"""


def by_the_library(lab: Lab) -> tuple[str, str]:
    """hosts.toml and the sections, as a program makes them."""
    argv = [sys.executable, "-c", BY_A_PROGRAM, str(lab.file)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    text, sections = json.loads(done.stdout)
    return text, sections


def web(lab: Lab, address: str, port: int = 8080) -> str:
    return lab.on("client", f"curl -s -m 5 -u admin:hunter2 http://{address}:{port}/", check=False)


def sections_are_part_of_it(lab: Lab) -> None:
    """They serve, a change of theirs is a change of the pair, and what the nodes' haproxy refuses changes nothing."""
    addresses = (*VIPS, "192.168.1.11", "192.168.1.12")
    assert {web(lab, each) for each in addresses} == {"kept"}
    file = lab.file.parent / SECTIONS
    text = file.read_text()
    file.write_text(f"{text}    nonsense\n")
    refused = lab.do("up", code=7)["error"]["message"]
    assert "nonsense" in refused
    file.write_text(
        text + "listen more\n    bind *:8081\n    http-request return status 200 content-type text/plain string more\n"
    )
    plan = lab.run("plan")
    assert (plan.code, "listen more" in plan.out, "hunter2" in plan.out + plan.err) == (3, True, False)
    assert {each["name"] for each in lab.do("up")["changes"]} == {"/etc/haproxy/haproxy.cfg", "haproxy"}
    assert {web(lab, each, 8081) for each in addresses} == {"more"}
    assert {web(lab, each) for each in addresses} == {"kept"}
