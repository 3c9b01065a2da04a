"""`doctor` as a whole: what it says of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import BIG, cluster
from checkups import looked
from goldens import READY

from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError, HostKeyError, LoginError, SudoError
from lbdeploy.operations.doctor import doctor
from lbdeploy.operations.doctor.checklist import CHECKS, IGNORED_BY_DOCTOR, LOGIN, OF_NODES
from lbdeploy.operations.servers.readiness import questions
from lbdeploy.ssh.greeting import Greeting, Outcome

EACH = len(LOGIN) + len(OF_NODES)  # checks of a node


def test_a_fit_pair_has_nothing_but_passed_checks(tmp_path: Path) -> None:
    """Each check that doctor makes is told of once a node, or once of all together."""
    ready = cluster(tmp_path, READY)
    heard = {"lb1": [Greeting(each, "greeted", status=200) for each in questions(ready)]}
    found = doctor.diagnose(ready, [looked(ready), looked(ready, "lb2")], {}, (), heard)
    assert all(each.ok for each in found.findings)
    assert {each.check for each in found.findings} == {each.id for each in CHECKS if each.doctor}
    assert [each.node for each in found.findings] == ["lb1"] * EACH + ["lb2"] * EACH + [None] * 8


@pytest.mark.parametrize("outcome", ["barred", None])
def test_nothing_is_claimed_of_servers_that_nobody_could_ask(seed: Cluster, outcome: Outcome | None) -> None:
    """Where sshd forwards nothing, that is a warning."""
    heard = {"lb1": [Greeting(each, outcome) for each in questions(seed)]} if outcome else {}
    found = doctor.diagnose(seed, [looked(seed)], {}, (), heard).findings
    told = {each.check: each.severity for each in found if each.check in ("readiness", "certificate")}
    assert told == ({"readiness": "warning"} if outcome else {})


def test_nodes_that_can_not_be_asked_are_told_with_what_they_passed(seed: Cluster) -> None:
    """How far the login came; the other node is judged all the same, and nothing is claimed of both together."""
    kinds = [
        ConnectError("no answer"),
        HostKeyError("changed"),
        LoginError("no key"),
        SudoError("no rights", fix="visudo"),
    ]
    for passed, (check, error) in enumerate(zip(LOGIN, kinds, strict=True)):
        found = doctor.diagnose(seed, [looked(seed, "lb2")], {"lb1": error})
        mine = [(each.check, each.ok) for each in found.findings if each.node == "lb1"]
        assert mine == [(check.id, False), *((each.id, True) for each in LOGIN[:passed])]
        assert ("firewall", True) not in {(each.check, each.ok) for each in found.findings}
    assert sum(each.node == "lb2" for each in found.findings) == EACH


def test_a_problem_that_is_known_is_a_warning(seed: Cluster) -> None:
    """--ignore: it is still told, and stops nothing."""
    checkups = [looked(seed, ahead=3600), looked(seed, "lb2")]
    assert [each.check for each in doctor.diagnose(seed, checkups, {}).problems] == ["clock"]
    found = doctor.diagnose(seed, checkups, {}, ("clock",))
    assert found.problems == []
    assert [each.detail[-9:] for each in found.findings if not each.ok] == ["(ignored)"]
    assert not {each.id for each in LOGIN} & set(IGNORED_BY_DOCTOR)


def test_mistakes_in_what_would_be_written_are_told_once(tmp_path: Path) -> None:
    """The lint of `check`, also where a template does not render at all."""
    of = cluster(tmp_path, BIG)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "keepalived.conf.j2").write_text('vrrp_script a {\n script "pidof haproxy"\n}\n')
    found = list(doctor.linted(of))
    assert ("error", 1) in {(each.to_json()["severity"], sum("pidof" in e.detail for e in found)) for each in found}
    (tmp_path / "templates" / "keepalived.conf.j2").write_text("{{ nonsense }}")
    (found_now,) = (each for each in doctor.linted(of) if each.is_error)
    assert (found_now.check, found_now.node) == ("lint", None)
