"""Templates of the operator's own: what docs/howto/templates.md says of them, and what is said of the procedure's."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from builders import BIG, SEED, cluster
from goldens import nodes

from lbdeploy.config.model import Cluster, Node
from lbdeploy.planning import desired
from lbdeploy.planning.lint.lint import lint
from lbdeploy.planning.render import render

TOP = Path(__file__).parents[3]
PAGE = (TOP / "docs/howto/templates.md").read_text(encoding="utf-8")
EVERYTHING = BIG.replace('name = "prod.eu-1"', 'name = "prod.eu-1"\nfirewall = "nftables"') + (
    '[packages]\nhaproxy = "2.6.*"\napt_proxy = "http://10.0.0.5:3142"\n'
    '[packages.repositories.more]\nuri = "http://10.0.0.5/debian"\nsuite = "./"\n'
)

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


def test_the_page_names_what_templates_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name that is given to a template is in the table, and none besides; so are the filters."""
    given: dict[str, set[str]] = defaultdict(set)

    def noted(of: Cluster, node: Node, template: str, **values: Any) -> str:
        given[template] |= values.keys()
        return render(of, node, template, **values)

    monkeypatch.setattr(desired, "render", noted)
    of = cluster(tmp_path, EVERYTHING)
    desired.files(of, of.preferred)
    assert {f"{name}.j2" for name in given} == {path.name for path in (TOP / "templates").iterdir()}
    told: dict[str, set[str]] = defaultdict(set)
    for template, name in re.findall(r"^\| ([\w.-]+) \| `(\w+)` \|", PAGE, re.MULTILINE):
        told[template].add(name)
    assert told == {template: names for template, names in given.items() if names}
    for name in ("number", "duration", "endpoint"):
        assert f"`{name}`" in PAGE


def test_the_example_is_one(tmp_path: Path) -> None:
    """It renders, and nothing is wrong with it."""
    (tmp_path / "templates").mkdir()
    example = re.search(r"^```jinja\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert example
    (tmp_path / "templates" / "sysctl.conf.j2").write_text(example[1])
    of = cluster(tmp_path, SEED.read_text())
    assert lint(of) == []
    (text,) = (each.content for each in desired.files(of, of.preferred) if each.path == desired.SYSCTL_CONF)
    assert text == "# k8s-api, lb1\nnet.ipv4.ip_nonlocal_bind = 1\nnet.ipv4.tcp_keepalive_time = 600\n"


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
    ]


def test_seven_nodes(tmp_path: Path) -> None:
    """Each has all the others for peers, in order of priority, and none itself."""
    of = cluster(tmp_path, nodes(7))
    assert [node.name for node in of.nodes] == [f"n{n}" for n in range(7, 0, -1)]
    for node in of.nodes:
        conf = next(each.content for each in desired.files(of, node) if each.path == desired.KEEPALIVED_CONF)
        listed = re.search(r"unicast_peer \{([^}]*)\}", conf)
        assert listed
        assert listed[1].split() == [str(peer.addresses["management"]) for peer in of.nodes if peer is not node]
        assert f"priority {node.priority}\n" in conf
    assert lint(of) == []
