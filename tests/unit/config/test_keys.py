"""Names with dots that are not quoted: one problem each, with the form that is right."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from goldens import GOOD

from lbdeploy.config import reader
from lbdeploy.config.keys import joined
from lbdeploy.errors import HostsFileError

KNOWN = {"networks": ("interface", "vip"), "nodes": ("priority",), "frontends": ("port", "servers")}
SERVER_KEYS = ("address", "weight")
NODE, SERVER = "LB-01.dc1.example.com", "master1.dc1.example.com"
DOTTED = GOOD.replace("[nodes.lb1]", f"[nodes.{NODE}]").replace("master1 =", f"{SERVER} =")


def problems(text: str) -> list[str]:
    with pytest.raises(HostsFileError) as caught:
        reader.load(Path("hosts.toml"), text)
    return caught.value.lines()


def test_each_name_is_one_problem_with_the_quoted_form() -> None:
    """At its line, and nothing else is said of its tables, which are read as they were meant."""
    node, server = problems(DOTTED)
    message = "dots in a name make tables in each other of it, in TOML"
    line = next(number for number, each in enumerate(DOTTED.splitlines(), 1) if each.startswith(f"[nodes.{NODE}]"))
    assert node == f'hosts.toml:{line}: nodes.{NODE}: {message}; quote the name: [nodes."{NODE}"]'
    assert server.endswith(f'frontends.k8s-api.servers.{SERVER}: {message}; quote the name: "{SERVER}" = ...')


def test_what_is_wrong_besides_is_told_as_well() -> None:
    """In the tables that were meant, at the key that is in the file."""
    found = problems(DOTTED.replace("priority = 200", "priority = 900"))
    assert any("900 is too large" in each for each in found)
    assert len(found) == 3


def test_quoted_names_and_mistyped_keys_are_no_dotted_names() -> None:
    """A file as it should be stays as it is; so does a server's table with a key that is nearly right."""
    quoted = tomllib.loads(GOOD.replace("[nodes.lb1]", f'[nodes."{NODE}"]').replace("master1 =", f'"{SERVER}" ='))
    assert joined(quoted, KNOWN, SERVER_KEYS) == (quoted, [])
    mistyped = tomllib.loads(GOOD.replace('"192.168.1.21"', '{ adress = "192.168.1.21" }'))
    assert joined(mistyped, KNOWN, SERVER_KEYS) == (mistyped, [])
    odd: dict[str, object] = {"nodes": 3, "networks": {"a": 1}, "frontends": {"b": {"servers": 2}, "c": "text"}}
    assert joined(odd, KNOWN, SERVER_KEYS) == (odd, [])
