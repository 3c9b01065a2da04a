"""What is noted of a cluster at each look."""

from __future__ import annotations

from statuses import pair

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.operations.status import Status
from lbdeploy.operations.watch.facts import facts


def test_each_thing_is_a_fact_with_its_age_where_a_node_says_so(seed: Cluster) -> None:
    found = facts(pair(seed))
    assert found["vrrp", "lb1"].age == 90
    assert found["vip", "192.168.0.10"].text == "VIP 192.168.0.10 is on lb1"
    assert found["server", "k8s-api", "master1"].kind == "good"


def test_of_vips_nothing_is_said_while_a_node_is_away(seed: Cluster) -> None:
    away = Status(seed, {"lb2": pair(seed).nodes["lb2"]}, {"lb1": ConnectError("away")})
    assert not [key for key in facts(away) if key[0] == "vip"]
    assert facts(away)["reach", "lb1"].kind == "bad"
