"""Packages that are removed with everything else."""

from __future__ import annotations

from lbdeploy.node.resources.base import Answer
from lbdeploy.node.resources.purge import Purge, PurgeState


def test_only_what_lbdeploy_installed_is_purged() -> None:
    """Of what apt would remove along, only what came with it; what somebody else's package needs is said."""
    mine = "state\nthere haproxy\nthere keepalived\nmine haproxy\nmine liblua\nmine socat\nasked haproxy\n"
    apt = "takes haproxy\ntakes hatop\nfrees haproxy\nfrees liblua\nfrees gcc\n"
    state = Purge(("haproxy",)).read(Answer(mine + apt))
    assert state == PurgeState(("haproxy", "liblua"), ("hatop",), kept=True, staying=("keepalived",))
    assert Purge(("haproxy",)).read(Answer("")) == PurgeState()
