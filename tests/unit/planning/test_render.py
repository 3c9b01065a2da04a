"""What would lie on each node: the rendered files of several clusters, and templates of the operator's own."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, SEED, captured, cluster
from clusters import haproxy_cfg, with_firewall, with_options
from goldens import ALL, BEYOND, GOOD, RICH, SCRIPT, VARIANTS, beside, load, nodes
from syrupy.assertion import SnapshotAssertion

from lbdeploy.config import reader
from lbdeploy.config.model import Cluster
from lbdeploy.config.schema import FrontendTable
from lbdeploy.errors import RenderError
from lbdeploy.node import network_listener
from lbdeploy.operations.doctor.firewall.firewall import opening, shuts_out
from lbdeploy.operations.doctor.firewall.packet_filter import Packet
from lbdeploy.planning.desired import (
    CHECK_HAPROXY,
    FIREWALL,
    HAPROXY_CFG,
    KEEPALIVED_CONF,
    SYSCTL_CONF,
    TICKLE_CLIENTS,
    files,
)
from lbdeploy.planning.lint.lint import lint
from lbdeploy.planning.render import duration, endpoint, number


def rendered(cluster: Cluster, node: str) -> dict[str, str]:
    return {file.path: file.content for file in files(cluster, cluster.node(node))}


def document(cluster: Cluster, node: str) -> str:
    """Every file of a node with its path and mode, in the order in which they are put in place.

    One of them is the same everywhere, and as long as all others together.
    """
    each = (
        (file, "..." if file.path == TICKLE_CLIENTS else file.content) for file in files(cluster, cluster.node(node))
    )
    return "\n".join(f"==> {file.path} 0{file.mode} <==\n{content}" for file, content in each)


def own_template(folder: Path, name: str, text: str) -> Cluster:
    """The sample cluster, with a template of the operator's own beside its file."""
    (folder / "templates").mkdir()
    (folder / "templates" / name).write_text(text, encoding="utf-8")
    return cluster(folder, GOOD)


@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_the_files_of_the_seeds_pair(seed: Cluster, node: str, snapshot: SnapshotAssertion) -> None:
    """The sample's pair gets the files that do what the procedure describes."""
    assert document(seed, node) == snapshot


@pytest.mark.parametrize("node", ["lb-a", "lb-b", "lb-c"])
def test_the_files_of_three_nodes_with_everything(tmp_path: Path, node: str, snapshot: SnapshotAssertion) -> None:
    """Three nodes, both families, two frontends, every setting away from its default."""
    assert document(cluster(tmp_path, BIG), node) == snapshot


@pytest.mark.parametrize("name", BEYOND)
def test_the_files_of_clusters_beyond_the_seeds_pair(tmp_path: Path, name: str, snapshot: SnapshotAssertion) -> None:
    """IPv6 alone and to its group, VIPs of every prefix length, and as many nodes as there may be."""
    found = load(tmp_path, name)
    assert document(found, found.preferred.name) == snapshot


