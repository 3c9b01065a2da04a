"""How a drain ends: its exit code and its document."""

from __future__ import annotations

import pytest
from server_results import DRAIN, node, result

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.operations.exit_status import told_servers


def test_done_on_all_nodes(seed: Cluster) -> None:
    """Exit 0, with who and since when; a second time is no failure."""
    end = told_servers(result(node(seed, "lb1"), node(seed, "lb2")))
    assert (end.exit_code, end.document["drained"]) == (0, DRAIN.to_json())
    assert end.document["changed"] == ["lb1", "lb2"]
    again = told_servers(result(node(seed, "lb1", changed=False)))
    assert (again.exit_code, again.document["changed"]) == (0, [])


def test_open_connections_are_no_failure_unless_they_were_waited_for(seed: Cluster) -> None:
    """Then exit 1 says how many are left where."""
    assert told_servers(result(node(seed, "lb1", 3), node(seed, "lb2"))).exit_code == 0
    late = told_servers(result(node(seed, "lb1", 3), waited=60.0))
    assert late.error
    assert (late.exit_code, late.error.message) == (1, "open connections to master1 are left after 60 s: 3 on lb1")
    stuck = told_servers(result(node(seed, "lb1", 3), closed=True))
    assert stuck.error
    assert stuck.error.message == "open connections to master1 could not be closed: 3 on lb1"


def test_what_to_type_next_is_about_the_same_frontend(seed: Cluster) -> None:
    """Where one was named: behind the others, the server may be in use, or drained for another reason."""
    stuck = told_servers(result(node(seed, "lb1", 3), closed=True, frontend="k8s-api")).error
    assert stuck
    assert stuck.to_json()["fix_command"] == ["lbdeploy", "drain", "master1", "--frontend", "k8s-api", "--wait", "60"]
    lost = told_servers(result(errors={"lb2": ConnectError("no answer")}, frontend="k8s-api", state="ready")).error
    assert lost
    assert str(lost.fix).endswith(": lbdeploy undrain master1 --frontend k8s-api")


@pytest.mark.parametrize(("state", "words"), [("drain", "drained"), ("ready", "in use")])
def test_a_node_that_could_not_be_reached(seed: Cluster, state: str, words: str) -> None:
    """Its error's exit code; the error says where it was done, and where not."""
    lost = ConnectError("no answer", node="lb2", state="x", fix="y")
    end = told_servers(result(node(seed, "lb1"), errors={"lb2": lost}, state=state))
    assert end.error
    assert end.exit_code == 4
    assert end.error.state == f"master1 is {words} on lb1; on lb2 it is as it was, as far as is known"
