"""Checks of servers that do not say what one expects of them, and secrets that end."""

from __future__ import annotations

import base64
import json
import ssl
import time
from pathlib import Path

import pytest
from builders import cluster
from certs import of_no_version
from goldens import GOOD, READY, RICH

from lbdeploy.planning.lint.server_checks import certificate_end, server_checks, token_end, too_little

DAY = 86400


def web_token(**claims: object) -> str:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in ({"alg": "RS256"}, claims)
    )
    return f"{head}.{body}.c2ln"


@pytest.mark.parametrize(
    ("old", "new", "warned"),
    [
        ("", "", True),
        ("port = 6443", "port = 443", False),
        ('master1 = "192.168.1.21"', 'master1 = "192.168.1.21:6443"', True),
        ('check = "tcp"', 'check = "https"', False),
    ],
)
def test_a_tcp_check_of_an_api_server_is_warned_of(tmp_path: Path, old: str, new: str, *, warned: bool) -> None:
    """By its port: on others, there may be anything."""
    text = GOOD.replace(old, new) if old else GOOD
    if "6443" in new:
        text = text.replace("port = 6443", "port = 443")
    found = [*too_little(cluster(tmp_path, text))]
    assert bool(found) is warned
    assert all("shuts down" in message and 'check = "https"' in fix for message, fix in found)


@pytest.mark.parametrize(("days", "words"), [(-1, "has ended ("), (3, "ends on "), (40, "")])
def test_a_token_that_ends_is_warned_of(ca_folder: Path, days: int, words: str) -> None:
    """`kubectl create token` gives one for an hour: with it, every server is down an hour later."""
    (ca_folder / "token").write_text(web_token(exp=int(time.time()) + days * DAY))
    found = [message for message, _ in server_checks(cluster(ca_folder, RICH))]
    assert [words in each for each in found] == ([True] if words else [])
    assert all(each.startswith("frontends.machine-config.check_token_file: the token ") for each in found)


@pytest.mark.parametrize(
    "token", ["opaque", "a.b.c", "a.!!.c", web_token(sub="x"), web_token(exp="soon"), "a.MQ.c", ""]
)
def test_a_token_that_does_not_say_when_it_ends(token: str) -> None:
    """No other kind is taken for a JSON Web Token, and nothing fails."""
    assert token_end(token) is None


def test_the_end_of_a_certificate(ca_folder: Path) -> None:
    """That of the first one in the file; a damaged one has none."""
    end = certificate_end((ca_folder / "client.pem").read_text())
    assert end
    assert 3640 * DAY < end - time.time() < 3660 * DAY
    assert certificate_end("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n") is None


def test_a_certificate_of_a_version_that_is_none(ca_folder: Path) -> None:
    """It says nothing of its end, and nothing fails."""
    pem = (ca_folder / "client.pem").read_text()
    der = of_no_version(ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") : pem.index("-----END CERT") + 25]))
    assert certificate_end(ssl.DER_cert_to_PEM_cert(der)) is None


def test_a_secret_that_others_may_read_is_warned_of(ca_folder: Path) -> None:
    """On this machine."""
    of = cluster(ca_folder, RICH)
    assert [*server_checks(of)] == []
    (ca_folder / "token").chmod(0o644)
    ((message, fix),) = server_checks(of)
    assert message.endswith("token: others on this machine may read it")
    assert fix == f"chmod 600 {ca_folder / 'token'}"


def test_the_advice_about_a_secret_can_be_copied(ca_folder: Path) -> None:
    """Also where its path has spaces, or more."""
    path = ca_folder / "to ken"
    path.write_text((ca_folder / "token").read_text())
    path.chmod(0o644)
    ((_, fix),) = server_checks(
        cluster(ca_folder, RICH.replace('check_token_file = "token"', f'check_token_file = "{path}"'))
    )
    assert fix == f"chmod 600 '{path}'"


def test_the_right_check_is_let_pass(tmp_path: Path) -> None:
    """Nothing is said of it."""
    of = cluster(tmp_path, READY)
    assert [*too_little(of), *server_checks(of)] == []
