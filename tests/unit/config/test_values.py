"""Values of hosts.toml."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import SEED, cluster
from clusters import ON

from lbdeploy.errors import HostsFileError


@pytest.mark.parametrize("allow", ["[0]", "[65536]", '["9100"]', "9100"])
def test_what_is_allowed_is_a_list_of_ports(tmp_path: Path, allow: str) -> None:
    """Anything else is refused; so is a list without a firewall."""
    for text in (ON.replace("[9100, 161]", allow), "firewall_allow = [9100]\n"):
        with pytest.raises(HostsFileError):
            cluster(tmp_path, SEED.read_text().replace("[cluster]\n", f"[cluster]\n{text}"))
