"""The file of drained servers as a thing that a node has: a drain is no drift, and does not outlive its server."""

from __future__ import annotations

from builders import LONG_AGO, steps_of

from lbdeploy.node.resources import File, ServerState
from lbdeploy.node.resources.base import Phase
from lbdeploy.node.resources.drains import Drain, render
from lbdeploy.node.resources.file import FileState

SERVERS = (("k8s-api", "master1", 6443), ("k8s-api", "master2", 6443))
WANTED = ServerState(SERVERS)
ONE = Drain("k8s-api", "master1", 5, "ann")
GONE = Drain("k8s-api", "master9", 5, "ann")


def there(*drains: Drain, port: int = 6443) -> FileState:
    ports = {each.pair: port for each in drains}
    return FileState("file", "600", "root:root", LONG_AGO, render(drains, ports))


def test_a_drain_is_no_drift() -> None:
    """Who is drained is not in hosts.toml, and a run leaves it alone."""
    assert WANTED.compare(there(), ()) == []
    assert WANTED.compare(there(ONE), ()) == []


def test_a_server_that_left_hosts_toml_takes_its_drain_with_it() -> None:
    """The others stay drained."""
    (change,) = WANTED.compare(there(ONE, GONE), ())
    assert (change.action, change.reason) == ("update", "k8s-api/master9: drained, and no longer in hosts.toml")
    written = steps_of(WANTED, there(ONE, GONE))
    assert "master9" not in written
    assert "# drained k8s-api/master1 since 5 by ann" in written


def test_haproxy_is_told_the_port_of_hosts_toml() -> None:
    """It would take an old one from the file, whatever haproxy.cfg says."""
    (change,) = WANTED.compare(there(ONE, port=6444), ())
    assert change.action == "update"


def test_it_is_there_before_haproxy_cfg_is_validated() -> None:
    """Also where it only changes: what haproxy would object to in the old one is no fault of haproxy.cfg."""
    for state in (FileState("missing"), there(GONE)):
        steps = list(WANTED.steps(state, WANTED.compare(state, ()), ()))
        assert [phase for phase, _ in steps] == [Phase.STAGE, Phase.CREATE]
    assert WANTED.given(()).managed == ("/var/lib/lbdeploy/haproxy-servers",)


def test_a_new_node_is_given_what_the_others_have() -> None:
    """One that has a record of its own keeps that."""
    heir = ServerState(SERVERS, inherited=(ONE,))
    (change,) = heir.compare(FileState("missing"), ())
    assert (change.action, change.reason) == ("create", "k8s-api/master1: drained on the other nodes")
    assert heir.compare(there(), ()) == []


def test_going_back_wants_what_was_observed() -> None:
    """With a server that comes back into haproxy.cfg, its drain comes back."""
    back = WANTED.as_observed(there(GONE))
    assert isinstance(back, File)
    assert back.compare(there(GONE), ()) == []
    assert WANTED.as_observed(FileState("missing")) is WANTED
