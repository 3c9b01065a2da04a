"""What is found offline in the configuration that would be written: each rule, on a bad text and on the good one."""

from __future__ import annotations

from pathlib import Path

from builders import BIG, SEED, cluster
from goldens import READY
from linted import built_in, lints

from lbdeploy.config.model import Cluster
from lbdeploy.planning.lint.lint import lint


def test_the_sample_file_has_nothing_to_find(seed: Cluster) -> None:
    """The built-in templates pass with the sample file, but for the check that the seed writes."""
    (found,) = lint(seed)
    assert found.message.startswith('frontends.k8s-api.check = "tcp" takes a kube-apiserver (port 6443) for healthy')
    assert lint(seed, asked=True) == []


def test_a_file_with_everything_has_nothing_to_find(tmp_path: Path) -> None:
    """The built-in templates pass with every setting away from its default, too."""
    made = cluster(tmp_path, BIG)
    for file in (made.ssh.identity_file, made.ssh.known_hosts_file):
        assert file
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert lint(made) == []


def test_a_template_that_replaces_nothing_is_found(tmp_path: Path) -> None:
    """A template whose name is none of the built-in ones would be without effect."""
    (tmp_path / "templates").mkdir()
    for name in ("haproxy.conf.j2", "notes.txt"):
        (tmp_path / "templates" / name).write_text("# mine\n")
    (found,) = lint(cluster(tmp_path, READY))
    assert (found.severity, found.node, found.file) == ("warning", None, f"{tmp_path}/templates/haproxy.conf.j2")
    assert "replaces no built-in template" in found.message


def test_a_file_that_lacks_its_ending_is_found(tmp_path: Path) -> None:
    """What is called like the file on the node replaces nothing: only what ends in .j2 is a template."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "keepalived.conf").write_text("# mine\n")
    (found,) = lint(cluster(tmp_path, READY))
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
    assert [Path(each.file).name for each in lint(cluster(tmp_path, READY))] == ["c.j2", "d.j2"]


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


# As the procedure has it (a master's keepalived.conf), with addresses in place of the example's.
PROCEDURE = """\
vrrp_script chk_haproxy {
    script "pidof haproxy"
    interval 1
}
vrrp_instance VI_K8S {
    state MASTER
    interface {{ node.interfaces[vrrp.network] }}
    track_interface {
        {{ node.interfaces[vrrp.network] }}
        ens33
    }
    track_script {
        chk_haproxy
    }
    unicast_src_ip {{ node.addresses[vrrp.network] }}
    track_src_ip
    unicast_peer {
{% for peer in peers %}
        {{ peer.addresses[vrrp.network] }}
{% endfor %}
    }
    virtual_router_id {{ vrrp.router_id }}
    priority {{ node.priority }}
    advert_int {{ vrrp.advert_interval | number }}
    virtual_ipaddress {
        192.168.0.10/24 dev ens33
        192.168.1.10/24 dev ens32
    }
    preempt_delay 30
}
"""


def test_all_that_is_wrong_with_the_procedures_file_is_told(tmp_path: Path) -> None:
    """It does not work on today's systems: each reason, with what would be right."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "keepalived.conf.j2").write_text(PROCEDURE)
    found = [each for each in lint(cluster(tmp_path, SEED.read_text())) if each.node == "lb1"]
    assert [(each.severity, each.message.partition(":")[0]) for each in found] == [
        ("error", "pidof never succeeds"),
        ("error", "state MASTER with preempt_delay"),
        ("error", "ens32 is VRRP's own interface"),
        ("error", "a script without script security"),
        ("warning", "does not track /run/lbdeploy-handover"),
        ("warning", "adverts of any host count, and can take the VIPs away"),
        ("warning", "does not check the node's own address"),
    ]
