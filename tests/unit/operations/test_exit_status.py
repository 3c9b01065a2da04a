"""How runs end: the contract has `error` in the document of any failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.errors import AnswerError, ConnectError, LbdeployError, LostError, RemoteError
from lbdeploy.health.finding import Finding
from lbdeploy.health.verdict import Verdict
from lbdeploy.operations.doctor.doctor import Diagnosis
from lbdeploy.operations.exit_status import (
    CHANGES_PENDING,
    MEANINGS,
    changed,
    examined,
    looked,
    of_many,
    planned,
    verified,
)
from lbdeploy.operations.status import Status
from lbdeploy.planning.plan import Plan
from lbdeploy.rollout.run import Outcome

WRONG = (
    Finding.passed("lb1", "vip", "fine"),
    Finding.failed("lb2", "service", "keepalived is not running", "lbdeploy up"),
    Finding.failed(None, "holder", "the VIPs are elsewhere"),
)
TOLD = "the cluster is not healthy: lb2: keepalived is not running; the VIPs are elsewhere"


def test_a_cluster_that_is_not_healthy_is_an_error_for_scripts() -> None:
    """With what is wrong and what to type; people have it from the findings."""
    outcome = Outcome(Plan({}, ()), Verdict(WRONG, (), ()))
    for ending, message in ((verified(outcome), TOLD), (changed(outcome), f"nothing is left to do, but {TOLD}")):
        assert (ending.exit_code, ending.shown) == (6, True)
        assert ending.document["error"]["type"] == "Unhealthy"
        assert (ending.document["error"]["message"], ending.document["error"]["fix"]) == (message, "lbdeploy up")
        assert len(ending.document["findings"]) == 3
    assert verified(outcome).document["error"]["state"] == "nothing was changed"


def test_verify_says_that_the_cluster_is_healthy_where_only_files_differ() -> None:
    """It is exit code 6 all the same: something is not as hosts.toml says."""
    drift = replace(Finding.failed("lb1", "file", "haproxy.cfg differs", "lbdeploy up"), drift=True)
    ending = verified(Outcome(Plan({}, ()), Verdict((drift,), (), ())))
    assert ending.exit_code == 6
    message = ending.document["error"]["message"]
    assert message == "the cluster is healthy, but not as hosts.toml says: lb1: haproxy.cfg differs"


def test_what_is_in_the_way_of_up_is_an_error_for_scripts() -> None:
    """Findings that are well, or only warnings, are not in it."""
    ending = examined(Diagnosis(WRONG, {}))
    assert (ending.exit_code, ending.shown) == (6, True)
    assert ending.document["error"]["message"].startswith("something is in the way of lbdeploy up: lb2: keepalived")
    assert "fine" not in ending.document["error"]["message"]
    assert examined(Diagnosis(WRONG[:1], {})).document.keys() == {"findings"}


def test_every_code_that_lbdeploy_ends_with_has_a_meaning() -> None:
    """Those of errors, and those of what is no error; and no meaning is of a code that there is not."""

    def codes(kind: type[LbdeployError]) -> set[int]:
        return {kind.exit_code}.union(*map(codes, kind.__subclasses__()))

    assert codes(LbdeployError) | {0, CHANGES_PENDING} == MEANINGS.keys()


NOBODY: Mapping[str, LbdeployError] = {}
UNSEEN = [
    {"lb2": ConnectError("can't be reached", node="lb2")},
    {"lb2": LostError("it was given up", node="lb2")},
    {"lb2": AnswerError("what it answered can't be read", node="lb2")},
    {"lb2": RemoteError("something else", node="lb2")},
]


@pytest.mark.parametrize("errors", UNSEEN, ids=lambda errors: type(errors["lb2"]).__name__)
def test_what_only_looks_ends_with_4_where_a_node_could_not_be_looked_at(
    seed: Cluster, errors: dict[str, LbdeployError]
) -> None:
    """Whatever the reason, and whatever is wrong besides; what changes something has left the node out, and fails."""
    outcome = Outcome(Plan({}, ()), Verdict(WRONG, (), ()), (), errors)
    unwell = Status(seed, {}, errors)
    codes = {"plan": planned(outcome), "verify": verified(outcome), "doctor": examined(Diagnosis(WRONG, errors))}
    codes |= {"status": looked(unwell), "up": changed(outcome)}
    assert {name: each.exit_code for name, each in codes.items()} == {
        "plan": 4, "verify": 4, "doctor": 4, "status": 4, "up": 1
    }  # fmt: skip


@pytest.mark.parametrize(("findings", "wrong"), [(WRONG, 6), (WRONG[:1], 0)], ids=["something is wrong", "all is well"])
def test_what_has_looked_everywhere_ends_with_6_only_where_something_is_wrong(
    seed: Cluster, findings: tuple[Finding, ...], wrong: int
) -> None:
    """status judges nothing, and plan only what is to be changed."""
    outcome = Outcome(Plan({}, ()), Verdict(findings, (), ()))
    codes = [verified(outcome), changed(outcome), examined(Diagnosis(findings, {})), planned(outcome)]
    assert [each.exit_code for each in codes] == [wrong, wrong, wrong, 0]
    assert looked(Status(seed, {}, NOBODY)).exit_code == 0


def test_many_files_fail_with_the_error_of_the_worst_one() -> None:
    """The first that ends as all do, with its file; changes that are pending are no failure."""
    entries = [
        {"file": "a.toml", "exit_code": 2, "error": {"type": "HostsFile"}},
        {"file": "b.toml", "exit_code": 4, "error": {"type": "Connect"}},
        {"file": "c.toml", "exit_code": 4, "error": {"type": "Login"}},
        {"file": "d.toml", "exit_code": 3},
        {"file": "e.toml", "exit_code": None},
    ]
    assert of_many(entries, 4) == {"error": {"type": "Connect", "file": "b.toml"}}
    assert of_many(entries[3:], CHANGES_PENDING) == of_many(entries[4:], 0) == {}
