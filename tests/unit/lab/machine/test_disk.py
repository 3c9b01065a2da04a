"""The file systems of a lab's nodes."""

from __future__ import annotations

import pytest

from lbdeploy.lab.machine.disk import hostname_of


@pytest.mark.parametrize(("node", "hostname"), [("lb1", "lb1"), ("lb_1", "lb-1"), ("a..b", "a-b"), ("lb.x", "lb-x")])
def test_host_names_are_valid_whatever_the_node_is_called(node: str, hostname: str) -> None:
    assert hostname_of(node) == hostname
