"""Words of the command line, as what a new hosts.toml has."""

from __future__ import annotations

import pytest

from lbdeploy.config.draft import named


@pytest.mark.parametrize(
    "word",
    [
        "192.168.1.21",
        "192.168.1.21:6443",
        "2001:db8::21",
        "[2001:db8::21]:6443",
        "[192.168.1.21]:6443",
        "::ffff:192.168.1.21",
        "192.168.1.21:70000",  # refused later, by what is told of a port
        "https://192.168.1.21:6443",
        "192.168.1.21/24",
    ],
)
def test_a_bare_address_is_given_a_name(word: str) -> None:
    """As hosts.toml has servers, and as people paste them."""
    assert named([word, f"m2={word}"], "master") == {"master1": word, "m2": word}


def test_a_bare_name_is_its_own() -> None:
    """It is what SSH connects to."""
    assert named(["lb1.example.org", "lb2=10.0.0.2"], "lb") == {"lb1.example.org": "lb1.example.org", "lb2": "10.0.0.2"}
