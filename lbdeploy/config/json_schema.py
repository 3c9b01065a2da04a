"""The JSON Schema of hosts.toml, by which editors complete and check it (taplo, and so Even Better TOML).

Only keywords of draft 4, since taplo knows no newer ones. What must hold between tables is left to `lbdeploy check`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from lbdeploy.config.reader import REQUIRED
from lbdeploy.config.schema import NAMED, SECTIONS, SINGLE, Table
from lbdeploy.config.values import Name

FILE_NAME = "hosts.schema.json"
TITLES = {
    "networks": "Every network that the nodes are on, by name.",
    "nodes": "The load balancer hosts, by name: two or more.",
    "frontends": "The ports that are open on every VIP, by name.",
}
AT_LEAST = {"networks": 1, "nodes": 2, "frontends": 1}


def json_schema() -> dict[str, Any]:
    """The schema, as data that JSON can hold."""
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "hosts.toml of lbdeploy",
        "description": "One load-balancer cluster: its networks and VIPs, nodes, VRRP, and frontends with servers.",
        "type": "object",
        "properties": {name: _section(name) for name in SECTIONS},
        "required": list(REQUIRED),
        "additionalProperties": False,
    }


def text() -> str:
    """The schema, as the text of a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _section(name: str) -> dict[str, Any]:
    if name in SINGLE:
        return _table(SINGLE[name])
    names = TypeAdapter(Name).json_schema()["pattern"]
    return {
        "description": TITLES[name],
        "type": "object",
        "patternProperties": {names: _table(NAMED[name])},
        "additionalProperties": False,
        "minProperties": AT_LEAST[name],
    }


def _table(kind: type[Table]) -> dict[str, Any]:
    whole = kind.model_json_schema()
    schema: dict[str, Any] = _plainer(_inline(whole, whole.pop("$defs", {})))
    return schema


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with each $ref replaced by the table it refers to: only then does taplo show a key's description."""
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inline(value, definitions) for key, value in schema.items()}


def _plainer(schema: Any) -> Any:
    """Without what pydantic adds and TOML has no use for: titles that repeat the key, null, and empty defaults."""
    if isinstance(schema, list):
        return [_plainer(each) for each in schema if each != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _plainer(value) for key, value in schema.items() if not _useless(key, value)}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    if len(kept.get("anyOf", ())) == 1:
        kept |= kept.pop("anyOf")[0]
    return kept


def _useless(key: str, value: object) -> bool:
    # A key of hosts.toml that is called "title" or "default" would stand below "properties", as a table.
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, [], {}))
