"""Which nodes are to be adopted, and what SSH connects to."""

from __future__ import annotations

from typing import Any

import pytest

from lbdeploy.errors import UsageError
from lbdeploy.operations.adopt.hosts import hosts


@pytest.mark.parametrize(
    "nodes", [["lb1", "lb2=10.0.0.2"], {"lb1": "lb1", "lb2": "10.0.0.2"}, iter(["lb1", "lb2=10.0.0.2"])]
)
def test_names_addresses_and_mappings_say_the_same(nodes: Any) -> None:
    assert hosts(nodes) == {"lb1": "lb1", "lb2": "10.0.0.2"}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "each node has to be named once"),
        (["lb1", "lb2=lb1"], "each node has to be named once"),
        (["lb1", "ops@lb2"], "ops@lb2 has a login in it"),
    ],
)
def test_what_is_no_pair_is_refused(nodes: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        hosts(nodes)
    assert caught.value.message == message
