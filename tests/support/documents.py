"""Documents as `verify` and `plan` print them, and as a command that failed does."""

from __future__ import annotations

from typing import Any

HEAD = {"format_version": 1, "command": "verify", "ok": True, "exit_code": 0, "duration_s": 0.5, "cluster": "k8s-api"}
VIP = {"address": "192.168.0.10", "network": "external", "interface": "ens33", "holders": ["lb1"], "unknown": []}


def finding(severity: str, detail: str, *, node: str | None = "lb1", check: str = "service") -> dict[str, Any]:
    """An entry of `findings`."""
    fix = {} if severity == "ok" else {"fix": "lbdeploy up"}
    return {"node": node, "check": check, "ok": severity == "ok", "detail": detail, "severity": severity, **fix}


def server(name: str, status: str, node: str = "lb1") -> dict[str, Any]:
    """An entry of `servers`."""
    return {"node": node, "frontend": "k8s-api", "server": name, "status": status, "check_status": "L4OK"}


def verified(*findings: dict[str, Any], code: int = 0, **more: Any) -> dict[str, Any]:
    """What verify found: two servers, one of which lb2 alone sees down."""
    servers = [server("master1", "UP"), server("master2", "UP"), server("master2", "DOWN", "lb2")]
    found = list(findings or [finding("ok", "haproxy answers on its socket")])
    return {**HEAD, "ok": code == 0, "exit_code": code, "findings": found, "vips": [VIP], "servers": servers, **more}


def failed(message: str, code: int = 4) -> dict[str, Any]:
    """Nothing could be looked at."""
    error = {"type": "Connect", "message": message, "node": "lb1", "fix": "see whether it runs"}
    return {**HEAD, "ok": False, "exit_code": code, "error": error}
