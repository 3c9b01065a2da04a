"""What is read of a hosts.toml that may be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import SEED

from lbdeploy.config import unvalidated
from lbdeploy.config.unvalidated import deployed, members

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


@pytest.mark.parametrize(
    "text",
    [
        "[cluster]\nname = 'k8s'\n[z]\n" + ".".join(["a"] * 5000) + " = 1\n",
        "[cluster]\nname = 'k8s'\n[z]\nx = 0x" + "f" * 5000 + "\n",
        "[cluster]\nname = 'k8s'\n[vrrp]\nrouter_id = 0x" + "f" * 5000 + "\n",
        "[cluster]\nname = 'k8s'\nsince = 2026-12-01\n",
    ],
)
def test_no_file_of_a_node_ends_a_run(text: str) -> None:
    """A node may have anything there; what nobody can read, or keep, has no cluster or one without a router ID."""
    for _ in range(2):
        found = deployed(text)
        assert found is None or (found.name, found.router_ids) == ("k8s", frozenset())
        assert members(text) == {}


def test_what_was_asked_of_a_file_is_known_the_next_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without parsing it; nothing else of it is kept, such as a password."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = SEED.read_text().replace("[ssh]", '[packages]\nproxy = "http://me:s3cret@proxy:3128"\n[ssh]')
    first = deployed(text), members(text)
    unvalidated._facts.cache_clear()
    monkeypatch.setattr(unvalidated, "_parsed", None)
    assert (deployed(text), members(text)) == first
    assert all(first)
    assert not any(b"s3cret" in each.read_bytes() for each in (tmp_path / "lbdeploy").iterdir())
