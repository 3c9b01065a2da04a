"""What becomes of lines of haproxy.cfg."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of, told

from lbdeploy.common.redact import hidden


def explained(line: str, text: str = "", haproxy: str = made.K3S_HAPROXY) -> tuple[str, str]:
    return told(adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy + f"    {line}\n")), text or line)


@pytest.mark.parametrize(
    ("line", "verdict", "words"),
    [
        ("balance leastconn", "kept", "leastconn"),
        ("balance first", "changes", "roundrobin"),
        ("timeout server 2h", "kept", "server_timeout = 7200"),
        ("timeout server 9s", "kept", "leave the key out"),
        ("timeout server 1ms", "changes", "0.1"),
        ("timeout tunnel 1h", "kept", "server_timeout = 3600"),
        ("timeout queue 5s", "changes", "waits for a server"),
        ("retries 7", "changes", "3 tries"),
        ("stick on src", "changes", "source"),
        ("hash-type consistent", "equal", "consistent"),
        ("option ssl-hello-chk", "changes", "accepts connections"),
        ("option httpchk GET /healthz", "changes", "by TLS"),
        ("option nonsense", "changes", "default holds"),
        ("server server-9 10.20.0.29:6443", "changes", "it is checked"),
        ("server server-9 10.20.0.29:6443 check disabled", "changes", "weight = 0"),
        ("server server-9 10.20.0.29:6443 check rise 9", "changes", "rise = 2"),
        ("server server-9 10.20.0.21:6443 check", "ends", "same address"),
        ("fullconn 100", "equal", "minconn"),
    ],
)
def test_lines_of_a_backend(line: str, verdict: str, words: str) -> None:
    found, meaning = explained(line)
    assert (found, words in meaning) == (verdict, True)


def asking(*lines: str) -> str:
    """A haproxy.cfg whose servers are asked over TLS for a page, as these lines say."""
    more = "".join(f"    {each}\n" for each in lines)
    return made.K3S_HAPROXY.replace("    option tcp-check\n", more).replace("check\n", "check check-ssl verify none\n")


@pytest.mark.parametrize(
    ("line", "verdict", "words"),
    [
        ("http-check expect status 401", "kept", "401 is ready, nothing else"),
        ("http-check expect comment x status 200,401", "kept", "200, 401 is ready"),
        ("http-check expect status 200-399", "changes", "not what this line lists"),
        ("http-check expect ! status 500", "changes", "whatever else"),
        ("http-check expect rstring ^ok$", "changes", "whatever else"),
        ("http-check send meth GET uri /healthz ver HTTP/1.1", "kept", "GET /healthz"),
        ("http-check send meth HEAD uri /healthz", "changes", "not HEAD"),
        ("http-check send uri-lf /%[var(x)]", "changes", "without variables"),
        ("http-check send meth POST uri / body x", "changes", "without a body"),
        ("http-check send hdr Host api", "changes", "without the header Host: check_host"),
        ("http-check connect ssl", "kept", "GET"),
        ("http-check connect ssl port 6444", "changes", "the port that clients"),
        ("http-check connect ssl sni api", "changes", "check_host"),
        ("http-check connect ssl send-proxy", "changes", "PROXY"),
        ("http-check send-state", "changes", "not told"),
        ("http-check disable-on-404", "changes", "drained"),
        ("http-check set-var(check.x) int(1)", "changes", "nothing like it"),
        ("http-check comment x", "kept", "GET"),
    ],
)
def test_lines_of_a_check_that_asks_for_a_page(line: str, verdict: str, words: str) -> None:
    """What hosts.toml's check does not do is said of the line that has it."""
    found, meaning = explained("", line, asking("option httpchk GET /healthz", line))
    assert (found, words in meaning) == (verdict, True)


@pytest.mark.parametrize(
    ("line", "more", "verdict", "words"),
    [
        ("option httpchk GET /healthz", "http-check expect status 200", "kept", "GET /healthz: 200 is ready"),
        ("option httpchk GET /healthz", "", "changes", "no longer every 2xx and 3xx"),
        ("option httpchk /healthz", "http-check expect status 200", "changes", "not OPTIONS"),
        ("option httpchk", "http-check send meth GET uri /x", "changes", "no longer every 2xx"),
        (
            r"option httpchk GET / HTTP/1.1\r\nHost:\ api\r\nX-Own:\ 1",
            "http-check expect status 200",
            "changes",
            "without the header Host: check_host sends one; without the header X-Own",
        ),
    ],
)
def test_what_a_page_is_asked_for_with(line: str, more: str, verdict: str, words: str) -> None:
    """A header that is not known to be harmless is named, and its value is not shown."""
    found, meaning = explained("", hidden(line), asking(line, *([more] if more else [])))
    assert (found, words in meaning) == (verdict, True)


def test_headers_of_a_check_are_said_to_be_lost_without_their_values() -> None:
    line = 'http-check send meth GET uri /healthz hdr Authorization "Bearer hunter2"'
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, asking("option httpchk", line)))
    row = next(each for each in found.rows if "hdr Authorization" in each.text)
    assert (row.verdict, "check_token_file" in row.meaning) == ("changes", True)
    assert "hunter2" not in f"{found.rows}{found.draft}"


def test_a_password_in_the_address_of_a_page_is_not_shown() -> None:
    """hosts.toml has it: the servers want it."""
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, asking("option httpchk GET /healthz?token=hunter2")))
    assert "hunter2" not in f"{found.rows}"
    assert found.draft["frontends"]["k3s-frontend"]["check_path"] == "/healthz?token=hunter2"


