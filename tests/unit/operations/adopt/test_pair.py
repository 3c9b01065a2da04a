"""What adopt makes of pairs as guides and operators build them."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import handmade_files as made
import pytest
from handmade_files import adopt_all, hand_made, links, pair_of, seed_pair, told
from hypothesis import example, given
from hypothesis import strategies as st

from lbdeploy.config import reader, writer
from lbdeploy.errors import RemoteError
from lbdeploy.operations.adopt.haproxy.kept_sections import FILE
from lbdeploy.operations.adopt.reading.machine import Machine, Running
from lbdeploy.operations.adopt.reading.sources import Sources
from lbdeploy.operations.adopt.result import Adopted

INGRESS = """\
frontend ingress-https
    bind *:443
    mode tcp
    default_backend ingress
backend ingress
    mode tcp
    server w1 10.20.0.31:443 check
"""
SECOND = """\
vrrp_instance EXTERNAL {
    state BACKUP
    interface eth0
    virtual_router_id 71
    priority PRIORITY
    virtual_ipaddress {
        10.20.0.77/24
    }
}
"""


def valid(found: Adopted) -> dict[str, Any]:
    """The hosts.toml as it is written, which `check` accepts."""
    text = writer.text(found.draft)
    assert reader.problems(tomllib.loads(text), dict(found.files)) == []
    return tomllib.loads(text)


def verdicts(found: Adopted, verdict: str) -> set[str]:
    return {each.text for each in found.rows if each.verdict == verdict}


def test_the_procedures_pair_is_the_projects_own_hosts_toml() -> None:
    """Networks, addresses, priorities, servers as in hosts.toml; only MASTER means something else."""
    found = adopt_all(seed_pair())
    wrote = valid(found)
    ours = tomllib.loads((Path(__file__).parents[4] / "hosts.toml").read_text())
    assert wrote["networks"] == ours["networks"]
    assert wrote["nodes"] == {**ours["nodes"], "lb2": {**ours["nodes"]["lb2"], "host": "lb2"}}
    assert {key: wrote["vrrp"][key] for key in ours["vrrp"]} == ours["vrrp"]
    assert wrote["frontends"]["k8s-api"]["servers"] == ours["frontends"]["k8s-api"]["servers"]
    assert verdicts(found, "ends") == set()
    assert verdicts(found, "changes") == {"state MASTER   # at the start"}
    assert "30 s after a reboot" in told(found, "state MASTER   # at the start")[1]
    assert (found.files, found.notes) == ({}, ())


def test_every_line_of_the_files_has_a_row() -> None:
    """But for comments, empty lines, braces, and the lines that only begin a block in another."""
    found = adopt_all(seed_pair())
    texts = {each.text for each in found.rows}
    inner = ("track_interface {", "track_script {", "unicast_peer {", "virtual_ipaddress {", "}")
    for machine in seed_pair():
        for text in (*machine.sources["keepalived"].found.values(), *machine.sources["haproxy"].found.values()):
            lines = {line.strip() for each in text.values() for line in each.splitlines()}
            assert lines - texts - set(inner) == set()


def test_kubeadms_pair() -> None:
    """The script that asks the API is lbdeploy's check, the check stays one over TLS, the password is told of."""
    files = {"/etc/keepalived/check_apiserver.sh": made.CHECK_APISERVER}
    found = adopt_all(pair_of(made.KUBEADM_KEEPALIVED, made.KUBEADM_HAPROXY, files))
    wrote = valid(found)
    assert wrote["networks"] == {"lan": {"interface": "eth0", "vip": "10.20.0.10/32"}}
    assert wrote["vrrp"]["mode"] == "multicast"
    assert {key: wrote["vrrp"][f"check_{key}"] for key in ("interval", "fall", "rise")} == {
        "interval": 3,
        "fall": 10,
        "rise": 2,
    }
    frontend = wrote["frontends"]["apiserver"]
    assert (frontend["port"], frontend["check"], frontend["check_path"]) == (8443, "https", "/healthz")
    assert frontend["servers"] == {"node1": "10.20.0.21:6443", "node2": "10.20.0.22:6443"}
    assert (frontend["client_timeout"], frontend["check_timeout"]) == (35, 10)
    assert told(found, 'script "/etc/keepalived/check_apiserver.sh"')[0] == "equal"
    assert told(found, "weight -2")[0] == "changes"
    assert told(found, "auth_pass (hidden)")[0] == "ends"
    assert "42sesame" not in str(found.rows) + str(found.files) + writer.text(found.draft)
    assert any("multicast" in each for each in found.notes)


