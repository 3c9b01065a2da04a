"""The JSON Schema of hosts.toml says of a file what an editor should say of it."""

from __future__ import annotations

import tomllib
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

import pytest
from anywhere import DATA, paths, replaced, write
from builders import BIG
from goldens import GOOD, RICH
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from lbdeploy.config import reader
from lbdeploy.config.json_schema import json_schema
from lbdeploy.config.schema import NAMED, SINGLE
from lbdeploy.config.values import split_server
from lbdeploy.errors import HostsFileError

VALIDATOR = Draft4Validator(json_schema())
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def complaints(text: str) -> list[str]:
    """Where the schema finds something wrong, as dotted keys."""
    errors = VALIDATOR.iter_errors(tomllib.loads(text))
    return sorted(".".join(map(str, error.absolute_path)) for error in errors)


def test_the_schema_is_one_that_taplo_understands() -> None:
    """It is draft 4, whole, and uses no keyword that came later."""
    schema = json_schema()
    Draft4Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert not keywords(schema) & {"const", "propertyNames", "if", "$defs", "contains", "examples", "title ", "$ref"}


def keywords(schema: Any) -> set[str]:
    """Every key anywhere in the schema."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    return set(schema).union(*map(keywords, schema.values())) if isinstance(schema, dict) else set()


@pytest.mark.parametrize("text", [GOOD, BIG], ids=["sample", "every key"])
def test_good_files_are_valid(text: str) -> None:
    """What lbdeploy accepts, an editor does not underline."""
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("router_id = 101", "router_id = 300", "vrrp.router_id"),
        ("router_id = 101", 'router_id = "101"', "vrrp.router_id"),
        ("router_id = 101", "router-id = 101", "vrrp"),
        ('vip = "192.168.0.10/24"', 'vip = "192.168.0.10"', "networks.external.vip"),
        ('vip = "192.168.0.10/24"', 'vip = ["192.168.0.10/24", "lb"]', "networks.external.vip"),
        ('interface = "ens33"', 'interface = "ens 33"', "networks.external.interface"),
        ('interface = "ens33"', "", "networks.external"),
        ('external = "192.168.0.11"', 'external = "lb1.example.org"', "nodes.lb1.external"),
        ("priority = 200", "priority = 255", "nodes.lb1.priority"),
        ("[nodes.lb2]", "[nodes.lb1.lb2]", "nodes"),
        ("[nodes.lb2]", '[nodes."lb 2"]', "nodes"),
        ('balance = "roundrobin"', 'balance = "random"', "frontends.k8s-api.balance"),
        ('master1 = "192.168.1.21"', 'master1 = "master1:6443"', "frontends.k8s-api.servers.master1"),
        ('master1 = "192.168.1.21"', '"master 1" = "192.168.1.21"', "frontends.k8s-api.servers"),
        ("[cluster]", "[clusters]", ""),
        ('user = "ops"', "user = 1000", "ssh.user"),
    ],
)
def test_wrong_files_are_not(right: str, wrong: str, where: str) -> None:
    """A mistake is found at the key where it was made."""
    assert right in GOOD
    assert where in complaints(GOOD.replace(right, wrong, 1))


@given(ADDRESSES, st.integers(1, 65535))
def test_every_server_that_lbdeploy_reads_is_valid(address: IPv4Address | IPv6Address, port: int) -> None:
    """The schema's patterns refuse no address that the file may have."""
    for written in (str(address), f"[{address}]:{port}", *([f"{address}:{port}"] if address.version == 4 else [])):
        split_server(written)
        assert complaints(GOOD.replace('master1 = "192.168.1.21"', f'master1 = "{written}"')) == []


@given(st.one_of(st.builds(IPv4Interface, st.ip_addresses(v=4)), st.builds(IPv6Interface, st.ip_addresses(v=6))))
def test_every_vip_that_lbdeploy_reads_is_valid(vip: IPv4Interface | IPv6Interface) -> None:
    """A VIP in any notation, by itself or in a list."""
    for written in (vip.with_prefixlen, vip.exploded, f"{vip.ip}/{vip.netmask}" if vip.version == 4 else str(vip)):
        for value in (f'"{written}"', f'["{written}"]'):
            assert complaints(GOOD.replace('"192.168.0.10/24"', value)) == []


def test_every_key_has_a_description_to_show() -> None:
    """An editor that completes a key says what it means."""
    sections = json_schema()["properties"]
    for name, kind in (SINGLE | NAMED).items():
        table = sections[name] if name in SINGLE else next(iter(sections[name]["patternProperties"].values()))
        assert sections[name]["description"]
        assert list(table["properties"]) == list(kind.model_fields)
        assert all(key["description"] and "null" not in str(key) for key in table["properties"].values())


def test_a_file_with_everything_is_valid_for_editors(ca_folder: Path) -> None:
    """The JSON Schema takes what lbdeploy takes, and refuses a server's table with a key that it has not."""
    validator = Draft4Validator(json_schema())
    assert list(validator.iter_errors(tomllib.loads(RICH))) == []
    wrong = tomllib.loads(RICH.replace("weight = 10", "wait = 10"))
    assert [list(each.absolute_path) for each in validator.iter_errors(wrong)] == [
        ["frontends", "api", "servers", "m2"]
    ]


ODD = st.one_of(
    st.integers(-5, 70000),
    st.sampled_from([0, 1, 60, 61, 100, 101, 254, 255, 256, 599, 600, 65535, 65536, 0.1, 0.05, 0.5, 1e9, True, False]),
    short := st.sampled_from(["", "x", "10.0.0.1", "10.0.0.1/24", "10.0.0.1:80", "tcp", "https", "a b", "front"]),
    st.lists(short, max_size=2),
    st.dictionaries(short, short, max_size=2),
    st.dates(),
)
# What can be said of a value alone: its type, its range, its form. The rest is between keys, which no schema knows.
OF_ONE_VALUE = {
    "missing", "extra_forbidden", "unknown-table", "int_type", "float_type", "bool_type", "string_type", "text",
    "dict_type", "model_type", "literal_error", "greater_than_equal", "less_than_equal", "too_short", "plain", "vip",
    "server",
}  # fmt: skip


@given(st.sampled_from(paths(DATA)), ODD)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(("vrrp", "check_interval"), 61)
@example(("vrrp", "router_id"), 0)
def test_it_refuses_what_check_refuses(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    """The same files are given to both: none is right for one and wrong for the other, by what a value alone is."""
    file = write(tmp_path, replaced(DATA, path, value))
    try:
        reader.load(file)
        rules: set[str] | None = None
    except HostsFileError as error:
        rules = {problem.rule for problem in error.problems}
    wrong = complaints(file.read_text(encoding="utf-8"))
    assert rules is not None or wrong == []
    assert not (rules or set()) & OF_ONE_VALUE or wrong
