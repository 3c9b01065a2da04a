"""Checks that ask servers for a page."""

from __future__ import annotations

import pytest

from lbdeploy.operations.adopt.haproxy import http_checks
from lbdeploy.operations.adopt.haproxy.proxies import proxies
from lbdeploy.operations.adopt.reading.haproxy_cfg import parse
from lbdeploy.operations.adopt.reading.sources import HostNames


def table(*lines: str) -> dict[str, object]:
    text = "\n ".join(("listen a", "bind :1", "server s 10.0.0.1:1 check check-ssl", *lines))
    (found,) = proxies(parse({"/x.cfg": text}, {}), HostNames())
    return http_checks.table(found)


@pytest.mark.parametrize(
    ("expected", "statuses"),
    [
        ("status 401", [401]),
        ("status 200,401-403", [200, 401, 402, 403]),
        ("min-recv 5 comment x status 200", [200]),
        ("status 200-399", [200]),
        ("! status 500", [200]),
        ("rstatus 2..", [200]),
        ("status", [200]),
        ("", [200]),
    ],
)
def test_the_statuses_that_mean_ready_are_those_that_are_expected(expected: str, statuses: list[int]) -> None:
    """As far as hosts.toml can list them."""
    assert http_checks.statuses(table("option httpchk GET /", f"http-check expect {expected}")) == statuses


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        (["option httpchk"], "/"),
        (["option httpchk /x"], "/x"),
        (["option httpchk GET /x"], "/x"),
        (["option httpchk GET /x", "http-check send uri /y"], "/y"),
        (["option httpchk GET /x", "http-check send uri"], "/x"),
    ],
)
def test_the_page_is_what_is_asked_for(lines: list[str], path: str) -> None:
    assert table(*lines)["check_path"] == path


@pytest.mark.parametrize("line", ["option tcp-check", "no option httpchk", "option ssl-hello-chk", "option"])
def test_the_last_kind_of_check_counts(line: str) -> None:
    kind = "https" if line == "option" else "tcp"
    assert table("option httpchk GET /", line)["check"] == kind