@pytest.mark.parametrize(
    ("own", "verdict"),
    [("", "changes"), ("    option tcp-check\n", "equal"), ("    no option httpchk\n", "equal")],
)
def test_a_check_of_the_defaults_counts_where_no_section_has_another(own: str, verdict: str) -> None:
    haproxy = "defaults\n    option httpchk GET /healthz\n" + made.K3S_HAPROXY.replace("    option tcp-check\n", own)
    assert explained("", "option httpchk GET /healthz", haproxy)[0] == verdict


def test_a_port_that_is_open_everywhere_is_open_on_the_vips_alone() -> None:
    verdict, meaning = explained("", "bind *:6443")
    assert (verdict, "127.0.0.1" in meaning) == ("changes", True)


@pytest.mark.parametrize(
    ("words", "verdict", "lost"),
    [
        ("name x v6only", "kept", ""),
        ("backlog 10000", "changes", "the queue of connections that are not accepted yet is haproxy's default"),
        ("transparent", "changes", "nothing is intercepted that is sent to other addresses"),
        ("defer-accept name x", "changes", "a connection counts at once, not with its first data"),
    ],
)
def test_words_of_a_bind_that_no_frontend_has(words: str, verdict: str, lost: str) -> None:
    line = f"bind 10.20.0.10:6443 {words}"
    found, meaning = explained("", line, made.K3S_HAPROXY.replace("bind *:6443", line))
    assert (found, meaning.partition("; ")[2]) == (verdict, lost)
    wide = f"bind *:6443 {words}"
    found, meaning = explained("", wide, made.K3S_HAPROXY.replace("bind *:6443", wide))
    assert (found, meaning.partition("; ")[2]) == ("changes", lost)


@pytest.mark.parametrize(
    ("lines", "limit", "verdict"),
    [
        (["bind 10.20.0.10:6443 maxconn 200"], 200, "kept"),
        (["bind *:6443 maxconn 200"], 200, "changes"),
        (["bind 10.20.0.10:6443 maxconn 200", "maxconn 500"], 200, "kept"),
        (["bind 10.20.0.10:6443 maxconn 200", "maxconn 100"], 100, "changes"),
        (["bind 10.20.0.10:6443 maxconn 200", "bind 10.20.0.77:6443"], None, "changes"),
        (["bind 10.20.0.10:6443,10.20.0.77:6443 maxconn 200"], None, "changes"),
        (["bind 10.20.0.10:6443 maxconn 0"], None, "kept"),
    ],
)
def test_the_limit_of_the_only_address_of_a_frontend_is_its_own(
    lines: list[str], limit: int | None, verdict: str
) -> None:
    """Of several addresses, each has its limit for itself, which a frontend can't have."""
    haproxy = made.K3S_HAPROXY.replace("bind *:6443", "\n    ".join(lines))
    keepalived = made.K3S_KEEPALIVED.replace("10.20.0.10/24", "10.20.0.10/24\n        10.20.0.77/24")
    found = adopt_all(pair_of(keepalived, haproxy))
    (frontend,) = found.draft["frontends"].values()
    assert frontend.get("max_connections") == limit
    said, meaning = told(found, lines[0])
    assert (said, "max_connections" in meaning) == (verdict, "bind 10" in lines[0] and verdict == "changes")


def test_a_queue_of_connections_that_are_not_accepted_yet_is_haproxys() -> None:
    assert explained("backlog 10000")[0] == "changes"


def test_sections_of_other_kinds_end() -> None:
    haproxy = made.K3S_HAPROXY + "resolvers dns\n    nameserver a 10.0.0.1:53\nuserlist u\n"
    assert explained("user x insecure-password y", "user x insecure-password (hidden)", haproxy)[0] == "ends"
    assert explained("", "nameserver a 10.0.0.1:53", haproxy) == (
        "ends",
        "hosts.toml has nothing like the section resolvers",
    )


def test_the_times_of_other_sections_do_not_count() -> None:
    """A timeout of the defaults that each frontend overrides is not lost."""
    haproxy = "defaults\n    timeout client 9s\n" + made.K3S_HAPROXY.replace(
        "    option tcplog\n", "    timeout client 3h\n"
    )
    assert explained("", "timeout client 9s", haproxy)[0] == "equal"


def test_a_time_of_the_defaults_that_the_preferred_node_has_otherwise_changes() -> None:
    """No section of this node has one of its own."""
    haproxy = "defaults\n    timeout client 50s\n" + made.K3S_HAPROXY
    other = haproxy.replace("50s", "60s")
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy, other=other))
    assert told(found, "timeout client 60s", "lb2") == ("changes", "frontends.k3s-frontend.client_timeout = 50")


@pytest.mark.parametrize(
    ("backups", "more", "verdict"),
    [
        (2, "", "changes"),
        (2, "    no option allbackups\n", "changes"),
        (2, "    option allbackups\n", "kept"),
        (1, "", "kept"),
    ],
)
def test_backups_that_haproxy_uses_one_by_one_begin_to_share_the_load(backups: int, more: str, verdict: str) -> None:
    """Those of lbdeploy's frontends all do; of a single one, or where they do so already, nothing changes."""
    haproxy = made.K3S_HAPROXY + more
    lines = [f"server b{n} 10.20.0.3{n}:6443 check backup" for n in range(backups)]
    found = adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy + "".join(f"    {each}\n" for each in lines)))
    assert [(told(found, each)[0], "share" in told(found, each)[1]) for each in lines] == [
        (verdict, verdict == "changes")
    ] * backups
    assert told(found, "server server-1 10.20.0.21:6443 check")[0] == "kept"
