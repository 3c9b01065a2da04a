"""What becomes of servers whose options differ."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of, told

from lbdeploy.config import reader
from lbdeploy.errors import RemoteError
from lbdeploy.operations.adopt.result import Adopted

ONE, OTHER = (f"-----BEGIN CERTIFICATE-----\n{each}\n-----END CERTIFICATE-----\n" for each in "ab")
CAS = {"a": ONE, "b": OTHER}
HTTPS = ("option httpchk GET /readyz", "http-check expect status 200")
CHECKED = "check check-ssl"
BY_NAME = f"{CHECKED} verify required ca-file /etc/a.pem"


def haproxy(*lines: str) -> str:
    return "listen api\n bind 10.20.0.10:6443\n" + "".join(f" {each}\n" for each in lines)


def server(number: int, options: str) -> str:
    return f"server master{number} 10.20.0.2{number}:6443 {options}".strip()


def adopted(*lines: str, other: str = "") -> Adopted:
    """Of a section with these lines; `other`: haproxy.cfg of the second node, where it differs."""
    machines = pair_of(made.K3S_KEEPALIVED, haproxy(*lines), other=other)
    for machine in machines:
        machine.sources["haproxy"].add({f"/etc/{name}.pem": {f"/etc/{name}.pem": text} for name, text in CAS.items()})
    found = adopt_all(machines)
    assert reader.problems(found.draft, dict(found.files)) == []
    return found


def becomes(found: Adopted, line: str) -> tuple[str, str]:
    """The verdict, and what is said besides where it is."""
    verdict, meaning = told(found, line)
    return verdict, meaning.partition("; ")[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("check send-proxy-v2", "check"), "send-proxy-v2 of master1 alone"),
        (("check", "check send-proxy"), "send-proxy of master2 alone"),
        (("check send-proxy", "check send-proxy"), "server send-proxy: frontends of hosts.toml send version 2"),
        (("check send-proxy-v2-ssl", "check send-proxy-v2-ssl"), "server send-proxy-v2-ssl"),
    ],
)
def test_a_section_whose_proxy_headers_no_frontend_sends_is_none(options: tuple[str, str], words: str) -> None:
    """Any would break a server: the section is kept as it is, and if it is all that there is, nothing is adopted."""
    lines = [server(number, each) for number, each in enumerate(options, 1)]
    with pytest.raises(RemoteError) as caught:
        adopted(*lines)
    assert words in caught.value.message
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, made.K3S_HAPROXY + haproxy(*lines).replace("6443", "7443")))
    assert list(found.draft["frontends"]) == ["k3s-frontend"]
    assert "send-proxy" in found.files["haproxy.d/sections.cfg"]
    assert told(found, "listen api")[0] == "kept"


def test_a_check_over_tls_of_some_servers_connects_to_all() -> None:
    """The other one speaks none, and would be down."""
    base = f"default-server {CHECKED} verify none"
    found = adopted(*HTTPS, base, server(1, ""), server(2, ""), server(3, "no-check-ssl"))
    assert found.draft["frontends"]["api"]["check"] == "tcp"
    assert told(found, base) == ("changes", "the check does not speak TLS: it connects (master1, master2)")
    assert told(found, server(3, "no-check-ssl")) == ("kept", "frontends.api.servers.master3")


@pytest.mark.parametrize("option", ["verifyhost", "check-sni"])
def test_names_that_differ_are_not_asked_for(option: str) -> None:
    """One name for all would be wrong for the others; who signed is still asked."""
    lines = [server(number, f"{BY_NAME} {option} master{number}") for number in (1, 2)]
    found = adopted(*HTTPS, *lines)
    frontend = found.draft["frontends"]["api"]
    assert ("check_host" in frontend, frontend["check_ca_file"]) == (False, "ca/api.pem")
    lost = "the check asks for no name: a frontend has one check_host for all its servers"
    assert [becomes(found, each) for each in lines] == [("changes", lost)] * 2


@pytest.mark.parametrize(
    "options", [f"{BY_NAME} verifyhost api", f"{BY_NAME} check-sni api", f"{CHECKED} check-sni api"]
)
def test_a_name_of_all_servers_is_kept(options: str) -> None:
    line = server(1, options)
    found = adopted(*HTTPS, line, server(2, options))
    assert found.draft["frontends"]["api"]["check_host"] == "api"
    assert told(found, line) == ("kept", "frontends.api.servers.master1")


def test_a_name_that_nothing_is_compared_with_is_none() -> None:
    """haproxy heeds verifyhost only where it verifies, and then where no SNI is sent."""
    lines = [server(number, f"{CHECKED} verify none verifyhost master{number}") for number in (1, 2)]
    found = adopted(*HTTPS, *lines)
    assert "check_host" not in found.draft["frontends"]["api"]
    assert [told(found, each)[0] for each in lines] == ["kept", "kept"]


def test_the_authorities_of_all_servers_are_those_of_the_check() -> None:
    lines = [server(number, f"{CHECKED} ca-file /etc/{name}.pem") for number, name in enumerate("ab", 1)]
    found = adopted(*HTTPS, *lines)
    assert found.files == {"ca/api.pem": ONE + OTHER}
    lost = "check_ca_file has the CAs of all servers: any of them may have signed a certificate"
    assert [becomes(found, each) for each in lines] == [("changes", lost)] * 2


def test_a_server_that_is_not_verified_keeps_the_others_from_it() -> None:
    """Its certificate may be of anybody."""
    lines = [server(1, BY_NAME), server(2, f"{CHECKED} verify none")]
    found = adopted(*HTTPS, *lines)
    assert "check_ca_file" not in found.draft["frontends"]["api"]
    lost = "the check does not verify who answers: check_ca_file is one of all servers"
    assert [becomes(found, each) for each in lines] == [("changes", lost), ("kept", "")]


def test_haproxy_verifies_unless_it_is_told_not_to() -> None:
    """By the option of a server, or for all by one of the section global."""
    line = server(1, f"{CHECKED} ca-file /etc/a.pem")
    assert adopted(*HTTPS, line).files == {"ca/api.pem": ONE}
    whole = "global\n ssl-server-verify none\n" + haproxy(*HTTPS, line)
    assert adopt_all(pair_of(made.K3S_KEEPALIVED, whole)).files == {}


@pytest.mark.parametrize(
    ("options", "others", "lost"),
    [
        ("check weight 5", "check", ""),
        ("check", "check inter 9s", "interval = 9"),
        ("check rise 9", "check", "rise = 2"),
        ("check", "check on-marked-down shutdown-sessions", "its connections are closed when it is down"),
        ("check on-marked-down shutdown-sessions", "check", "its connections stay when it is down"),
        ("check slowstart 9s", "check", "slow_start is not set"),
        ("check", "check slowstart 9s", "slow_start = 9"),
        ("check check-send-proxy", "check", "the check sends no PROXY header"),
        ("check tcp-ut 30s", "check", "tcp-ut is 10 s, as for all servers"),
        ("check proxy-v2-options crc32c", "check", "without proxy-v2-options"),
        ("check id 5", "check", ""),
    ],
)
def test_what_most_servers_have_is_said_of_the_one_that_has_it_otherwise(options: str, others: str, lost: str) -> None:
    line = server(1, options)
    found = adopted(line, server(2, others), server(3, others))
    assert becomes(found, line) == ("changes" if lost else "kept", lost)


@pytest.mark.parametrize(
    ("options", "others", "lost"),
    [
        ("check weight 5", "check", "weight = 1"),
        ("check", "check weight 5", "weight = 5"),
        ("check maxconn 9", "check", "max_connections is not set"),
        ("check", "check backup", "it is a backup"),
        ("check backup", "check", "it is no backup"),
        ("check", "check send-proxy-v2", "its connections begin with a PROXY header"),
        ("check send-proxy-v2", "check", "no PROXY header tells it who a client is"),
        ("check", f"{CHECKED} verify none", "the check asks for a page by TLS"),
        (f"{CHECKED} verify none", BY_NAME, "the check verifies who answers: check_ca_file"),
        (f"{CHECKED} ca-file /etc/b.pem", BY_NAME, "check_ca_file has another CA"),
        (f"{CHECKED} verify none", f"{CHECKED} verify none check-sni api", "check_host = api"),
    ],
)
def test_what_the_preferred_node_has_otherwise_is_said(options: str, others: str, lost: str) -> None:
    line = server(1, options)
    both = server(2, others.removesuffix("backup"))
    found = adopted(*HTTPS, server(1, others), both, other=haproxy(*HTTPS, line))
    verdict, meaning = told(found, line, "lb2")
    assert (verdict, meaning.partition("; ")[2]) == ("changes", lost)


def test_options_of_all_servers_count_for_those_after_them_that_have_no_other() -> None:
    first, second = "default-server check inter 5s backup", "default-server inter 7s no-backup"
    lines = [first, server(1, ""), second, server(2, ""), server(3, "inter 1s")]
    found = adopted(*lines)
    frontend = found.draft["frontends"]["api"]
    assert frontend["servers"] == {
        "master1": {"address": "10.20.0.21", "backup": True},
        "master2": "10.20.0.22",
        "master3": "10.20.0.23",
    }
    assert frontend["interval"] == 5
    assert told(found, first)[0] == "kept"
    assert told(found, second) == ("changes", "interval = 5 (master2)")
    assert becomes(found, server(3, "inter 1s")) == ("changes", "interval = 5")


def test_options_that_each_server_has_otherwise_are_replaced_by_theirs() -> None:
    found = adopted("default-server inter 9s", server(1, "check inter 3s"))
    assert told(found, "default-server inter 9s") == ("equal", "no server has these from here")


def test_options_of_the_defaults_are_compared_with_each_frontend() -> None:
    """Of two, one may have it otherwise."""
    text = "defaults\n default-server inter 4s\n" + haproxy(server(1, "check"))
    more = "listen b\n bind 10.20.0.10:7443\n"
    more += "".join(
        f" server b{n} 10.20.0.3{n}:7443 check{options}\n" for n, options in enumerate(["", *[" inter 9s"] * 2])
    )
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, text + more))
    assert told(found, "default-server inter 4s") == ("changes", "interval = 9 (b0)")
