"""What VRRP makes of priorities."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import BIG, cluster
from goldens import GOOD

from lbdeploy.node.vrrp_priority import skew


def test_ipv6_adverts_are_of_version_3(tmp_path: Path) -> None:
    """Then the skew is part of an interval, not of a second (RFC 5798, 6.1)."""
    six = cluster(tmp_path, BIG.replace("advert_interval = 0.25", "advert_interval = 4"))
    assert skew(six.vrrp, six.node("lb-c"), 50) == pytest.approx(4 * 206 / 256)
    four = cluster(tmp_path, GOOD.replace("advert_interval = 1", "advert_interval = 4"))
    assert skew(four.vrrp, four.node("lb2"), 100) == pytest.approx(156 / 256)
