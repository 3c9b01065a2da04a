"""Why a server is not up: in words, with the right advice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import observe, plans, server

from lbdeploy.config.model import Cluster, Secret
from lbdeploy.health.finding import Finding
from lbdeploy.health.reasons import FIXES, WORDS
from lbdeploy.health.verdict import judge
from lbdeploy.node.parsers import ServerStat

# Every result of a check that fails (management guide of haproxy, section 9.1), but for those of agents and scripts.
CODES = ("SOCKERR", "L4TOUT", "L4CON", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7STS")


def found(seed: Cluster, first: ServerStat, second: ServerStat) -> Finding:
    """What is said of master1, as lb1 and lb2 see it."""
    seen = [observe(seed, node, holds=node.name == "lb1") for node in seed.nodes]
    seen = [replace(each, servers=(stat, *each.servers[1:])) for each, stat in zip(seen, (first, second), strict=True)]
    (finding,) = [each for each in judge(seed, seen, plans(seed, *seen)).findings if not each.ok]
    assert (finding.check, finding.is_warning) == ("server", True)
    return finding


def down(code: str, detail: str = "", status: str = "DOWN") -> ServerStat:
    return server("k8s-api", "master1", status, code, detail)


UP = server("k8s-api", "master1")
LOGIN = "it wants a login; for that to count as ready, in hosts.toml:"


def test_every_reason_has_words_and_advice() -> None:
    """None is left to the reader's memory of haproxy's manual."""
    assert {*CODES} == {*WORDS} == {each.partition(" ")[0] for each in FIXES}


@pytest.mark.parametrize("code", CODES)
def test_a_server_that_no_node_sees_up(seed: Cluster, code: str) -> None:
    """The server is asked about, whatever the reason; nothing is left unfilled."""
    finding = found(seed, down(code), down(code))
    assert finding.detail.startswith(f"k8s-api/master1 (192.168.1.21:6443): DOWN {code}, seen from lb1 and lb2: ")
    assert finding.fix
    assert "{" not in finding.detail + finding.fix


@pytest.mark.parametrize("code", ["L4TOUT", "L4CON", "L6TOUT", "L7TOUT"])
def test_one_that_another_node_sees_up_is_not_at_fault(seed: Cluster, code: str) -> None:
    """The way there is."""
    finding = found(seed, UP, down(code))
    assert finding.detail.endswith(": lb1 sees it up, so it runs: the way from lb2 to 192.168.1.21:6443 is at fault")
    assert finding.fix == "on lb2: ip route get 192.168.1.21, and see what filters port 6443 on the way"


def test_who_knows_the_status_tells_it(seed: Cluster) -> None:
    """While a check is being made, haproxy has no status of HTTP to tell; another node may have seen it."""
    finding = found(seed, down("L7STS"), replace(down("L7STS", "Unauthorized"), check_code="401"))
    assert finding.detail.endswith(": it answers /readyz with 401")
    assert finding.fix.startswith(LOGIN)
    other = found(seed, down("L4CON"), replace(down("L7STS", "Unauthorized"), check_code="401"))
    assert "nothing listens at" in other.detail


def test_what_it_answers_is_its_own_matter(seed: Cluster) -> None:
    """Also where another node got another answer."""
    finding = found(seed, UP, replace(down("L7STS", "Internal Server Error"), check_code="500"))
    assert finding.detail.endswith(": it answers /readyz with 500")
    assert finding.fix
    assert finding.fix.endswith("curl -k https://192.168.1.21:6443/readyz?verbose")


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("401", f"{LOGIN} check_status = [200, 401]; or: check_token_file"),
        ("403", f"{LOGIN} check_status = [200, 403]; or: check_token_file"),
        ("404", "correct check_path in hosts.toml: /readyz is not there"),
    ],
)
def test_answers_that_hosts_toml_can_take_into_account(seed: Cluster, status: str, fix: str) -> None:
    """It says which key."""
    answer = replace(down("L7STS"), check_code=status)
    assert found(seed, answer, answer).fix == fix


@pytest.mark.parametrize(
    ("key", "code", "status", "fix"),
    [
        ("check_token", "L7STS", "401", "the token of check_token_file has ended, or may not read /readyz"),
        ("check_certificate", "L6RSP", "", "see whether it takes the certificate of check_certificate"),
    ],
)
def test_a_login_that_a_server_does_not_take(seed: Cluster, key: str, code: str, status: str, fix: str) -> None:
    """The advice is about what the check shows it, and names nothing of its contents."""
    shows: dict[str, Any] = {key: Secret("own", "hunter2")}
    cluster = replace(seed, frontends=(replace(seed.frontends[0], check="https", **shows),))
    answer = replace(down(code), check_code=status)
    told = found(cluster, answer, answer)
    assert (told.fix or "").startswith(fix)
    assert "hunter2" not in str(told)


def test_one_that_somebody_took_out_of_use(seed: Cluster) -> None:
    """By hand, on haproxy's socket: there is no record of it."""
    for status, code in (("MAINT", ""), ("DRAIN", "L4OK")):
        finding = found(seed, UP, down(code, status=status))
        assert finding.detail.endswith("seen from lb2: somebody took it out of use on haproxy's socket")
        assert finding.fix == "lbdeploy undrain master1"
