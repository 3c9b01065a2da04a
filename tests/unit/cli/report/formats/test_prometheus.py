"""verify as metrics."""

from __future__ import annotations

import re

import pytest
from documents import VIP, failed, finding, verified

from lbdeploy.cli.report.formats import Format

PROMETHEUS = Format("prometheus")
LINE = re.compile(r'[a-z_]+\{([a-z]+="([^"\\]|\\.)*",?)*\} -?[0-9.e+]+')


def test_holders_servers_and_findings_are_metrics() -> None:
    """Each with the labels that alert rules need."""
    text = PROMETHEUS.text(verified(finding("error", "haproxy does not answer"), code=6))
    lines = text.splitlines()
    assert 'lbdeploy_healthy{cluster="k8s-api"} 0' in lines
    assert 'lbdeploy_vip_holders{cluster="k8s-api",vip="192.168.0.10",network="external"} 1' in lines
    assert 'lbdeploy_server_up{cluster="k8s-api",node="lb2",frontend="k8s-api",server="master2"} 0' in lines
    assert 'lbdeploy_findings{cluster="k8s-api",node="lb1",check="service",severity="error"} 1' in lines
    assert [line for line in lines if not line.startswith("#") and not LINE.fullmatch(line)] == []


@pytest.mark.parametrize(("holders", "unknown", "said"), [([], [], 1), ([], ["lb1"], 0), (["lb2"], ["lb1"], 1)])
def test_a_vip_that_an_unreachable_node_may_hold_is_not_on_none(
    holders: list[str], unknown: list[str], said: int
) -> None:
    """Nobody is to be woken up because this machine can't reach the holder."""
    text = PROMETHEUS.text(verified(vips=[VIP | {"holders": holders, "unknown": unknown}]))
    assert text.count("lbdeploy_vip_holders{") == said


def test_the_time_is_in_full() -> None:
    """An alert says when nobody has looked for some minutes."""
    value = PROMETHEUS.text(verified()).splitlines()[-1].rpartition(" ")[2]
    assert re.fullmatch(r"\d{10}", value)


def test_what_could_not_be_checked_is_not_healthy() -> None:
    """No findings is not no problem."""
    assert 'lbdeploy_healthy{cluster="k8s-api"} 0' in PROMETHEUS.text(failed("no answer"))
    assert 'lbdeploy_healthy{cluster="k8s-api"} 1' in PROMETHEUS.text(verified())


def test_names_can_not_leave_their_label() -> None:
    """Quotes, backslashes and newlines are escaped."""
    document = verified() | {"cluster": 'a"b\\c\nd'}
    assert 'lbdeploy_healthy{cluster="a\\"b\\\\c\\nd"} 1' in PROMETHEUS.text(document).splitlines()