def test_k3s_pair() -> None:
    """A haproxy.cfg without any timeout has lbdeploy's."""
    wrote = valid(adopt_all(pair_of(made.K3S_KEEPALIVED, made.K3S_HAPROXY)))
    frontend = wrote["frontends"]["k3s-frontend"]
    assert "client_timeout" not in frontend
    assert (frontend["interval"], frontend["fast_interval"]) == (10, 5)
    assert "track_scripts" not in wrote["vrrp"]


def test_rke2s_pair_has_a_frontend_for_each_port() -> None:
    wrote = valid(adopt_all(pair_of(made.K3S_KEEPALIVED, made.RKE2_HAPROXY)))
    assert {name: each["port"] for name, each in wrote["frontends"].items()} == {
        "k3s-frontend": 6443,
        "rke2-register": 9345,
    }


def test_kubesprays_pair() -> None:
    """Hours of silence stay, and a check that only spoke TLS connects."""
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, made.KUBESPRAY_HAPROXY))
    frontend = valid(found)["frontends"]["kubernetes-apiserver-https"]
    assert (frontend["client_timeout"], frontend["interval"], frontend["check"]) == (10800, 10, "tcp")
    verdict, meaning = told(found, "server master1 10.20.0.21:6443 check check-ssl verify none inter 10000")
    assert (verdict, "does not speak TLS" in meaning) == ("changes", True)


def test_what_no_frontend_can_do_is_kept_as_it_is() -> None:
    """Statistics and HTTP go on, without the password of the page in any row; the rest of Debian's file is there."""
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, made.DEBIAN_HAPROXY))
    assert list(valid(found)["frontends"]) == ["api"]
    assert valid(found)["frontends"]["api"]["servers"]["master2"] == {"address": "10.20.0.22", "backup": True}
    assert told(found, "frontend web") == ("kept", f"{FILE}: as it is, beside lbdeploy's own sections")
    assert told(found, "listen stats")[0] == "kept"
    assert verdicts(found, "ends") == set()
    assert told(found, "maxconn 20000")[0] == "changes"
    assert "hunter2" not in str(found.rows)


def test_a_pair_with_an_ingress_and_a_second_instance_loses_neither() -> None:
    """Each VIP is in a group of its own, by the router ID that moves it now, and :443 is a frontend."""
    found = adopt_all(pair_of(made.K3S_KEEPALIVED + SECOND, made.K3S_HAPROXY + INGRESS))
    wrote = valid(found)
    assert wrote["networks"]["lan"]["vip"] == ["10.20.0.10/24", "10.20.0.77/24"]
    assert wrote["frontends"]["ingress-https"]["port"] == 443
    assert "router_id" not in wrote["vrrp"]
    assert wrote["vrrp"]["groups"] == {
        "haproxy-vip": {"router_id": 51, "vips": "10.20.0.10"},
        "EXTERNAL": {"router_id": 71, "vips": "10.20.0.77"},
    }
    assert told(found, "10.20.0.77/24") == ("kept", "networks.lan.vip, in vrrp.groups.EXTERNAL.vips")
    assert told(found, "virtual_router_id 71") == ("kept", "vrrp.groups.EXTERNAL.router_id = 71")
    assert told(found, "vrrp_instance EXTERNAL {") == (
        "changes",
        "vrrp.groups.EXTERNAL: an instance of its own, VI_EXTERNAL, which tracks what haproxy-vip does: haproxy, and "
        "the same scripts",
    )


