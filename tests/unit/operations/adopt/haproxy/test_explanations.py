"""What becomes of lines of haproxy.cfg."""

from __future__ import annotations

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of, told


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


def test_a_port_that_is_open_everywhere_is_open_on_the_vips_alone() -> None:
    verdict, meaning = explained("", "bind *:6443")
    assert (verdict, "127.0.0.1" in meaning) == ("changes", True)


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
