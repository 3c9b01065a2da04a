"""What `check --fix` corrects, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from goldens import GOOD

from lbdeploy.config import reader
from lbdeploy.config.mistakes.repair import repaired

HERE = Path("hosts.toml")
TYPOS = {"priority = 200": "prioritiy = 200", "[networks.": "[netwrks.", "router_id": "routerid", "[vrrp]": "[vrp]"}


def test_typos_are_corrected_and_all_else_stays() -> None:
    """Comments, order and spaces too: what was right is not touched."""
    text = GOOD
    for right, wrong in TYPOS.items():
        assert right in text
        text = text.replace(right, wrong)
    corrected, done = repaired(HERE, text)
    assert corrected == GOOD
    assert len(done) == 5  # [netwrks. stands twice
    assert "hosts.toml:21: prioritiy is now priority" in done


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("priority = 200", "priority = 300"),
        ("priority = 200", "weight = 200"),
        ("preempt_delay", "premept_delay"),
        ("[nodes.lb1]", "[nodes.lb1.example]"),
        ('"192.168.0.11"', '"192.168.0.300"'),
    ],
)
def test_what_may_mean_something_else_is_left_alone(right: str, wrong: str) -> None:
    """A value, a name, and a key without which the file is complete."""
    text = GOOD.replace(right, wrong)
    assert repaired(HERE, text) == (text, [])


def test_a_good_file_stays_as_it_is(tmp_path: Path) -> None:
    assert repaired(HERE, GOOD) == (GOOD, [])
    file = tmp_path / "hosts.toml"
    assert reader.load(file, repaired(file, GOOD)[0]).name == "k8s-api"