def test_nodes_that_differ_are_made_alike_and_each_difference_is_told() -> None:
    """The preferred node's settings count; no server of either is lost."""
    other = made.K3S_HAPROXY.replace("10.20.0.22", "10.20.0.23").replace("inter 10s", "inter 3s")
    machines = pair_of(made.K3S_KEEPALIVED, made.K3S_HAPROXY, other=other.replace("server-2", "server-3"))
    later = made.filled(made.K3S_KEEPALIVED, "BACKUP", 100, 12, 11).replace("router_id 51", "router_id 52")
    machines[1].sources["keepalived"].found["/etc/keepalived/keepalived.conf"] = {
        "/etc/keepalived/keepalived.conf": later.replace("interval 2", "interval 4")
    }
    found = adopt_all(machines)
    wrote = valid(found)
    assert wrote["frontends"]["k3s-frontend"]["servers"] == {
        "server-1": "10.20.0.21",
        "server-2": "10.20.0.22",
        "server-3": "10.20.0.23",
    }
    assert wrote["vrrp"]["router_id"] == 51
    assert told(found, "virtual_router_id 52", "lb2") == ("changes", "vrrp.router_id = 51, as lb1 has it")
    assert told(found, "interval 4", "lb2") == ("changes", "vrrp.check_interval = 2, as lb1 has it")
    assert told(found, "default-server inter 3s downinter 5s", "lb2") == ("changes", "interval = 10")
    assert any("different servers" in each for each in found.notes)


def test_an_interface_may_have_another_name_on_a_node() -> None:
    first, second = pair_of(made.K3S_KEEPALIVED, made.K3S_HAPROXY)
    conf = made.filled(made.K3S_KEEPALIVED, "BACKUP", 100, 12, 11).replace("eth0", "enp1s0")
    second = hand_made("lb2", conf, made.K3S_HAPROXY, links("enp1s0 10.20.0.12/24"))
    assert valid(adopt_all([first, second]))["nodes"]["lb2"]["interfaces"] == {"lan": "enp1s0"}


def test_a_peer_that_was_not_named_is_told_of() -> None:
    """It would hold the VIPs besides."""
    machines = seed_pair()
    text = machines[0].sources["keepalived"].file("/etc/keepalived/keepalived.conf") or ""
    machines[0].sources["keepalived"].found["/etc/keepalived/keepalived.conf"] = {
        "/etc/keepalived/keepalived.conf": text.replace("192.168.1.12\n", "192.168.1.12\n        192.168.1.13\n")
    }
    assert told(adopt_all(machines), "192.168.1.13")[0] == "ends"


def reading(machine: Machine, argv: str, files: dict[str, str]) -> Machine:
    """The node, whose haproxy was started so."""
    sources = Sources({path: {path: text} for path, text in files.items()})
    running = {**machine.running, "haproxy": Running(tuple(argv.split()), "")}
    return replace(machine, running=running, sources={**machine.sources, "haproxy": sources})


def test_what_haproxy_reads_besides_stays_and_is_no_frontend() -> None:
    """Or its port would be open twice."""
    files = {"/etc/haproxy/haproxy.cfg": made.K3S_HAPROXY, "/etc/haproxy/conf.d/*.cfg": INGRESS}
    argv = "haproxy -Ws -f /etc/haproxy/haproxy.cfg -f /etc/haproxy/conf.d"
    found = adopt_all([reading(each, argv, files) for each in pair_of(made.K3S_KEEPALIVED, "")])
    assert list(valid(found)["frontends"]) == ["k3s-frontend"]
    assert told(found, "frontend ingress-https")[0] == "kept"


def test_a_server_by_name_has_its_address_and_that_is_told() -> None:
    haproxy = made.K3S_HAPROXY.replace("10.20.0.22:6443", "cp2.example.org:6443")
    machines = pair_of(made.K3S_KEEPALIVED, haproxy)
    for each in machines:
        each.names.add({"cp2.example.org": ip_address("10.20.0.22")})
    found = adopt_all(machines)
    assert valid(found)["frontends"]["k3s-frontend"]["servers"]["server-2"] == "10.20.0.22"
    assert told(found, "server server-2 cp2.example.org:6443 check") == (
        "changes",
        "frontends.k3s-frontend.servers.server-2; "
        "cp2.example.org is 10.20.0.22 for lb1 at present, which hosts.toml has",
    )


def test_a_daemon_that_reads_another_file_is_told_of() -> None:
    """What it reads is adopted all the same."""
    files = {"/etc/haproxy/site.cfg": made.K3S_HAPROXY}
    argv = "haproxy -Ws -f /etc/haproxy/site.cfg"
    found = adopt_all([reading(each, argv, files) for each in pair_of(made.K3S_KEEPALIVED, "")])
    assert list(valid(found)["frontends"]) == ["k3s-frontend"]
    assert any("haproxy reads /etc/haproxy/site.cfg; lbdeploy writes" in each for each in found.notes)


