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
PROBLEM = _object(
    "line message fix", file=TEXT, line=COUNT, column={"type": "integer", "minimum": 1}, key=TEXT, message=TEXT,
    fix=TEXT,
)  # fmt: skip
ERROR = _object(
    "type message", type=TEXT, message=TEXT, node=TEXT, file=TEXT, state=TEXT, fix=TEXT, fix_command=NAMES,
    problems=_list(PROBLEM),
)  # fmt: skip
SEVERITY: Schema = {"enum": ["ok", "warning", "error"]}
REFERENCE = _object("node check subject", node=NODE, check=TEXT, subject=TEXT)
FINDING = _object(
    "node check ok detail severity",
    node=NODE, check=TEXT, ok=YES, detail=TEXT, severity=SEVERITY, subject=TEXT, fix=TEXT, fix_command=NAMES,
    because=REFERENCE,
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
RENDERED: Schema = {
    "type": "object",
    "required": ["node", "path"],
    "properties": {"node": TEXT, "path": TEXT, "mode": {"type": "string", "pattern": "^0[0-7]{3}$"}, "content": TEXT,
                   "diff": TEXT},
    "anyOf": [{"required": ["mode", "content"]}, {"required": ["diff"]}],
}  # fmt: skip
PART: Schema = {"enum": ["good", "idle", "warn", "bad", "unknown"]}
DRAWN_VIP = _object("address holders state", address=TEXT, holders=NAMES, state=PART, group=TEXT)
DRAWN: dict[str, Schema] = {
    "live": YES,
    "networks": _list(_object("name interface vrrp vips", name=TEXT, interface=TEXT, vrrp=YES, vips=_list(DRAWN_VIP))),
    "nodes": _list(_object(
        "name priority addresses role state",
        name=TEXT, priority=COUNT, addresses={"type": "object", "additionalProperties": TEXT}, role=TEXT, state=PART,
        groups=_list(_object("group role priority", group=TEXT, role=TEXT, priority=COUNT)))),
    "frontends": _list(_object(
        "name port vips servers", name=TEXT, port=COUNT, vips=NAMES,
        servers=_list(_object("name address state detail", name=TEXT, address=TEXT, state=PART, detail=TEXT)))),
}  # fmt: skip
EVENT = _object(
    "at kind nodes changed",
    at=TEXT, kind=TEXT, nodes=NAMES, changed=_list(_object("node what", node=TEXT, what=TEXT)), who=TEXT, command=TEXT,
    run=TEXT, during=TEXT, to=TEXT, moves=COUNT, exit_code=COUNT, outage_ms=_or_null(COUNT), expected_ms=COUNT,
    error=TEXT, **{"from": NODE},
)  # fmt: skip
ABSENT = _object("node what why", node=NODE, what=TEXT, why=TEXT)
MACHINE = _object(
    "name kind state addresses ports cut pid host_key",
    name=TEXT, kind=TEXT, state={"enum": ["on", "off", "up", "draining", "down"]},
    addresses={"type": "object", "additionalProperties": NAMES}, ports=_list(COUNT), cut=NAMES, pid=_or_null(COUNT),
    host_key=_or_null(TEXT),
)  # fmt: skip
LAB = _object(
    "id path state suite hosts kubeconfig",
    id=TEXT, path=TEXT, state={"enum": ["up", "partly", "changed", "down"]}, suite=_or_null(TEXT),
    hosts=_list(MACHINE), kubeconfig=_or_null(TEXT),
)  # fmt: skip

# By command: the alternatives of which a document without an error has one, and the schema of each key.
KEYS: dict[str, tuple[tuple[str, ...], dict[str, Schema]]] = {
    "init": (("path",), {"path": TEXT}),
    "render": (("files",), {"files": _list(RENDERED)}),
    "show": ((" ".join(DRAWN),), DRAWN),
    "history": (("events unreached",), {"events": _list(EVENT), "unreached": NAMES}),
    "export": (("path rules", "path dashboard"), {
        "path": _or_null(TEXT), "rules": _object("groups"), "dashboard": _object("uid title panels")}),
    "bundle": (("path nodes files missing",), {
        "path": TEXT, "nodes": NAMES, "files": _list(_object("path bytes", path=TEXT, bytes=COUNT)),
        "missing": _list(ABSENT)}),
    "lab": ((), {"lab": LAB}),  # only `lab up` and `lab status` say how it is
    "schema": (("schema",), {"schema": _object("")}),
    "completion": (("script",), {"script": TEXT}),
    "plan": (("changes order stages",), {
        "changes": _list(CHANGE), "order": _list(NAMES), "stages": _list(STAGE), "drained": _list(DRAINED),
        "refused": _list(ERROR)}),
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
    "handover": ((" ".join((*MEASURED, "late", "held", *HEALTH)),), {
        **MEASURED, "late": COUNT, "held": YES, "group": _or_null(TEXT), "watches": READING, **HEALTH,
        "handovers": _list(_object(
            " ".join((*MEASURED, "late", "held", "group")), **MEASURED, late=COUNT, held=YES, group=TEXT))}),
    "drain": ((" ".join(TOLD_SERVERS),), TOLD_SERVERS),
    "undrain": ((" ".join(TOLD_SERVERS),), TOLD_SERVERS),
    "servers": (("servers vips_announced written",), {
        "servers": _list(MEMBER), "vips_announced": NAMES, "written": YES, "nodes_error": ERROR}),
    "drill": ((" ".join((*MEASURED, "healthy", "watches")), " ".join((*MEASURED, "drills"))), {
        **MEASURED, "healthy": YES, "watches": WATCHES, "failed_after_out": COUNT, "groups": _list(DRILLED),
        "drills": _list(_object(" ".join((*MEASURED, "watches")), **MEASURED, watches=WATCHES))}),
}  # fmt: skip
# With several files, their document has `clusters` instead; its `error` is that of the worst one, and says its `file`.
MANY = ("plan", "up", "verify", "status")
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
    """The schema of a command's document; of one that no command made, "", what all have."""
    alternatives, keys = KEYS.get(command, ((), {}))
    ways = [{"required": each.split()} for each in (*alternatives, *(["clusters"] if command in MANY else []))]
    return {
        "$schema": DIALECT,
        "title": f"The document of lbdeploy --json {command}",
        "type": "object",
        "required": list(ALWAYS),
        "properties": {**ENVELOPE, "command": {"const": command}, **keys},
        **({"anyOf": [*ways, {"required": ["error"]}]} if ways else {}),
    }
