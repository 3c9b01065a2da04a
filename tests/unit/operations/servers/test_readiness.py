"""Which check suits servers, by what they answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import cluster
from goldens import RICH, TOKEN

from lbdeploy.config.model import Cluster
from lbdeploy.health.finding import Finding
from lbdeploy.operations.servers.readiness import Proposal, findings, proposal, questions
from lbdeploy.ssh.greeting import Greeting, Question

WHO = Question("k8s-api", "master1", "192.168.1.21", 6443)


def heard(*statuses: int | None, outcome: Any = "greeted") -> list[Greeting]:
    return [Greeting(WHO, outcome, status=each) for each in statuses]


@pytest.mark.parametrize(
    ("said", "proposed"),
    [
        (heard(200, 200), Proposal("https")),
        (heard(401, 401), Proposal("https", (200, 401))),
        (heard(200, 403), Proposal("https", (200, 403))),
        (heard(200, 500), Proposal("tcp")),
        (heard(200, 404), Proposal("tcp")),
        (heard(200, None), Proposal("tcp")),
        (heard(None, outcome="plain"), Proposal("tcp")),
        (heard(None, outcome="unreachable"), None),
        ([], None),
    ],
)
def test_the_check_that_all_of_them_pass(said: list[Greeting], proposed: Proposal | None) -> None:
    """Where any of them would be down by the better one, it is tcp."""
    assert proposal(said) == proposed


def test_what_is_asked_is_what_haproxy_asks(ca_folder: Path) -> None:
    """With token, certificate, CA and name; of a frontend that is no API's, only whether it accepts connections."""
    asked = {f"{each.frontend}/{each.server}": each for each in questions(cluster(ca_folder, RICH))}
    api, ingress, config = asked["api/m1"], asked["ingress/w1"], asked["machine-config/m1"]
    assert (api.path, api.host, api.authorities) == (
        "/healthz?verbose",
        "kubernetes",
        (ca_folder / "ca.pem").read_text(),
    )
    assert (ingress.path, ingress.proxied) == ("", True)
    assert (config.token, config.certificate) == (TOKEN, str(ca_folder / "client.pem"))
    assert TOKEN not in repr(config)


def told(of: Cluster, outcome: Any, status: int | None = None, why: str = "") -> list[Finding]:
    """What is said where all servers answer like that to both nodes."""
    said = [Greeting(each, outcome, b"", status, why) for each in questions(of)]
    return list(findings(of, {"lb1": said, "lb2": said}))


def test_a_better_check_is_proposed(seed: Cluster) -> None:
    """For all servers at once."""
    (one,) = told(seed, "greeted", 200)
    assert (one.is_warning, one.fix) == (True, 'check = "https"; with check_ca_file it also knows whom it asks')
    assert one.detail.endswith("these answer /readyz with 200")
    (one,) = told(seed, "greeted", 401)
    assert (one.fix or "").startswith('check = "https", check_status = [200, 401], or check_token_file;')
    assert told(seed, "plain") == told(seed, "greeted", 500) == []


@pytest.mark.parametrize(
    ("outcome", "status", "words", "fix"),
    [
        ("greeted", 401, "/readyz is answered with 401", "it wants a login; for that to count as ready"),
        ("greeted", 500, "/readyz is answered with 500", "see why: curl -k https://192.168.1.21:6443/readyz"),
        ("greeted", None, "/readyz is not answered in HTTP", "correct check_path"),
        ("plain", None, "no TLS is spoken there", 'check = "tcp"'),
        ("failed", None, "the TLS handshake fails: why", "openssl s_client -connect 192.168.1.21:6443"),
    ],
)
def test_servers_that_would_be_down(seed: Cluster, outcome: str, status: int | None, words: str, fix: str) -> None:
    """By the check that hosts.toml has; those that answer alike are told together."""
    https = replace(seed, frontends=(replace(seed.frontends[0], check="https"),))
    first = told(https, outcome, status, "why")[0]
    assert first.detail.startswith("k8s-api: master1")
    assert first.detail.endswith(f"would be down: {words}")
    assert (first.fix or "").startswith(fix)


def test_a_server_that_is_ready_is_not_told(seed: Cluster) -> None:
    """By the answers that its check takes."""
    frontend = replace(seed.frontends[0], check="https", check_status=(200, 401))
    assert told(replace(seed, frontends=(frontend,)), "greeted", 401) == []


def test_ways_that_are_closed(seed: Cluster) -> None:
    """From which node, and why; of sshd that forwards nothing, once."""
    found = told(seed, "unreachable", why="Connect failed")
    assert [each.subject for each in found] == ["k8s-api/master1", "k8s-api/master2", "k8s-api/master3"]
    detail = "lb1 and lb2 can't connect to k8s-api/master1 (192.168.1.21:6443): Connect failed"
    assert found[0].detail == detail
    (one,) = told(seed, "barred")
    assert one.detail == "servers could not be asked from lb1 and lb2: sshd there forwards no connections"
