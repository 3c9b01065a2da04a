"""hosts.toml as `init` writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.config import draft, writer

pytestmark = pytest.mark.terminal


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?", fullmatch=True)


@given(NAMES, NAMES, NAMES)
def test_whatever_the_names_are_the_file_has_them(network: str, node: str, server: str) -> None:
    """Names that are no bare keys of TOML are quoted; what is written is read back."""
    made: draft.Draft = {"cluster": {"name": node}, "networks": {network: {"interface": "ens33", "vip": "10.0.0.1/8"}}}
    made |= {"nodes": {node: {network: "10.0.0.2", "priority": 200, "interfaces": {network: "ens34"}}}}
    draft.set_vrrp(made, network, 1)
    draft.set_servers(made, 6443, {server: "10.0.0.3"})
    import tomllib

    assert tomllib.loads(writer.text(made)) == made
