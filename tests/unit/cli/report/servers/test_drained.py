"""What a drain says."""

from __future__ import annotations

from server_results import node, result

from lbdeploy.cli.report.servers.drained import lines
from lbdeploy.config.model import Cluster
from lbdeploy.operations.servers.result import ServerResult


def said(found: ServerResult) -> str:
    return "\n".join("".join(part if isinstance(part, str) else part[0] for part in line) for line in lines(found))


def test_done_on_all_nodes(seed: Cluster) -> None:
    """Where, since when, by whom, and what comes next."""
    assert said(result(node(seed, "lb1"), node(seed, "lb2"))) == (
        "Drained: master1 behind k8s-api, on lb1 and lb2, since 2026-11-29 16:58 UTC by ann@laptop\n"
        "  no connection to it is open\n"
        "Next: when its work is done: lbdeploy undrain master1"
    )


def test_done_before(seed: Cluster) -> None:
    """That nothing had to be done is said."""
    assert said(result(node(seed, "lb1", changed=False))).startswith("Drained already: master1 behind k8s-api, on lb1")
    back = result(node(seed, "lb1", changed=False), state="ready")
    assert said(back) == "Nothing to do: master1 was not drained behind k8s-api, on lb1"


def test_open_connections_are_counted(seed: Cluster) -> None:
    """With what to type about them, unless that has just been tried: then the error says it."""
    found = said(result(node(seed, "lb1", 3), node(seed, "lb2")))
    assert "  open connections: 3 on lb1\nNext: lbdeploy drain master1 --wait 60" in found
    assert "--wait" not in said(result(node(seed, "lb1", 3), waited=60.0))


def test_a_haproxy_that_does_not_run_is_told_of(seed: Cluster) -> None:
    """It goes by the record when it starts."""
    found = said(result(node(seed, "lb1", answers=False)))
    assert "! haproxy does not run on lb1: it goes by this once it does" in found