@pytest.mark.parametrize(("old", "new"), VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_keepalived_conf_follows_the_settings(
    tmp_path: Path, node: str, old: str, new: str, snapshot: SnapshotAssertion
) -> None:
    """Each setting changes what it is about in keepalived.conf, and nothing else."""
    before = rendered(reader.load(SEED), node)[KEEPALIVED_CONF].splitlines()
    after = rendered(cluster(tmp_path, GOOD.replace(old, new)), node)[KEEPALIVED_CONF].splitlines()
    assert {"gone": [x for x in before if x not in after], "new": [x for x in after if x not in before]} == snapshot


def test_an_interface_of_two_networks_is_tracked_once(tmp_path: Path) -> None:
    """keepalived is told of each interface once, however many networks are on it."""
    more = GOOD.replace("[nodes.lb1]", '[networks.more]\ninterface = "ens33"\n[nodes.lb1]')
    for last in ("11", "12"):
        more = more.replace(f'external = "192.168.0.{last}"', f'external = "192.168.0.{last}"\nmore = "10.1.1.{last}"')
    text = rendered(cluster(tmp_path, more), "lb1")[KEEPALIVED_CONF]
    assert text.split("track_interface {")[1].split("}")[0].split() == ["ens33"]


def test_every_nodes_peers_are_all_the_others(tmp_path: Path) -> None:
    """Adverts go to every other node, and come from the node's own address."""
    found = cluster(tmp_path, BIG)
    addresses = {node.name: str(node.addresses["back"]) for node in found.nodes}
    for name, own in addresses.items():
        text = rendered(found, name)[KEEPALIVED_CONF]
        peers = re.findall(r"^ +(\S+) min_ttl 255 max_ttl 255$", text, re.MULTILINE)
        assert set(peers) == set(addresses.values()) - {own}
        assert f"unicast_src_ip {own}\n" in text


def test_haproxy_is_the_same_on_every_node(tmp_path: Path) -> None:
    """But for what names the node, and its peers, haproxy.cfg does not depend on it: any node can take over."""
    found = cluster(tmp_path, BIG)
    texts = [rendered(found, node.name)[HAPROXY_CFG].partition("\n")[2] for node in found.nodes]
    own = r"    localpeer .*\n|peers lbdeploy\n(    (bind|server) .*\n)+|    bind .*:10647\n|    acl peer .*\n"
    assert len({re.sub(own, "", text) for text in texts}) == 1


def test_the_nodes_are_peers_under_their_names_of_hosts_toml(tmp_path: Path) -> None:
    """Each listens at its own address of the VRRP network, and connects to the others there."""
    found = cluster(tmp_path, BIG + "[haproxy]\npeers_port = 7000\n")
    text = rendered(found, "lb-a")[HAPROXY_CFG]
    assert "    localpeer lb-a\n" in text
    assert (
        "peers lbdeploy\n    bind [fd00:1::11]:7000\n    server lb-a\n    server lb-b [fd00:1::12]:7000\n"
        "    server lb-c [fd00:1::13]:7000\n"
    ) in text


def test_every_frontend_has_a_socket_of_its_node_alone(tmp_path: Path) -> None:
    """A node that holds no VIP is asked through it whether it would serve clients."""
    found = cluster(tmp_path, BIG)
    for node in found.nodes:
        text = rendered(found, node.name)[HAPROXY_CFG]
        assert re.findall(r"^    bind unix@(\S+) mode 600$", text, re.MULTILINE) == [
            "/run/haproxy/api.sock",
            "/run/haproxy/ingress.sock",
        ]


def test_the_check_script_is_valid_shell(seed: Cluster, tmp_path: Path) -> None:
    """The script that keepalived runs is accepted by sh, and may be executed."""
    (file,) = (file for file in files(seed, seed.preferred) if file.path == CHECK_HAPROXY)
    (tmp_path / "check").write_text(file.content)
    assert subprocess.run(["sh", "-n", tmp_path / "check"], check=False).returncode == 0
    assert file.mode == "755"


def test_an_own_template_replaces_the_built_in_one(tmp_path: Path) -> None:
    """A template beside hosts.toml is used instead of the built-in one of its name; the others stay."""
    found = own_template(tmp_path, "haproxy.cfg.j2", "# {{ cluster.name }} {{ node.name }} {{ peers[0].name }}\n")
    now, before = rendered(found, "lb1"), rendered(reader.load(SEED), "lb1")
    assert now.pop(HAPROXY_CFG) == "# k8s-api lb1 lb2\n"
    assert now.items() <= before.items()


def test_an_own_template_may_include_another(tmp_path: Path) -> None:
    """An operator's template may include the built-in one that it does not replace, and its own ones."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/extra.j2").write_text("# {{ node.name }}\n")
    (tmp_path / "templates/sysctl.conf.j2").write_text('{% include "extra.j2" %}kernel.panic = 1\n')
    assert rendered(cluster(tmp_path, GOOD), "lb2")[SYSCTL_CONF] == "# lb2\nkernel.panic = 1\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\nb {{ cluster.nmae }}\n", 2, "has no attribute 'nmae'"),
        ("{{ nodes }}\n", 1, "'nodes' is undefined"),
        ("a\n\n{{ undefined_thing }}\n", 3, "'undefined_thing' is undefined"),
        ("a\n{% for vip in cluster.vips %}\nx\n", 3, "Unexpected end of template"),
        ("a\n{{ }}\n", 2, "Expected an expression"),
        ("a\n{{ 1 | nosuch }}\n", 2, "No filter named 'nosuch'"),
        ("a\n{{ node.priority | duration + 'x' * node }}\n", 2, "can't multiply"),
        ("a\n{{ node.name.missing.more }}\n", 2, "has no attribute 'missing'"),
        ("a\n{{ 1 / 0 }}\n", 2, "division by zero"),
    ],
)
def test_a_template_that_fails_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    """A mistake in a template names its file, its line, what is wrong, and ends before anything is contacted."""
    found = own_template(tmp_path, "haproxy.cfg.j2", text)
    with pytest.raises(RenderError) as caught:
        files(found, found.node("lb2"))
    assert caught.value.message.startswith(f"{tmp_path}/templates/haproxy.cfg.j2:{line}: ")
    assert message in caught.value.message
    assert caught.value.node == "lb2"
    assert str(tmp_path / "templates/haproxy.cfg.j2") in (caught.value.fix or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{% include "none.j2" %}\n'])
def test_a_template_that_can_not_be_read_names_its_file(tmp_path: Path, content: bytes) -> None:
    """A template that is no text, or includes one that is not there, is an error that names it."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/keepalived.conf.j2").write_bytes(content)
    found = cluster(tmp_path, GOOD)
    with pytest.raises(RenderError, match=r"templates/keepalived\.conf\.j2"):
        files(found, found.preferred)


