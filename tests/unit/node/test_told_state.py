"""What a node says of the operator's scripts."""

from __future__ import annotations

import pytest

from lbdeploy.node.told_state import ToldState, told_state


def test_it_is_read() -> None:
    assert told_state("MASTER failing 1795971480 3 124\n") == ToldState("MASTER", "failing", 1795971480.0, 3, 124)


@pytest.mark.parametrize("text", ["", "MASTER", "NONE failing 1 1 1", "MASTER failing 1 1 1 1", "MASTER failing x 1 1"])
def test_what_is_no_answer_says_nothing(text: str) -> None:
    assert told_state(text) == ToldState()
