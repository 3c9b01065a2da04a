"""Certificates that servers present: what is said of each, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from certs import of_no_version
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lbdeploy.config.model import Cluster
from lbdeploy.health.certificates.judgement import judged, questions
from lbdeploy.health.finding import Finding
from lbdeploy.lab.machine import keys
from lbdeploy.ssh.greeting import Greeting, Outcome

VIPS = ("192.168.0.10", "192.168.1.10")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.make_authority(tmp_path)
    return tmp_path


def made(folder: Path, *names: str, days: float = 365, authority: Path | None = None) -> bytes:
    keys.make_other(folder / "it.pem", authority or folder, names, days)
    pem = (folder / "it.pem").read_bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def good(folder: Path, number: int, **other: Any) -> bytes:
    return made(folder, "kubernetes", *VIPS, f"192.168.1.2{number}", **other)


def found(seed: Cluster, *presented: bytes, outcome: Outcome = "greeted") -> list[Finding]:
    """What is said where master1 and those after it present these."""
    asked = questions(seed)
    heard = [Greeting(each, outcome, der) for each, der in zip(asked, presented, strict=False)]
    return judged(seed, heard)


def test_good_ones_are_one_finding(seed: Cluster, folder: Path) -> None:
    """For all servers."""
    (one,) = found(seed, *(good(folder, number) for number in (1, 2, 3)))
    assert (one.ok, one.check, one.node) == (True, "certificate", None)
    assert one.detail.startswith("the certificates of 3 servers are valid for more than 30 days")


def test_names_that_lack_a_vip(seed: Cluster, folder: Path) -> None:
    """They are listed, with what puts them in."""
    (one,) = found(seed, made(folder, "kubernetes", VIPS[0], "192.168.1.21"))
    assert (one.is_warning, one.subject) == (True, "k8s-api/master1")
    assert one.detail.endswith("(192.168.1.21) is not for 192.168.1.10: clients that connect there refuse it")
    assert one.fix == (
        'have it signed anew with ["192.168.1.10"] among its names: '
        "docs/howto/certificates.md has the lines for kubeadm, k3s, RKE2 and k0s"
    )


@pytest.mark.parametrize(
    ("days", "severity", "words"), [(20, "warning", " ends in 19 days, on "), (-1, "error", " has ended, on ")]
)
def test_the_end_is_told_in_time(seed: Cluster, folder: Path, days: float, severity: str, words: str) -> None:
    """Within 30 days it is a warning; once it has come, clients of that server get errors."""
    (one,) = found(seed, good(folder, 1, days=days))
    assert (one.severity, words in one.detail) == (severity, True)


def test_authorities_that_differ(seed: Cluster, folder: Path, tmp_path: Path) -> None:
    """By their keys: all have the same name here, as all of kubeadm's have."""
    (tmp_path / "other").mkdir()
    keys.make_authority(tmp_path / "other")
    other = good(folder, 2, authority=tmp_path / "other")
    (one,) = found(seed, good(folder, 1), other, good(folder, 3))
    assert one.subject == "k8s-api"
    assert "master1, master3; lbdeploy lab CA" in one.detail


def test_another_server_behind_an_address(seed: Cluster, folder: Path) -> None:
    """Its certificate tells."""
    (one,) = found(seed, good(folder, 3))
    assert one.detail == "the certificate of k8s-api/master1 (192.168.1.21) is that of master3"


def test_an_ingress_has_only_an_end(seed: Cluster, folder: Path) -> None:
    """Its names depend on what clients ask for, and its default certificate is its own."""
    (api,) = seed.frontends
    servers = tuple(replace(each, port=30443) for each in api.servers)
    ingress = replace(seed, frontends=(replace(api, port=443, servers=servers),))
    (one,) = found(ingress, made(folder, "ingress.local"))
    assert one.ok
    (one,) = found(ingress, made(folder, "ingress.local", days=-1))
    assert one.is_warning


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("barred", "not looked at: sshd on the nodes forwards no connection to servers"),
        ("plain", "no server presents one"),
        ("unreachable", "no server presents one"),
    ],
)
def test_what_presents_none_is_no_problem(seed: Cluster, outcome: Outcome, words: str) -> None:
    """Nor is a node that lets nobody ask."""
    (one,) = found(seed, b"", b"", b"", outcome=outcome)
    assert (one.ok, one.detail.startswith(words)) == (True, True)


@pytest.mark.parametrize("der", [b"nonsense", b"\x30\x82\xff\xff", bytes(5000)])
def test_nonsense_is_no_certificate(seed: Cluster, der: bytes) -> None:
    """Whoever sends it; and it is told."""
    (one,) = found(seed, der)
    assert (one.is_warning, one.subject) == (True, "k8s-api/master1")
    assert one.detail == (
        "the certificate of k8s-api/master1 (192.168.1.21) can't be read, as RFC 5280 wants it: not judged"
    )
    assert one.fix is not None
    assert "openssl s_client -connect 192.168.1.21:6443 -showcerts" in one.fix


def test_one_of_an_unknown_version_hides_no_other(seed: Cluster, folder: Path) -> None:
    """OpenSSL shakes hands with it, so whoever answers there can present it; the others are judged."""
    one, two = found(seed, of_no_version(good(folder, 1)), good(folder, 2, days=-1), good(folder, 3))
    assert (one.is_warning, one.subject) == (True, "k8s-api/master1")
    assert (two.severity, two.subject) == ("error", "k8s-api/master2")


def test_one_that_is_not_valid_yet(seed: Cluster, folder: Path) -> None:
    """Clients of an API refuse it; what those of an ingress do is not known."""
    heard = [Greeting(questions(seed)[0], "greeted", good(folder, 1))]
    early = datetime.now(UTC) - timedelta(days=100)
    (one,) = judged(seed, heard, early)
    assert (one.severity, one.subject) == ("error", "k8s-api/master1")
    assert "(192.168.1.21) is not valid before 2" in one.detail
    assert one.fix == "see the clock there, and here"
    (api,) = seed.frontends
    servers = tuple(replace(each, port=30443) for each in api.servers)
    (one,) = judged(replace(seed, frontends=(replace(api, port=443, servers=servers),)), heard, early)
    assert one.is_warning


def test_the_name_that_the_check_wants(seed: Cluster, folder: Path) -> None:
    """haproxy would have the server down for it, once it has a CA."""
    named = replace(seed, frontends=(replace(seed.frontends[0], check_host="api.example.org"),))
    (one,) = found(named, good(folder, 1))
    assert "is not for api.example.org" in one.detail
    assert [each.ok for each in found(named, made(folder, "*.example.org", *VIPS, "192.168.1.21"))] == [True]


def test_a_certificate_on_its_last_day(seed: Cluster, folder: Path) -> None:
    """By this machine's clock."""
    heard = [Greeting(questions(seed)[0], "greeted", good(folder, 1, days=1))]
    (one,) = judged(seed, heard, datetime.now(UTC))
    assert "ends in 0 days" in one.detail
