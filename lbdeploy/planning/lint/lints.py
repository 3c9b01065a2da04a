"""What the lint says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lint:
    """`severity` is error (it will not work) or warning; `file` a path on the node, or here; `line` counts from 1."""

    severity: str
    node: str | None
    file: str
    line: int | None
    message: str
    fix: str

    def to_json(self) -> dict[str, object]:
        return {
            "severity": self.severity, "node": self.node, "file": self.file, "line": self.line,
            "message": self.message, "fix": self.fix,
        }  # fmt: skip
