"""What is found offline in the configuration that would be written: each rule, on a bad text and on the good one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from builders import BIG, SEED, cluster

from lbdeploy.config.model import Cluster
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF, files
from lbdeploy.planning.lint.lint import Lint, lint
from lbdeploy.planning.render import shipped

GOOD = SEED.read_text()


def built_in(name: str) -> str:
    return (shipped("templates") / f"{name}.j2").read_text()


def lints(folder: Path, template: str, text: str) -> list[Lint]:
    """What is found on the preferred node, with a template of the operator's own."""
    (folder / "templates").mkdir()
    (folder / "templates" / f"{template}.j2").write_text(text)
    found = lint(cluster(folder, GOOD))
    by_node = {node: [each for each in found if each.node == node] for node in ("lb1", "lb2")}
    assert [each.fix for each in by_node["lb1"]] == [each.fix for each in by_node["lb2"]]
    return by_node["lb1"]


def line_of(part: str, text: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_sample_file_has_nothing_to_find(seed: Cluster) -> None:
    """The built-in templates pass with the sample file."""
    assert lint(seed) == []


def test_a_file_with_everything_has_nothing_to_find(tmp_path: Path) -> None:
    """The built-in templates pass with every setting away from its default, too."""
    made = cluster(tmp_path, BIG)
    for file in (made.ssh.identity_file, made.ssh.known_hosts_file):
        assert file
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert lint(made) == []


def test_ssh_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    """Each by its path: a key, unless the agent has it and its public half is there, and a known_hosts file."""
    named = 'identity_file = "keys/id"\nknown_hosts_file = "known"\n[networks.external]'
    made = cluster(tmp_path, GOOD.replace("[networks.external]", named))
    assert [each.message for each in lint(made)] == [
        f"ssh.identity_file: {tmp_path}/keys/id is not there",
        f"ssh.known_hosts_file: {tmp_path}/known is not there",
    ]
    (tmp_path / "keys").mkdir()
    for name in ("keys/id.pub", "known"):
        (tmp_path / name).touch()
    assert lint(made) == []


KEEPALIVED = {
    "pidof": (
        'script "{{ paths.check_haproxy }}"',
        'script "pidof haproxy"',
        ("error", "pidof never succeeds", "check-haproxy"),
        "script",
    ),
    "state MASTER with a delay": (
        "state {{ state }}",
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
        "        check_haproxy\n{% for",
        "        check_haproxy\n        chk_haproxy weight 2\n{% for",
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
        "virtual_router_id {{ vrrp.router_id }}",
        "virtual_router_id 51",
        ("warning", "virtual_router_id is 51, and hosts.toml says 101", "{{ vrrp.router_id }}"),
        "virtual_router_id",
    ),
    "another priority": (
        "    priority {{ node.priority }}",
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
        "{% for peer in peers %}\n        {{ peer.addresses[vrrp.network] }}\n{% endfor %}",
        "",
        ("error", "an empty unicast_peer list means multicast", "name the peers"),
        "unicast_peer",
    ),
    "only a peer that is commented out": (
        "{% for peer in peers %}\n        {{ peer.addresses[vrrp.network] }}\n{% endfor %}",
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
        "    priority {{ node.priority }}\n",
        "    priority {{ node.priority }}\n    authentication {\n        auth_pass 123456789\n    }\n",
        ("error", "auth_pass is longer than 8 characters", "8 characters; or none"),
        "auth_pass",
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
        ("error", "has 9 opening and 10 closing braces", "check its template"),
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


def text_of(folder: Path, path: str) -> str:
    found = cluster(folder, GOOD)
    return next(file.content for file in files(found, found.preferred) if file.path == path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("global_defs {", "# pidof, state MASTER, advert_int 0.5 and { are no concern in a comment\nglobal_defs {"),
        ("global_defs {", '! script "pidof haproxy" }\nglobal_defs {'),
        ("track_interface {", "track_interface {\n        # not ens32: it is VRRP's own\n"),
        ("state {{ state }}", "state MASTER\n    preempt_delay 0\n#"),
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
        text = text.replace("    preempt_delay {{ vrrp.preempt_delay | number }}\n", "")
    assert text.count(old) == 1
    assert lints(tmp_path, "keepalived.conf", text.replace(old, new)) == []


def test_state_master_without_preemption_is_found(tmp_path: Path) -> None:
    """keepalived drops nopreempt there, as it does the delay, and its validator objects."""
    text = built_in("keepalived.conf").replace("    state {{ state }}\n", "    state MASTER\n    nopreempt\n")
    (found,) = lints(tmp_path, "keepalived.conf", re.sub(r"    preempt_delay .*\n", "", text))
    assert found.message.startswith("state MASTER with nopreempt: keepalived -t refuses it")


def two_sections(backend: str = "{{ frontend.name }}") -> str:
    """haproxy.cfg with a frontend and a backend each, as lbdeploy itself wrote it before."""
    start = f"    default_backend {backend}\n\nbackend {backend}\n    balance {{{{"
    return built_in("haproxy.cfg").replace("\nlisten ", "\nfrontend ").replace("    balance {{", start)


def test_a_frontend_and_a_backend_of_one_name_are_found(tmp_path: Path) -> None:
    """They work with haproxy before 3.2, which warns of them: and the node's validator lets no warning pass."""
    (found,) = lints(tmp_path, "haproxy.cfg", two_sections())
    assert (found.severity, found.fix) == ("warning", "make them one section: listen k8s-api")
    assert found.message == "frontend and backend k8s-api have one name: haproxy 3.2 warns of it, and is refused then"
    assert "backend k8s-api" in text_of(tmp_path, HAPROXY_CFG).splitlines()[(found.line or 0) - 1]


def test_servers_in_a_section_of_another_name_are_found(tmp_path: Path) -> None:
    """lbdeploy looks for a frontend's servers by its name."""
    (found,) = lints(tmp_path, "haproxy.cfg", two_sections("{{ frontend.name }}-servers"))
    assert (found.severity, found.fix) == ("error", "give the servers a section: listen k8s-api")
    assert found.message.startswith("no section listen k8s-api or backend k8s-api: nobody could say")


def test_tcplog_in_a_backend_is_found(tmp_path: Path) -> None:
    """haproxy ignores `option tcplog` in a backend, with a warning; elsewhere it is right."""
    more = "\nbackend more\n    option tcplog\n    balance {{ cluster.frontends[0].balance }}\n"
    text = built_in("haproxy.cfg") + more
    (found,) = lints(tmp_path, "haproxy.cfg", text)
    assert (found.severity, found.file) == ("warning", "/etc/haproxy/haproxy.cfg")
    assert found.message == "option tcplog has no effect in a backend"


@pytest.mark.parametrize(
    ("old", "new", "severity", "message"),
    [
        (" level admin", "", "error", "has no stats socket /run/haproxy/admin.sock of level admin"),
        ("    bind unix@", "    # bind unix@", "warning", "frontend k8s-api is not bound to /run/haproxy/k8s-api.sock"),
    ],
)
def test_what_lbdeploy_asks_haproxy_by_is_missed(
    tmp_path: Path, old: str, new: str, severity: str, message: str
) -> None:
    """Without its sockets, nobody could say whether servers are up, or whether a standby serves."""
    (found,) = lints(tmp_path, "haproxy.cfg", built_in("haproxy.cfg").replace(old, new))
    assert (found.severity, found.message[: len(message)]) == (severity, message)


def test_a_last_line_without_a_newline_is_found(tmp_path: Path) -> None:
    """haproxy refuses a file whose last line has no end; the finding names that line."""
    text = built_in("haproxy.cfg") + "# end"
    (found,) = lints(tmp_path, "haproxy.cfg", text)
    assert (found.severity, found.message[:30]) == ("error", "the last line has no newline, ")
    assert found.line is not None


@pytest.mark.parametrize("name", ["haproxy.cfg", "keepalived.conf", "check-haproxy.sh", "sysctl.conf"])
@pytest.mark.parametrize("text", ["", "  \n\n"])
def test_an_empty_file_is_found(tmp_path: Path, name: str, text: str) -> None:
    """The validators accept an empty file, so it is found here."""
    (found,) = lints(tmp_path, name, text)
    assert (found.severity, found.message) == ("error", "is empty, which the validators accept")


def test_a_template_that_replaces_nothing_is_found(tmp_path: Path) -> None:
    """A template whose name is none of the built-in ones would be without effect."""
    (tmp_path / "templates").mkdir()
    for name in ("haproxy.conf.j2", "notes.txt"):
        (tmp_path / "templates" / name).write_text("# mine\n")
    (found,) = lint(cluster(tmp_path, GOOD))
    assert (found.severity, found.node, found.file) == ("warning", None, f"{tmp_path}/templates/haproxy.conf.j2")
    assert "replaces no built-in template" in found.message


def test_a_file_that_lacks_its_ending_is_found(tmp_path: Path) -> None:
    """What is called like the file on the node replaces nothing: only what ends in .j2 is a template."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "keepalived.conf").write_text("# mine\n")
    (found,) = lint(cluster(tmp_path, GOOD))
    assert (found.severity, found.file) == ("warning", f"{tmp_path}/templates/keepalived.conf")
    assert (found.message, found.fix) == ("is not used: templates end in .j2", "call it keepalived.conf.j2")


def test_what_a_template_includes_is_used(tmp_path: Path) -> None:
    """Parts of templates have names of their own; what only an unused one includes is not used, either."""
    (tmp_path / "templates").mkdir()
    texts = {
        "sysctl.conf": '{% include "a.j2" %}x = 1\n',
        "a": '{% include "b.j2" %}',
        "b": "",
        "c": '{% include "d.j2" %}',
        "d": "",
    }
    for name, text in texts.items():
        (tmp_path / "templates" / f"{name}.j2").write_text(text)
    assert [Path(each.file).name for each in lint(cluster(tmp_path, GOOD))] == ["c.j2", "d.j2"]


def test_servers_that_are_checked_more_slowly_than_nodes_are_warned_of(tmp_path: Path) -> None:
    """Adverts several times a second are of little use where a dead server is seen after 11 s. The advice is sound."""
    quick = GOOD.replace("advert_interval = 1", "advert_interval = 0.1")
    (found,) = lint(cluster(tmp_path, quick))
    assert found.severity == "warning"
    assert found.message.startswith("frontends.k8s-api: haproxy may take 11 s to see that a server is gone")
    assert "keepalived 1.3 s for a node" in found.message
    advice = found.fix.partition(": ")[2].replace(", ", "\n")
    assert advice == "interval = 0.8\nfast_interval = 0.4\nfall = 2"
    assert lint(cluster(tmp_path, quick.replace("interval = 10", advice).replace("\nfall = 2\n[", "\n["))) == []


def test_the_seeds_initial_state_is_warned_of(tmp_path: Path) -> None:
    """With state MASTER the delay that the seed wants is lost: said of the setting, and it is not written."""
    (found,) = lint(cluster(tmp_path, GOOD.replace("router_id", 'initial_state = "MASTER"\nrouter_id')))
    assert (found.severity, found.node, found.file) == ("warning", None, str(tmp_path / "hosts.toml"))
    assert "loses preempt_delay" in found.message


def test_the_initial_state_without_a_delay_is_fine(tmp_path: Path) -> None:
    """There is nothing to be lost where no delay is set."""
    text = GOOD.replace("preempt_delay = 30", 'preempt_delay = 0\ninitial_state = "MASTER"')
    assert lint(cluster(tmp_path, text)) == []


@pytest.mark.parametrize("side", ["client", "server"])
def test_timeouts_that_cut_watches_are_warned_of(tmp_path: Path, side: str) -> None:
    """The seed's 50 s would cut kubectl logs -f, exec and watches; ten minutes are let pass."""
    short = lint(cluster(tmp_path, GOOD.replace("port = 6443", f"port = 6443\n{side}_timeout = 50")))
    assert [each.message for each in short] == [
        f"frontends.k8s-api.{side}_timeout of 50 s cuts off kubectl logs -f, exec and watches"
    ]
    assert lint(cluster(tmp_path, GOOD.replace("port = 6443", f"port = 6443\n{side}_timeout = 600"))) == []


def test_a_finding_as_json_has_the_parts_of_the_contract(tmp_path: Path) -> None:
    """A finding says how bad it is, where it is, what it is and what would be right."""
    (found,) = lints(tmp_path, "haproxy.cfg", built_in("haproxy.cfg") + "# end")
    assert found.to_json() == {
        "severity": "error",
        "node": "lb1",
        "file": "/etc/haproxy/haproxy.cfg",
        "line": found.line,
        "message": found.message,
        "fix": found.fix,
    }