def test_a_mistake_in_an_included_template_is_told_where_it_is(tmp_path: Path) -> None:
    """The file that is named is the one with the mistake, not the one that includes it."""
    found = own_template(tmp_path, "sysctl.conf.j2", 'a\n{% include "part.j2" %}\n')
    for text in ("a\nb\n{{ nothing }}\n", "a\nb\n{{ }}\n"):
        (tmp_path / "templates/part.j2").write_text(text)
        with pytest.raises(RenderError, match=r"templates/part\.j2:3: "):
            files(found, found.preferred)


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.25, "0.25"), (100, "100"), (0.0, "0"), (1000.0, "1000"), (0.1 + 0.2, "0.3")]
)
def test_numbers_are_written_without_needless_decimals(value: float, text: str) -> None:
    """keepalived reads 1 and 0.25, and not 1e3."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (0.25, "250ms"), (1.5, "1500ms"), (14400.0, "14400s"), (0.1, "100ms")]
)
def test_durations_are_written_as_haproxy_reads_them(seconds: float, text: str) -> None:
    """Whole seconds, or milliseconds: haproxy knows no fractions."""
    assert duration(seconds) == text


def test_ipv6_endpoints_stand_in_brackets() -> None:
    """The port of an IPv6 address can't be taken for its last group."""
    assert endpoint((ip_address("fd00::1"), 6443)) == "[fd00::1]:6443"
    assert endpoint((ip_address("10.0.0.1"), 6443)) == "10.0.0.1:6443"


def test_seven_nodes(tmp_path: Path) -> None:
    """Each has all the others for peers, in order of priority, and none itself."""
    of = cluster(tmp_path, nodes(7).replace('check = "tcp"', 'check = "https"'))
    assert [node.name for node in of.nodes] == [f"n{n}" for n in range(7, 0, -1)]
    for node in of.nodes:
        conf = next(each.content for each in files(of, node) if each.path == KEEPALIVED_CONF)
        assert re.findall(r"^ +(\S+) min_ttl 255 max_ttl 255$", conf, re.MULTILINE) == [
            str(peer.addresses["management"]) for peer in of.nodes if peer is not node
        ]
        assert f"priority {node.priority}\n" in conf
    assert lint(of) == []


def test_metrics_may_have_a_frontends_port(ca_folder: Path) -> None:
    """They are on the node's own address, where no frontend is."""
    text = haproxy_cfg(cluster(ca_folder, RICH.replace("[metrics]", "[metrics]\nport = 443")))
    binds = re.findall(r"bind (\S+:443)$", text, re.MULTILINE)
    assert binds == ["192.168.0.10:443", "192.168.1.10:443", "192.168.1.11:443"]


@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_haproxy_cfg_with_everything(rich: Cluster, node: str, snapshot: SnapshotAssertion) -> None:
    """All of it in one file; the nodes' files differ by their names and by where the metrics are to be had."""
    assert haproxy_cfg(rich, node) == snapshot


@pytest.mark.parametrize("node", ["lb1", "lb2"])
def test_every_option_has_its_place_in_keepalived_conf(tmp_path: Path, node: str, snapshot: SnapshotAssertion) -> None:
    """Scripts come as they are, executable, before the configuration that names them."""
    found = with_options(tmp_path)
    own = [each for each in files(found, found.node(node)) if each.path.startswith("/etc/keepalived/")]
    assert [(each.path, each.mode) for each in own] == [
        ("/etc/keepalived/check-haproxy", "755"),
        ("/etc/keepalived/check-address", "755"),
        ("/etc/keepalived/announce", "755"),
        ("/etc/keepalived/tickle-clients", "755"),
        ("/etc/keepalived/lbdeploy-track-route", "700"),
        ("/etc/keepalived/lbdeploy-notify", "700"),
        *((f"/etc/keepalived/lbdeploy-notify-{each}", "700") for each in ("master", "backup", "fault", "stop")),
        ("/etc/keepalived/lbdeploy-tell-state", "755"),
        ("/etc/keepalived/lbdeploy-deliver-state", "755"),
        (KEEPALIVED_CONF, "644"),
    ]
    assert {own[4].content, own[5].content} == {SCRIPT}
    assert own[-1].content == snapshot