@pytest.mark.parametrize(
    ("keepalived", "haproxy", "message"),
    [
        ("", made.K3S_HAPROXY, "keepalived.conf is not there, or is empty"),
        ("global_defs {\n}\n", made.K3S_HAPROXY, "has no vrrp_instance with VIPs"),
        (made.K3S_KEEPALIVED, "", "has no section that listens"),
        (made.K3S_KEEPALIVED, "listen a\n bind *:80\n mode http\n server b 10.20.0.21:80", "listen a: mode http"),
        (made.K3S_KEEPALIVED.replace("eth0", "eth7"), made.K3S_HAPROXY, "no address of its own on eth7"),
        ("# Written by lbdeploy for lb1\n" + made.K3S_KEEPALIVED, made.K3S_HAPROXY, "nobody built this pair by hand"),
    ],
)
def test_what_can_not_be_adopted_at_all_says_why(keepalived: str, haproxy: str, message: str) -> None:
    """With the node, what was written, and what to do."""
    with pytest.raises(RemoteError) as caught:
        adopt_all(pair_of(keepalived, haproxy))
    assert message in caught.value.message
    assert (caught.value.state or "").startswith("nothing was written")
    assert caught.value.fix


@example(
    priorities=(1, 1),
    router_id=1,
    advert="1",
    delay="",
    vips=[20],
    prefix="/24",
    ports=[1000],
    servers=[30],
    time="50",
    options="check",
)
@given(
    priorities=st.tuples(st.integers(1, 255), st.integers(1, 255)),
    router_id=st.integers(1, 255),
    advert=st.sampled_from(["1", "0.5", "3", "255"]),
    delay=st.sampled_from(["", "preempt_delay 30", "preempt_delay 0", "nopreempt", "preempt_delay 5000"]),
    vips=st.lists(st.integers(20, 250), min_size=1, max_size=4, unique=True),
    prefix=st.sampled_from(["/24", "", "/32", "/16"]),
    ports=st.lists(st.integers(1000, 9999), min_size=1, max_size=3, unique=True),
    servers=st.lists(st.integers(20, 250), min_size=1, max_size=4),
    time=st.sampled_from(["50", "50s", "1d", "100d", "1ms", "0"]),
    options=st.sampled_from(["check", "check inter 500ms rise 200", "", "check weight 300 maxconn 5", "check backup"]),
)
def test_every_pair_that_is_adopted_is_a_valid_hosts_toml(
    priorities: tuple[int, int],
    router_id: int,
    advert: str,
    delay: str,
    vips: list[int],
    prefix: str,
    ports: list[int],
    servers: list[int],
    time: str,
    options: str,
) -> None:
    """Whatever the numbers: bounds and uniqueness hold, and no VIP, port or server is lost."""
    listed = "\n".join(f"        10.20.1.{each}{prefix}" for each in vips)
    conf = (
        f"vrrp_instance A {{\n interface eth0\n virtual_router_id {router_id}\n priority PRIORITY\n"
        f" advert_int {advert}\n {delay}\n virtual_ipaddress {{\n{listed}\n }}\n}}\n"
    )
    binds = "\n".join(f" bind :{port}" for port in ports)
    # The same address and port twice is one server.
    lines = "\n".join(f" server s{n} 10.20.1.{each}:6443 {options}" for n, each in enumerate(servers))
    first = f" server first 10.20.2.1:6443 check\ndefaults\n timeout client {time}\n"
    haproxy = f"listen a\n{binds}\n{lines}\n{first}"
    machines = [
        hand_made(f"lb{n}", conf.replace("PRIORITY", str(priority)), haproxy, links(f"eth0 10.20.1.{n}/24"))
        for n, priority in enumerate(priorities, 1)
    ]
    if set(vips) & set(servers) or prefix == "/16":
        return  # a server that is a VIP is a mistake that `check` tells of
    wrote = valid(adopt_all(machines))
    kept = wrote["networks"]["lan"]["vip"]
    assert len([kept] if isinstance(kept, str) else kept) == len(vips)
    assert sorted(each["port"] for each in wrote["frontends"].values()) == sorted(ports)
    assert all(len(each["servers"]) == len(set(servers)) + 1 for each in wrote["frontends"].values())
