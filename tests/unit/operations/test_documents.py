"""The schemas of documents: what commands print has their form, and what has not is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import server_results
from checkups import looked
from drills import result
from jsonschema import Draft202012Validator, ValidationError
from schemas import conforming
from statuses import pair
from verdicts import BARE, DRIFT, GONE, NO_SERVER, Changes, verdict

from lbdeploy.cli.group import ORDER
from lbdeploy.cli.output import as_json
from lbdeploy.config.model import Cluster
from lbdeploy.errors import ConnectError
from lbdeploy.lab.status import HostStatus, LabStatus
from lbdeploy.operations import exit_status
from lbdeploy.operations.doctor import doctor
from lbdeploy.operations.documents import ALWAYS, KEYS, schema_of
from lbdeploy.operations.history.event import History, PastEvent
from lbdeploy.operations.topology import topology
from lbdeploy.planning.plan import Plan
from lbdeploy.rollout.run import Outcome

HEAD = {
    "format_version": 1, "ok": True, "exit_code": 0, "duration_s": 0.1, "version": "1.0", "file": "hosts.toml",
    "time": "2026-11-29T12:00:00Z", "cluster": "k8s-api",
}  # fmt: skip


def whole(command: str, document: Any) -> dict[str, Any]:
    return {**HEAD, "command": command, **json.loads(as_json(document))}


@pytest.mark.parametrize("lb2", [{}, {"states": DRIFT}, GONE, NO_SERVER, {"holds": True}, {"states": BARE}, None])
def test_what_is_found_of_a_cluster_has_the_form(seed: Cluster, lb2: Changes | None) -> None:
    """Of a healthy pair, and of each that is not."""
    found = verdict(seed, {}, lb2)
    errors = {"lb2": ConnectError("no answer", node="lb2")} if lb2 is None else {}
    outcome = Outcome(Plan({}, ()), found, errors=errors)
    conforming(whole("verify", exit_status.verified(outcome).document))
    conforming(whole("up", exit_status.changed(outcome).document))
    conforming(whole("plan", exit_status.planned(outcome).document))


def test_what_is_looked_at_and_measured_has_the_form(seed: Cluster) -> None:
    conforming(whole("status", exit_status.looked(pair(seed)).document))
    conforming(whole("doctor", exit_status.examined(doctor.diagnose(seed, [looked(seed, ahead=3600)], {})).document))
    conforming(whole("drill", result(seed, "..x..").to_json()))
    drained = server_results.result(server_results.node(seed, "lb1", 3), server_results.node(seed, "lb2"))
    conforming(whole("drain", exit_status.told_servers(drained).document))


def test_a_document_without_its_keys_is_refused(seed: Cluster) -> None:
    """Unless it has an error: then nothing was found."""
    document = exit_status.verified(Outcome(Plan({}, ()), verdict(seed, {}, {}))).document
    for key in document:
        with pytest.raises(AssertionError, match="not valid"):
            conforming(whole("verify", {name: each for name, each in document.items() if name != key}))
    with pytest.raises(AssertionError):
        conforming(whole("verify", {**document, "findings": [{"node": 3}]}))
    conforming(whole("verify", {"error": ConnectError("no answer").to_json()}))
    conforming(whole("verify", {"clusters": []}))


@pytest.mark.parametrize("command", ORDER)
def test_every_command_has_a_schema_with_what_all_documents_have(command: str) -> None:
    schema = schema_of(command)
    Draft202012Validator.check_schema(schema)
    assert schema["required"] == list(ALWAYS)
    error = ConnectError("no answer").to_json()
    Draft202012Validator(schema).validate({**HEAD, "command": command, "error": error})
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate({"command": command, "error": error})


def test_each_command_has_a_schema_of_its_own() -> None:
    assert set(KEYS) == set(ORDER)


def test_what_is_drawn_and_what_has_happened_has_the_form(seed: Cluster) -> None:
    """Of a cluster that was looked at, and of one that was not."""
    for status in (None, pair(seed)):
        conforming(whole("show", topology(seed, status).to_json()))
    move = PastEvent(1.5, "move", to="lb1")
    run = PastEvent(2.0, "up", "ops@laptop", "lbdeploy up", ("lb1",), (("lb1", "a file"),), {"exit_code": 0}, "r1")
    past = History("k8s-api", (move, run), {"lb2": ConnectError("no answer", node="lb2")})
    conforming(whole("history", exit_status.looked_back(past).document))


def test_the_state_of_a_lab_has_the_form() -> None:
    """And commands of the lab that tell nothing have a document, too."""
    addresses = {"external": ["192.168.0.11"], "management": ["192.168.1.11"]}
    node = HostStatus("lb1", "node", "on", addresses, [], ["external"], 17, "256 SHA256:x (ED25519)")
    server = HostStatus("master1", "server", "draining", addresses, [6443], [], None, None)
    conforming(whole("lab", {"lab": LabStatus("id", "/hosts.toml", "partly", None, [node, server]).to_json()}))
    conforming(whole("lab", {}))
    wrong = whole(
        "lab", {"lab": LabStatus("id", "/hosts.toml", "up", None, [replace(node, state="burning")]).to_json()}
    )  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="burning"):
        conforming(wrong)


def test_a_rendered_file_has_a_content_or_a_difference() -> None:
    with pytest.raises(AssertionError, match="not valid"):
        conforming(whole("render", {"files": [{"node": "lb1", "path": "/a"}]}))
    conforming(whole("render", {"files": [{"node": "lb1", "path": "/a", "diff": ""}]}))
