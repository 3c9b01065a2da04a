"""The priorities of a handover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.node.vrrp_priority import effective
from lbdeploy.operations.handover.priority_offsets import held, raised

PRIORITIES = st.lists(st.integers(1, 254), min_size=2, max_size=7, unique=True).map(
    lambda those: {f"lb{number}": each for number, each in enumerate(those)}
)


def best(priorities: dict[str, int], offsets: dict[str, int]) -> list[str]:
    """The nodes of the highest effective priority."""
    every = {name: effective(each, offsets[name]) for name, each in priorities.items()}
    return [name for name, each in every.items() if each == max(every.values())]


@given(PRIORITIES, st.data())
def test_the_taker_alone_is_preferred(priorities: dict[str, int], data: st.DataObject) -> None:
    """Whatever earlier handovers have left, the taker's priority is the highest, and no other node has the same."""
    offsets = {name: data.draw(st.integers(-253, 253)) for name in priorities}
    taker = data.draw(st.sampled_from(sorted(priorities)))
    assert best(priorities, raised(taker, priorities, offsets)) == [taker]
    assert best(priorities, held(taker, priorities)) == [taker]


@pytest.mark.parametrize(
    ("priorities", "taker", "offsets"),
    [
        pytest.param({"lb1": 200, "lb2": 100}, "lb2", {"lb1": 0, "lb2": 101}, id="the standby goes above the holder"),
        pytest.param({"lb1": 200, "lb2": 100}, "lb1", {"lb1": 0, "lb2": 0}, id="the preferred node needs nothing"),
        pytest.param({"lb1": 254, "lb2": 100}, "lb2", {"lb1": -1, "lb2": 154}, id="there is nothing above 254"),
        pytest.param(
            {"lb1": 200, "lb2": 150, "lb3": 100}, "lb3", {"lb1": 0, "lb2": 0, "lb3": 101}, id="others stay as they are"
        ),
    ],
)
def test_what_remains_after_a_handover(priorities: dict[str, int], taker: str, offsets: dict[str, int]) -> None:
    """Only what it takes is added, and only where it has to be."""
    assert held(taker, priorities) == offsets
