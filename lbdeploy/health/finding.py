"""One thing that was checked, and the result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `node` is None where it concerns the whole cluster.

    A finding that is not ok makes the cluster unhealthy, unless it is a warning: something that the operator should
    know, but that does not affect clients now. `settling`: it may become ok by itself within seconds.
    """

    node: str | None
    check: str
    ok: bool
    detail: str
    fix: str | None = None
    warning: bool = False
    settling: bool = False

    @property
    def failed(self) -> bool:
        return not self.ok and not self.warning

    def to_json(self) -> dict[str, object]:
        """An entry of `findings` in the JSON contract."""
        entry: dict[str, object] = {"node": self.node, "check": self.check, "ok": self.ok, "detail": self.detail}
        entry["severity"] = "ok" if self.ok else "warning" if self.warning else "error"
        return entry | ({"fix": self.fix} if self.fix else {})
