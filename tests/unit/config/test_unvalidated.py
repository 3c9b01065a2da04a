"""What is read of a hosts.toml that may be wrong."""

from __future__ import annotations

import pytest

from lbdeploy.config.unvalidated import members

HOSTS = """\
nodes.lb1.management = "192.168.1.91"
nodes.lb3 = { external = "192.168.0.13", management = "192.168.1.13", priority = 50 }
vrrp.network = "management"
unknown = { to = "this version" }
"""


@pytest.mark.parametrize("text", ["", "[nodes", "nodes = 3", "[nodes]\nlb3 = 3\n[vrrp]\nnetwork = 3\n", HOSTS[:-30]])
def test_an_earlier_file_that_can_not_be_read_names_nobody(text: str) -> None:
    """It may be of another version, or cut off."""
    assert members(text) == {}
