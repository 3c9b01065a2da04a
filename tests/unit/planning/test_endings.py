"""What clients use on a node now, and what a change takes from them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from builders import LONG_AGO, as_by, cluster, observe, plans, stopped, survey
from goldens import GOOD

from lbdeploy.config.model import Cluster
from lbdeploy.errors import RemoteError
from lbdeploy.node.observation import Observation
from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.file import FileState
from lbdeploy.planning import endings
from lbdeploy.planning.desired import HAPROXY_CFG, KEEPALIVED_CONF
from lbdeploy.planning.plan import Strategy
from lbdeploy.planning.stages import staged

HAPROXY = """\
frontend api
    bind *:6443
    default_backend servers
backend servers
    server cp1 192.168.1.21:6443 check
frontend ingress
    bind *:443
"""
KEEPALIVED = """\
vrrp_instance VI_1 {
    virtual_router_id 51
    virtual_ipaddress {
        192.168.0.10/24
        192.168.1.10/24
    }
}
vrrp_instance EXTERNAL {
    virtual_ipaddress {
        192.168.0.77/24
    }
}
"""
RECORD = {"hosts": Answer(GOOD)}


def by_hand(seed: Cluster, haproxy: str = HAPROXY, keepalived: str = KEEPALIVED, **changes: object) -> Observation:
    """A node of a pair that somebody has set up without lbdeploy."""
    files = {HAPROXY_CFG: haproxy, KEEPALIVED_CONF: keepalived}
    states = {f"file {path}": FileState("file", "644", "root:root", LONG_AGO, text) for path, text in files.items()}
    return replace(observe(seed, seed.node("lb1"), holds=True, states=states), **changes)


def ends(seed: Cluster, seen: Observation) -> list[tuple[str, str]]:
    wanted = endings.wanted_files(plans(seed, seen)["lb1"])
    return [(each.subject, each.severity) for each in endings.findings(seen, wanted)]


def test_what_an_adopted_pair_serves_and_hosts_toml_lacks_is_a_problem(seed: Cluster) -> None:
    """Another port and another instance's VIP are named; what goes on is not."""
    assert ends(seed, by_hand(seed)) == [("192.168.0.77", "error"), ("port 443", "error")]


def test_on_a_node_that_lbdeploy_has_changed_it_is_a_warning(seed: Cluster) -> None:
    """hosts.toml is what the operator means."""
    assert ends(seed, by_hand(seed, marks=RECORD)) == [("192.168.0.77", "warning"), ("port 443", "warning")]


def test_what_a_link_leads_to_ends_too(seed: Cluster) -> None:
    """Configuration is often kept elsewhere, and daemons follow links."""
    seen = by_hand(seed)
    links = {
        f"file {path}": FileState("link", content=seen.states[f"file {path}"].content)
        for path in (KEEPALIVED_CONF, HAPROXY_CFG)
    }
    assert ends(seed, by_hand(seed, states=seen.states | links)) == ends(seed, seen)


def test_daemons_that_do_not_run_serve_nobody(seed: Cluster) -> None:
    """What nobody uses does not end."""
    states = by_hand(seed).states | {"service haproxy": stopped(), "service keepalived": stopped()}
    assert ends(seed, by_hand(seed, states=states)) == []


def test_servers_of_which_none_stays_are_named(seed: Cluster) -> None:
    """The port leads elsewhere, then; servers by name may be the same ones, and nothing is said."""
    other = HAPROXY.replace("192.168.1.21:6443", "192.168.1.91:6443")
    assert ("what port 6443 led to", "error") in ends(seed, by_hand(seed, other))
    named = HAPROXY.replace("192.168.1.21:6443", "cp1.example.com:6443")
    assert [subject for subject, _ in ends(seed, by_hand(seed, named))] == ["192.168.0.77", "port 443"]


@pytest.mark.parametrize("address", ["${VIP}", "$VIP", "lb.example.com"])
def test_an_address_that_only_the_node_knows_may_be_any(seed: Cluster, address: str) -> None:
    """A port that hosts.toml has goes on; one that it lacks ends, and nothing untrue is said of the other."""
    conf = re.sub(r"bind \*:(\d+)", rf'bind "{address}:\1"', HAPROXY)
    ending = [subject for subject, _ in ends(seed, by_hand(seed, conf))]
    assert ending == ["192.168.0.77", f"{address} port 443"]


@pytest.mark.parametrize(
    ("bind", "told"),
    [("${VIP}:${PORT}", "${VIP} port ${PORT}"), ("*:${PORT}", "port ${PORT}"), ("${BIND}", "port ${BIND}")],
)
def test_a_port_that_only_the_node_knows_may_end(seed: Cluster, bind: str, told: str) -> None:
    """Nobody can tell, so nothing is said of what hosts.toml has."""
    seen = by_hand(seed, HAPROXY.replace("*:6443", f'"{bind}"').replace("    bind *:443\n", ""))
    found = list(endings.findings(seen, endings.wanted_files(plans(seed, seen)["lb1"])))
    assert [each.subject for each in found] == ["192.168.0.77", f"what {HAPROXY_CFG} means by {told}"]
    assert "can't tell whether hosts.toml has the same" in found[1].detail
    assert "hosts.toml has nothing for it" not in found[1].detail


def test_virtual_servers_of_keepalived_end(seed: Cluster) -> None:
    """lbdeploy has none of these."""
    lvs = KEEPALIVED + "virtual_server 192.168.0.10 80 {\n    lb_kind NAT\n}\n"
    assert ("virtual_server 192.168.0.10 80", "error") in ends(seed, by_hand(seed, keepalived=lvs))


def test_a_run_refuses_unless_it_is_ignored(seed: Cluster) -> None:
    """Before the first change, with what to type."""
    found = survey(seed, by_hand(seed), observe(seed, seed.node("lb2")))
    with pytest.raises(RemoteError, match="port 443 ends") as caught:
        found.refuse()
    assert "192.168.0.77 ends" in caught.value.message
    assert "--ignore ends" in str(caught.value.fix)
    found.refuse(["ends"])


def test_the_plan_has_it_as_a_cost_where_the_holder_is_changed(tmp_path: Path, seed: Cluster) -> None:
    """A port that hosts.toml had: its clients lose it, and others notice nothing."""
    earlier = cluster(tmp_path, GOOD.replace("port = 6443", "port = 8443"))
    observations = [
        observe(seed, seed.node(name), holds=name == "lb1", states=as_by(earlier, name)) for name in ("lb1", "lb2")
    ]
    plan = staged(seed, plans(seed, *observations), observations)
    assert [(stage.names, stage.cost) for stage in plan.stages] == [
        (("lb2",), "clients notice nothing"),
        (("lb1",), "192.168.0.10 port 8443, 192.168.1.10 port 8443 end; others notice nothing"),
    ]


def test_what_is_in_other_files_may_end(seed: Cluster) -> None:
    """Nobody can tell, who reads keepalived.conf alone: so VRRP elects anew, as where an instance is replaced."""
    seen = by_hand(seed, keepalived="include /etc/keepalived/conf.d/*.conf\n")
    assert ends(seed, seen)[0] == (
        "what /etc/keepalived/keepalived.conf means by include /etc/keepalived/conf.d/*.conf",
        "error",
    )
    (stage,) = staged(seed, plans(seed, seen), [seen]).stages
    assert stage.way is Strategy.REELECT
    assert "conf.d/*.conf" in stage.cost
