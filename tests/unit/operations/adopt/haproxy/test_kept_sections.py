"""What no frontend of hosts.toml can do goes into a file of its own, as it is."""

from __future__ import annotations

from pathlib import Path

import handmade_files as made
import pytest
from handmade_files import adopt_all, pair_of

from lbdeploy.config import reader, writer
from lbdeploy.operations.adopt.haproxy.kept_sections import FILE
from lbdeploy.operations.adopt.result import Adopted
from lbdeploy.planning.desired import HAPROXY_CFG, files
from lbdeploy.planning.lint.lint import lint

WEB = """\
global
    setenv SITE lan
    maxconn 20000
defaults
    mode tcp
    timeout connect 5s
    timeout client 50s
    timeout server 50s
frontend api
    bind 10.20.0.10:6443
    default_backend masters
backend masters
    server master1 10.20.0.21:6443 check
userlist people
    user admin insecure-password hunter2
defaults
    mode http
    timeout connect 4s
    timeout client 40s
    timeout server 40s
frontend web
    bind *:80
    use_backend masters if { path /api }
    default_backend sites
backend sites
    server web1 10.20.0.31:8080 check
"""


def adopted(haproxy: str, other: str | None = None) -> Adopted:
    return adopt_all(pair_of(made.K3S_KEEPALIVED, haproxy, other=other or haproxy))


def rendered(folder: Path, found: Adopted) -> dict[str, str]:
    """Each node's haproxy.cfg, as the hosts.toml that was written makes it; the lint finds nothing wrong with it."""
    (folder / "haproxy.d").mkdir(exist_ok=True)
    for name, text in found.files.items():
        (folder / name).write_text(text)
    (folder / "hosts.toml").write_text(writer.text(found.draft))
    cluster = reader.load(folder / "hosts.toml")
    assert [each.message for each in lint(cluster) if "haproxy.d" in each.message] == []
    return {
        node.name: next(file.content for file in files(cluster, node) if file.path == HAPROXY_CFG)
        for node in cluster.nodes
    }


def test_sections_are_kept_with_what_they_depend_on() -> None:
    """Their own defaults, the backend that a frontend shares with them, lists of users, variables; nothing else."""
    kept = adopted(WEB).files[FILE]
    first, *sections = kept.split("\n\n") if "\n\n" in kept else [kept]
    assert sections == []
    assert [line for line in first.splitlines() if not line.startswith(" ")] == [
        "global",
        "defaults",
        "backend masters",
        "userlist people",
        "defaults",
        "frontend web",
        "backend sites",
    ]
    assert "maxconn" not in kept
    assert "    setenv SITE lan\n" in kept


@pytest.mark.parametrize(
    ("defaults", "own", "kept"),
    [
        ("    default_backend masters\n", "", True),
        ("    default_backend masters\n", "    default_backend sites\n", False),
        ("", "    use_backend %[req.hdr(host)]\n", True),
        ("", "    default_backend sites\n", False),
    ],
    ids=["its defaults name it", "it has another one than its defaults", "what clients send names it", "none names it"],
)
def test_a_backend_is_kept_that_a_kept_section_may_lead_to(defaults: str, own: str, kept: bool) -> None:
    haproxy = WEB.replace("    mode http\n", f"    mode http\n{defaults}").replace(
        "    use_backend masters if { path /api }\n    default_backend sites\n", own
    )
    assert ("\nbackend masters\n" in adopted(haproxy).files[FILE]) == kept


def test_what_lbdeploys_own_section_does_is_not_there_twice(tmp_path: Path) -> None:
    """A backend of the name that the frontend has in hosts.toml is that frontend's section."""
    found = adopted(WEB.replace("masters", "api"))
    assert "\nbackend api\n" not in found.files[FILE]
    assert "use_backend api if { path /api }" in found.files[FILE]
    assert all("use_backend api if" in conf for conf in rendered(tmp_path, found).values())


def test_a_pair_that_needs_none_has_none() -> None:
    found = adopted(made.K3S_HAPROXY + "userlist unused\n    user a insecure-password b\n")
    assert (found.files, "haproxy" in found.draft) == ({}, False)


def test_nodes_that_differ_by_their_own_addresses_share_a_text(tmp_path: Path) -> None:
    """Where they differ by more, each has its own."""
    local = "listen local\n    bind 10.20.0.{}:7000\n    server s 10.20.0.21:7000\n"
    found = adopted(WEB + local.format(11), WEB + local.format(12))
    assert 'bind {{ node.addresses["lan"] }}:7000' in found.files[FILE]
    confs = rendered(tmp_path, found)
    assert {name: conf.count(f"bind 10.20.0.{11 + at}:7000") for at, (name, conf) in enumerate(confs.items())} == {
        "lb1": 1,
        "lb2": 1,
    }
    found = adopted(WEB, WEB.replace("web1", "web2"))
    assert [("server web1" in conf, "server web2" in conf) for conf in rendered(tmp_path, found).values()] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "log-format %{+Q}o{{%ci}}", "log-format {#a", "http-request deny if {%x }",
        "log-format {{{a}}}{{%b%}}{%- raw -%}",
        'stats enable # {% endraw %}{{ cycler.__init__.__globals__.os.popen("id") }}{% raw %}',
    ],
)  # fmt: skip
def test_what_means_something_to_templates_stays_as_it_is(tmp_path: Path, line: str) -> None:
    """And is not run on the operator's machine: what a node says is data."""
    found = adopted(WEB.replace("    bind *:80\n", f"    bind *:80\n    {line}\n"))
    assert all(f"    {line}\n" in conf for conf in rendered(tmp_path, found).values())