def test_multicast_of_ipv6_has_its_own_source(tmp_path: Path) -> None:
    """No list of peers remains, and nodes are known by their addresses as before."""
    found = cluster(tmp_path, BIG.replace("router_id = 7", 'router_id = 7\nmode = "multicast"'))
    conf = next(file.content for file in files(found, found.node("lb-a")) if file.path == KEEPALIVED_CONF)
    assert "    mcast_src_ip fd00:1::11\n" in conf
    assert "unicast" not in conf
    hail = network_listener.programs(found, found.node("lb-b"))[1].rpartition("\n")[0]
    assert hail.endswith(" eth1 fd00:1::12 ff02::12")
    assert network_listener.group(ip_address("10.0.0.1")) == ip_address("224.0.0.18")


@pytest.mark.parametrize(("text", "node"), [(SEED.read_text(), "lb1"), (BIG, "lb-b")], ids=["pair", "three"])
def test_who_is_let_in(tmp_path: Path, text: str, node: str, snapshot: SnapshotAssertion) -> None:
    """SSH at its port, VRRP of the other nodes in their family, every frontend, and what is allowed besides."""
    found = cluster(tmp_path, with_firewall(text))
    rendered = {file.path: file.content for file in files(found, found.node(node))}
    assert {path: content for path, content in rendered.items() if "nft" in path or "firewall" in path} == snapshot


def test_metrics_are_let_in(tmp_path: Path) -> None:
    """At their port; who may ask is for haproxy to say."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()) + '[metrics]\nnetwork = "management"\nport = 8405\n')
    (file,) = (each for each in files(found, found.preferred) if each.path == FIREWALL)
    assert 'tcp dport 8405 accept comment "metrics"' in file.content


@pytest.mark.parametrize(("port", "said"), [("22", ""), ("6443", ""), ("2222", "2222"), ("644", "644")])
def test_the_port_of_sshd_must_be_let_in(tmp_path: Path, port: str, said: str) -> None:
    """The port of sshd's open connections is looked for among those of the rules; the operator's own is one."""
    found = cluster(tmp_path, with_firewall(SEED.read_text()))
    (file,) = (each for each in files(found, found.preferred) if each.path == FIREWALL)
    staged = tmp_path / "staged"
    staged.write_text(file.content)
    row = f'0 0 192.168.1.11:{port} 192.168.1.1:50000 users:(("sshd",pid=1,fd=4))'
    listens = f"LISTEN 0 128 0.0.0.0:{port} 0.0.0.0:*"
    other = '0 0 192.168.1.11:9999 192.168.1.1:50000 users:(("perl",pid=2,fd=4))'
    fakes = f"nft() {{ :; }}\nss() {{ printf '%s\\n' '{listens}' '{row}' '{other}'; }}\n"
    done = subprocess.run(
        ["sh", "-c", f"{fakes}{file.validate}", "x", staged], check=False, capture_output=True, text=True
    )
    assert (f"port {said}:" in done.stdout) if said else (done.stdout == "")


def said(name: str, packet: Packet) -> str | None:
    """What to type where a firewall, as it was captured on Debian 12, shuts a packet out."""
    culprit = shuts_out(captured(f"firewall/{name}").splitlines(), packet)
    return culprit and opening(culprit, packet)


def keys_that_change_a_file(found: Cluster, defaults: dict[str, object]) -> set[str]:
    """The keys of frontends that are not at their default, and without which a file would be another one."""
    node, changing = found.preferred.name, set()
    for frontend in found.frontends:
        for key in [key for key, default in defaults.items() if getattr(frontend, key) != default]:
            reset: dict[str, Any] = {key: defaults[key]}
            others = tuple(replace(each, **reset) if each is frontend else each for each in found.frontends)
            if rendered(replace(found, frontends=others), node) != rendered(found, node):
                changing.add(key)
    return changing


def test_each_key_of_a_frontend_changes_a_file(tmp_path: Path) -> None:
    """Of those with a default: a key that no template reads would be taken, and do nothing."""
    beside(tmp_path)
    defaults = {key: each.default for key, each in FrontendTable.model_fields.items() if not each.is_required()}
    defaults["check_ca"] = defaults.pop("check_ca_file")
    defaults["check_token"] = defaults.pop("check_token_file")
    assert len(defaults) > 10
    assert set().union(*(keys_that_change_a_file(load(tmp_path, name), defaults) for name in ALL)) == {*defaults}
