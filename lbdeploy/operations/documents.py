"""The JSON Schema of each command's document: what programs may rely on. Fields may be added, and are not forbidden.

The tests check every document that they make against these.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _object(required: str, /, **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _or_null(of: Schema) -> Schema:
    return {"anyOf": [of, {"type": "null"}]}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
YES: Schema = {"type": "boolean"}
NAMES = _list(TEXT)
NODE = _or_null(TEXT)
ERROR = _object("type message", type=TEXT, message=TEXT, node=TEXT, state=TEXT, fix=TEXT)
SEVERITY: Schema = {"enum": ["ok", "warning", "error"]}
REFERENCE = _object("node check subject", node=NODE, check=TEXT, subject=TEXT)
FINDING = _object(
    "node check ok detail severity",
    node=NODE, check=TEXT, ok=YES, detail=TEXT, severity=SEVERITY, subject=TEXT, fix=TEXT, because=REFERENCE,
)  # fmt: skip
CHANGE = _object("node kind name action reason", node=TEXT, kind=TEXT, name=TEXT, action=TEXT, reason=TEXT, diff=TEXT)
VIP = _object(
    "address network interface holders", address=TEXT, network=TEXT, interface=TEXT, holders=NAMES, unknown=NAMES
)
DRAIN = _object("since by", since=TEXT, by=TEXT)
SERVER = _object(
    "node frontend server status check_status",
    node=TEXT, frontend=TEXT, server=TEXT, status=TEXT, check_status=TEXT, drained=_or_null(DRAIN),
)  # fmt: skip
DRAINED = _object("node frontend server since by", node=TEXT, frontend=TEXT, server=TEXT, since=TEXT, by=TEXT)
CONNECTIONS = _object("frontend open", frontend=TEXT, open=COUNT)
TOLD_SERVERS: dict[str, Schema] = {
    "server": TEXT, "frontends": NAMES, "drained": _or_null(DRAIN), "changed": NAMES,
    "nodes": _list(_object("node haproxy_runs connections", node=TEXT, haproxy_runs=YES,
                           connections=_list(CONNECTIONS))),
}  # fmt: skip
MEMBER = _object(
    "frontend server address port state node",
    frontend=TEXT, server=TEXT, address=TEXT, port=COUNT, node=NODE,
    state={"enum": ["same", "missing", "gone", "silent", "unknown"]},
)  # fmt: skip
PACKAGES = _list(_object("node name version", node=TEXT, name=TEXT, version=TEXT))
STATE: Schema = {"enum": ["healthy", "drifted", "degraded", "down", "not deployed", "unknown"]}
SUMMARY = _object(
    "state nodes servers holders not_deployed",
    state=STATE,
    nodes=_object("good all", good=COUNT, all=COUNT),
    servers=_object("up all", up=COUNT, all=COUNT),
    holders=NAMES,
    not_deployed=NAMES,
    holder_for_s=COUNT,
)
STAGE = _object("nodes way cost", nodes=NAMES, way=TEXT, cost=TEXT)
LINT = _object(
    "severity node file line message fix",
    severity=SEVERITY, node=NODE, file=TEXT, line=_or_null(COUNT), message=TEXT, fix=TEXT,
)  # fmt: skip
CHECKED = _object("file exit_code", file=TEXT, exit_code=COUNT, findings=_list(LINT), error=ERROR)
HEALTH: dict[str, Schema] = {
    "findings": _list(FINDING), "vips": _list(VIP), "servers": _list(SERVER), "packages": PACKAGES, "summary": SUMMARY,
}  # fmt: skip
MEASURED: dict[str, Schema] = {
    "outage_ms": _or_null(COUNT), "expected_ms": COUNT, "probes": COUNT, "failed": COUNT, "from": TEXT, "to": TEXT,
}  # fmt: skip
DRILLED = _object(
    "group from to outage_ms expected_ms silence_ms",
    group=TEXT, outage_ms=COUNT, expected_ms=COUNT, silence_ms=COUNT, **{"from": TEXT, "to": TEXT},
)  # fmt: skip
READING = _object("opened ended silence_ms", opened=COUNT, ended=COUNT, silence_ms=COUNT)
WATCHES = _object(
    "opened ended silence_ms expected_ms", opened=COUNT, ended=COUNT, silence_ms=COUNT, expected_ms=_or_null(COUNT)
)
ADOPTED_LINE = _object(
    "nodes file line text verdict meaning", nodes=NAMES, file=TEXT, line=COUNT, text=TEXT, meaning=TEXT,
    verdict={"enum": ["kept", "equal", "changes", "ends"]},
)  # fmt: skip
VERDICTS = _object("kept equal changes ends", kept=COUNT, equal=COUNT, changes=COUNT, ends=COUNT)
ELECTED = _object("group router_id preferred holders", group=TEXT, router_id=COUNT, preferred=TEXT, holders=NAMES)
SEEN = _object("node reachable", node=TEXT, reachable=YES, error=ERROR)

# By command: the alternatives of which a document without an error has one, and the schema of each key.
KEYS: dict[str, tuple[tuple[str, ...], dict[str, Schema]]] = {
    "plan": (("changes order stages",), {
        "changes": _list(CHANGE), "order": _list(NAMES), "stages": _list(STAGE), "drained": _list(DRAINED)}),
    "up": (("changes findings vips servers packages summary",), {"changes": _list(CHANGE), **HEALTH}),
    "verify": (("findings vips servers packages summary",), HEALTH),
    "status": (("nodes vips servers warnings summary",), {
        "nodes": _list(SEEN), "vips": _list(VIP), "servers": _list(SERVER), "warnings": _list(FINDING),
        "summary": SUMMARY, "groups": _list(ELECTED)}),
    "rebuild": (("changes findings vips servers packages summary role returns why",), {
        "changes": _list(CHANGE), **HEALTH, "role": {"enum": ["holder", "standby"]}, "returns": YES, "why": TEXT}),
    "rollback": (("changes findings vips servers packages summary rolled_back", "runs"), {
        "changes": _list(CHANGE), **HEALTH, "rolled_back": TEXT,
        "runs": _list(_object("id nodes about", id=TEXT, nodes=NAMES, about=TEXT))}),
    "down": (("changes removed",), {"changes": _list(CHANGE), "removed": NAMES}),
    "adopt": (("path files lines counts notes",), {
        "path": TEXT, "files": NAMES, "lines": _list(ADOPTED_LINE), "counts": VERDICTS, "notes": NAMES}),
    "doctor": (("findings",), {"findings": _list(FINDING)}),
    "check": (("findings", "files"), {"findings": _list(LINT), "files": _list(CHECKED), "corrected": NAMES}),
    "handover": ((" ".join((*MEASURED, "held", *HEALTH)),), {
        **MEASURED, "held": YES, "group": _or_null(TEXT), "watches": READING, **HEALTH,
        "handovers": _list(_object(" ".join((*MEASURED, "held", "group")), **MEASURED, held=YES, group=TEXT))}),
    "drain": ((" ".join(TOLD_SERVERS),), TOLD_SERVERS),
    "undrain": ((" ".join(TOLD_SERVERS),), TOLD_SERVERS),
    "servers": (("servers vips_announced written",), {
        "servers": _list(MEMBER), "vips_announced": NAMES, "written": YES, "nodes_error": ERROR}),
    "drill": ((" ".join((*MEASURED, "healthy", "watches")), " ".join((*MEASURED, "drills"))), {
        **MEASURED, "healthy": YES, "watches": WATCHES, "failed_after_out": COUNT, "groups": _list(DRILLED),
        "drills": _list(_object(" ".join((*MEASURED, "watches")), **MEASURED, watches=WATCHES))}),
}  # fmt: skip
MANY = ("plan", "up", "verify", "status")  # with several files, their document has `clusters` instead
ENVELOPE: dict[str, Schema] = {
    "format_version": {"const": 1},
    "command": TEXT,
    "ok": YES,
    "exit_code": COUNT,
    "duration_s": {"type": "number", "minimum": 0},
    "version": TEXT,
    "time": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"},
    "file": TEXT,
    "cluster": TEXT,
    "error": ERROR,
}
ALWAYS = ("format_version", "command", "ok", "exit_code", "duration_s", "version", "time", "file")


def schema_of(command: str) -> Schema:
    """The schema of a command's document; for commands without one of their own, that of what all have."""
    alternatives, keys = KEYS.get(command, ((), {}))
    ways = [{"required": each.split()} for each in (*alternatives, *(["clusters"] if command in MANY else []))]
    name: Schema = {"const": command} if command in KEYS else TEXT
    return {
        "$schema": DIALECT,
        "title": f"The document of lbdeploy --json {command}",
        "type": "object",
        "required": list(ALWAYS),
        "properties": {**ENVELOPE, "command": name, **keys},
        **({"anyOf": [*ways, {"required": ["error"]}]} if ways else {}),
    }
