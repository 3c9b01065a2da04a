"""Templates of the operator's own on real nodes: the procedure's files, corrected as lint says."""

from __future__ import annotations

from pathlib import Path

from clients import traffic
from harness import TOP, VIPS, Lab, converge
from judges import objections

KEEPALIVED = """\
global_defs {
    enable_script_security
    script_user root
}
vrrp_script chk_haproxy {
    script "/usr/bin/pgrep -x haproxy"
    interval 1
}
track_file handover {
    file {{ paths.handover }}
    weight 1
    init_file 0
}
vrrp_instance {{ instance }} {
    state BACKUP
    interface {{ node.interfaces[vrrp.network] }}
    track_interface {
        ens33
    }
    track_script {
        chk_haproxy
    }
    track_file {
        handover weight 1
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
{% for vip in vips %}
        {{ vip.address }} dev {{ node.interfaces[vip.network] }}
{% endfor %}
    }
    preempt_delay {{ vrrp.preempt_delay | number }}
}
"""


def test_the_procedures_files_as_templates(pair: Lab) -> None:
    """Checked, planned, made and verified, while clients notice nothing; and the built-in ones again.

    Of haproxy.cfg, a frontend and a backend in two sections, as lbdeploy itself once wrote them.
    """
    folder = pair.file.parent / "templates"
    folder.mkdir()
    (folder / "keepalived.conf.j2").write_text(KEEPALIVED)
    built_in = (TOP / "templates" / "haproxy.cfg.j2").read_text()
    for old, new in (
        ("    daemon\n", "    daemon\n    maxconn 4000\n"),
        ("listen {{ frontend.name }}", "frontend {{ frontend.name }}"),
        ("    balance", "    default_backend {{ frontend.name }}\n\nbackend {{ frontend.name }}\n    balance"),
    ):
        assert built_in.count(old) == 1
        built_in = built_in.replace(old, new)
    (folder / "haproxy.cfg.j2").write_text(built_in)
    assert pair.lbdeploy("--json", "check").json["ok"]
    difference = pair.lbdeploy("render", "--diff").out
    assert "+    maxconn 4000" in difference
    assert "/usr/bin/pgrep" in difference
    assert "+backend k8s-api" in difference
    with traffic(pair, *VIPS) as seen:
        changes = pair.do("up")["changes"]
        for node in ("lb1", "lb2"):
            assert pair.on(node, "grep -c pgrep /etc/keepalived/keepalived.conf") == "1"
            assert "Maxconn: 4000" in pair.on(node, "echo 'show info' | socat - UNIX-CONNECT:/run/haproxy/admin.sock")
        assert pair.run("verify").code == 0
        for name in ("keepalived.conf.j2", "haproxy.cfg.j2"):
            (folder / name).unlink()
        pair.do("up")
    assert {each["action"] for each in changes} == {"update", "reload"}
    assert seen["failures"] == seen["broken"] == []


def test_golden_renderings_pass_the_nodes_own_validators(session_lab: Lab, tmp_path: Path) -> None:
    """haproxy, keepalived and nft take each of them without a word."""
    converge(session_lab)
    session_lab.on("lb2", "dpkg -s nftables > /dev/null 2>&1 || apt-get install --yes nftables")
    assert objections(session_lab, "lb2", tmp_path) == []
