"""How long a drill's outage may take, by the timers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import BIG, SEED, cluster
from drills import seeded
from goldens import GROUPS
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.operations.drill.faults import NAMES, ON_SERVERS, Name
from lbdeploy.operations.drill.prediction import Prediction, expected, of_node, of_server


@pytest.mark.parametrize(
    ("name", "advert", "seconds"),
    [
        ("power", 1, 3 + 156 / 256),  # three adverts are missed, then lb2 waits for its skew: RFC 3768 section 6.1
        ("power", 0.1, 0.3 + 0.1 * 156 / 256),  # RFC 5798: the skew counts in parts of the advert interval
        ("freeze", 1, 3 + 156 / 256),
        ("link", 2, 6 + 156 / 256),
        ("path", 1, 10 + 3 + 0.7 + 156 / 256),  # haproxy's next check, three of keepalived's, the last one's greetings
        ("haproxy", 1, 0.1 + 156 / 256),  # systemd tells keepalived, which sends an advert of priority 0
        ("haproxy", 0.1, 0.1 + 0.1 * 156 / 256),
        ("hang", 1, 1 + 2 + 156 / 256),  # besides, the check's timeout
        ("keepalived", 1, 2 + 156 / 256),  # the VIPs stay until systemd has started it again, after a second
        ("keepalived", 0.1, 0),
    ],
)
def test_the_timers_predict_the_longest_outage(name: Name, advert: float, seconds: float) -> None:
    cluster = seeded(advert)
    assert expected(cluster, name, cluster.preferred, holds=True) == pytest.approx(seconds)


def test_a_keepalived_that_is_told_nothing_has_to_find_out() -> None:
    """With a keepalived.conf of the operator's own, which does not ask whether haproxy is stopped, a check finds it."""
    cluster = seeded(check_interval=2, check_fall=3)
    assert expected(cluster, "haproxy", cluster.preferred, holds=True, informed=False) == pytest.approx(6 + 156 / 256)


def test_a_watch_goes_on_soon_after_the_vips_have_moved() -> None:
    """Where something resets it; a node that holds nothing is not missed."""
    found = seeded()
    own = found.preferred
    skew = 156 / 256
    assert of_node(found, "power", own, holds=True) == Prediction(3 + skew, 3 + skew + 2.5)
    assert of_node(found, "keepalived", own, holds=True) == Prediction(2 + skew, 3 + skew + 2.5)
    assert of_node(found, "power", own, holds=True, tickled=False).silence is None
    assert of_node(found, "haproxy", own, holds=True, tickled=False).silence == pytest.approx(0.1 + skew + 2.5)
    assert of_node(found, "power", own, holds=False) == Prediction(0, 0)


def test_a_server_is_missed_until_haproxy_calls_it_down() -> None:
    """The check that has just passed, and two that time out; its connections end sooner. One that drains loses none."""
    (frontend,) = seeded().frontends
    assert of_server(frontend, "server") == Prediction(10 + 1 + 2 * 5, 11 + 5 + 2.5)
    assert of_server(frontend, "drain") == Prediction(0, 0)


def test_a_server_on_the_node_fails_with_it(tmp_path: Path) -> None:
    """Connections may be sent to it until it is down, also where the node holds nothing; haproxy may fail alone."""
    text = SEED.read_text().replace('"192.168.1.22"', '"192.168.1.11:7443"')
    stacked = cluster(tmp_path, text)
    lb1, lb2 = stacked.nodes
    for name in ("power", "link", "freeze"):
        assert of_node(stacked, name, lb1, holds=True) == Prediction(21, 3 + 156 / 256 + 5 + 2.5)
        assert of_node(stacked, name, lb1, holds=False) == Prediction(21, 18.5)
        assert of_node(stacked, name, lb2, holds=False) == Prediction(0, 0)
    assert of_node(stacked, "haproxy", lb1, holds=True) == of_node(seeded(), "haproxy", lb1, holds=True)


@pytest.mark.parametrize(("frontend", "stacked"), [("k8s-api", "k8s-api"), ("ingress", "ingress_2")])
def test_a_server_on_the_node_fails_for_the_group_alone_whose_frontend_has_it(
    tmp_path: Path, frontend: str, stacked: str
) -> None:
    """Also for one that the node holds nothing of; clients of the other group notice nothing of it."""
    moved = {"k8s-api": '"192.168.1.22"', "ingress": '"192.168.1.31:30443"'}
    found = cluster(tmp_path, GROUPS.replace(moved[frontend], '"192.168.1.11:7443"'))
    lost = 10 + 1 + 2 * 5
    for part in found.parts:
        node = part.node("lb1")
        is_stacked = part.group == stacked
        assert of_node(part, "power", node, holds=False).outage == (lost if is_stacked else 0)
        assert of_node(part, "power", node, holds=True).outage == (lost if is_stacked else pytest.approx(3, abs=1))
        assert of_node(part, "haproxy", node, holds=False) == Prediction(0, 0)


def test_the_heir_is_the_best_of_the_others() -> None:
    cluster = seeded()
    lb1, lb2 = cluster.nodes
    assert expected(cluster, "power", lb2, holds=True) == pytest.approx(3 + (256 - lb1.priority) / 256)
    assert expected(cluster, "power", lb1, holds=False) == 0


def test_the_heir_is_who_keepalived_prefers_at_this_moment(tmp_path: Path) -> None:
    """What it tracks lowers lb-a below lb-c: that one takes over, after a skew by its own effective priority."""
    three = cluster(tmp_path, BIG.replace("advert_interval = 0.25", "advert_interval = 1"))
    now = {"lb-a": 20, "lb-b": 250, "lb-c": 60}
    nominal, effective = (
        expected(three, "power", three.node("lb-b"), holds=True, priorities=each) for each in (None, now)
    )
    assert nominal == pytest.approx(3 + (256 - 150) / 256)
    assert effective == pytest.approx(3 + (256 - 60) / 256)


@given(
    st.sampled_from([each for each in NAMES if each not in ON_SERVERS]),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 10),
)
def test_slower_checks_never_predict_a_shorter_outage(name: Name, interval: int, timeout: int, fall: int) -> None:
    quick = seeded(check_interval=interval, check_timeout=timeout, check_fall=fall)
    for slow in (
        seeded(check_interval=interval + 1, check_timeout=timeout, check_fall=1),
        seeded(check_interval=interval, check_timeout=timeout + 1, check_fall=fall),
        seeded(check_interval=interval, check_timeout=timeout, check_fall=fall + 1),
    ):
        one = replace(quick.vrrp, check_fall=min(fall, slow.vrrp.check_fall))
        faster = replace(quick, vrrp=one)
        predicted = expected(slow, name, slow.preferred, holds=True)
        assert predicted >= expected(faster, name, faster.preferred, holds=True) > 0
