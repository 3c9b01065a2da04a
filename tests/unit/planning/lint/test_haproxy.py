"""Mistakes in haproxy.cfg."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import cluster
from goldens import READY
from linted import built_in, lints, text_of

from lbdeploy.planning.desired import HAPROXY_CFG, files
from lbdeploy.planning.lint import haproxy


def two_sections(backend: str = "{{ frontend.name }}") -> str:
    """haproxy.cfg with a frontend and a backend each, as lbdeploy itself wrote it before."""
    start = f"    default_backend {backend}\n\nbackend {backend}\n    balance {{{{"
    return built_in("haproxy.cfg").replace("\nlisten ", "\nfrontend ").replace("    balance {{", start)


def test_a_frontend_and_a_backend_of_one_name_are_found(tmp_path: Path) -> None:
    """They work with haproxy before 3.2, which warns of them: and the node's validator lets no warning pass."""
    (found,) = lints(tmp_path, "haproxy.cfg", two_sections())
    assert (found.severity, found.fix) == ("warning", "make them one section: listen k8s-api")
    assert found.message == "frontend and backend k8s-api have one name: haproxy 3.2 warns of it, and is refused then"
    assert "backend k8s-api" in text_of(tmp_path, HAPROXY_CFG).splitlines()[(found.line or 0) - 1]


def test_servers_in_a_section_of_another_name_are_found(tmp_path: Path) -> None:
    """lbdeploy looks for a frontend's servers by its name."""
    (found,) = lints(tmp_path, "haproxy.cfg", two_sections("{{ frontend.name }}-servers"))
    assert (found.severity, found.fix) == ("error", "give the servers a section: listen k8s-api")
    assert found.message.startswith("no section listen k8s-api or backend k8s-api: nobody could say")


def test_tcplog_in_a_backend_is_found(tmp_path: Path) -> None:
    """haproxy ignores `option tcplog` in a backend, with a warning; elsewhere it is right."""
    more = "\nbackend more\n    option tcplog\n    balance {{ cluster.frontends[0].balance }}\n"
    text = built_in("haproxy.cfg") + more
    (found,) = lints(tmp_path, "haproxy.cfg", text)
    assert (found.severity, found.file) == ("warning", "/etc/haproxy/haproxy.cfg")
    assert found.message == "option tcplog has no effect in a backend"


@pytest.mark.parametrize(
    ("old", "new", "severity", "message"),
    [
        (" level admin", "", "error", "has no stats socket /run/haproxy/admin.sock of level admin"),
        ("    bind unix@", "    # bind unix@", "warning", "frontend k8s-api is not bound to /run/haproxy/k8s-api.sock"),
        ("\nfrontend {{ paths.status }}", "\nfrontend other", "warning", "has no frontend lbdeploy-status"),
    ],
)
def test_what_lbdeploy_asks_haproxy_by_is_missed(
    tmp_path: Path, old: str, new: str, severity: str, message: str
) -> None:
    """Without its sockets, nobody could say whether servers are up, or whether a standby serves, and no peer either."""
    (found,) = lints(tmp_path, "haproxy.cfg", built_in("haproxy.cfg").replace(old, new))
    assert (found.severity, found.message[: len(message)]) == (severity, message)


def test_many_frontends_take_as_many_times_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many frontends have about twice as much text looked at, and not four times."""
    read = 0

    class Content(str):
        __slots__ = ()

        def strip(self, *characters: Any) -> str:
            nonlocal read
            read += len(self)
            return super().strip(*characters)

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(pattern: str, text: str, *rest: Any) -> Any:
            nonlocal read
            read += len(text)
            return function(pattern, text, *rest)

        return call

    counted = SimpleNamespace(escape=re.escape, MULTILINE=re.MULTILINE)
    for name in ("match", "search", "findall"):
        setattr(counted, name, counting(getattr(re, name)))
    monkeypatch.setattr(haproxy, "re", counted)
    looked_at = []
    for count in (20, 40):
        more = "".join(f'[frontends.f{n}]\nport = {7000 + n}\nservers.a = "192.168.1.21"\n' for n in range(count))
        of, read = cluster(tmp_path, READY + more), 0
        content = Content(next(file.content for file in files(of, of.nodes[0]) if file.path == HAPROXY_CFG))
        assert [found for rule in haproxy.RULES for found in rule(of, of.nodes[0], content)] == []
        looked_at.append(read)
    assert looked_at[1] < 2.2 * looked_at[0]
