"""One thing that was checked, and the result."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, Self

from lbdeploy.common.typed import as_data

Severity = Literal["ok", "warning", "error"]
Key = tuple[str | None, str, str]  # node, check, subject
Excuse = Key | tuple[str | None, str]  # without a subject: whatever it is about
Excuses = frozenset[Excuse]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. `node` is None where it concerns the whole cluster.

    `check` is the check's id, and `subject` is what was checked: a VIP, a frontend, a server, a file; "" where the
    check has one subject a node. Code compares these (see `key`); `detail` and `fix` are for people, and may change.

    An error makes the cluster unhealthy. A warning is something that the operator should know, but that does not affect
    clients now. `settling`: it may change by itself within seconds. `drift`: a node differs from hosts.toml, and all
    that it needs runs.
    """

    node: str | None
    check: str
    severity: Severity
    detail: str
    fix: str | None = None
    subject: str = ""
    settling: bool = False
    drift: bool = False

    @classmethod
    def passed(cls, node: str | None, check: str, detail: str, *, subject: str = "", settling: bool = False) -> Self:
        """A finding that what was checked is as it should be."""
        return cls(node, check, "ok", detail, None, subject, settling)

    @classmethod
    def warning(
        cls,
        node: str | None,
        check: str,
        detail: str,
        fix: str | None = None,
        *,
        subject: str = "",
        settling: bool = False,
    ) -> Self:
        """A finding that something is not as it should be, though clients are not affected."""
        return cls(node, check, "warning", detail, fix, subject, settling)

    @classmethod
    def failed(
        cls,
        node: str | None,
        check: str,
        detail: str,
        fix: str | None = None,
        *,
        subject: str = "",
        settling: bool = False,
    ) -> Self:
        """A finding that something is not as it should be, and the cluster is unhealthy for it."""
        return cls(node, check, "error", detail, fix, subject, settling)

    @property
    def ok(self) -> bool:
        return self.severity == "ok"

    @property
    def is_warning(self) -> bool:
        return self.severity == "warning"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    @property
    def key(self) -> Key:
        """What makes two findings, made at different times, findings about the same thing."""
        return self.node, self.check, self.subject

    def is_among(self, excuses: Collection[Excuse]) -> bool:
        """Whether it is one of these, by its whole key, or by node and check."""
        return self.key in excuses or (self.node, self.check) in excuses

    def as_warning(self) -> Self:
        """The same finding, less severe."""
        return replace(self, severity="warning")

    @property
    def reference(self) -> dict[str, object]:
        """What a program finds it by, among the findings of a document."""
        return {"node": self.node, "check": self.check, "subject": self.subject}

    def to_json(self) -> dict[str, object]:
        """An entry of `findings` in the JSON contract."""
        entry: dict[str, object] = {"node": self.node, "check": self.check, "ok": self.ok, "detail": self.detail}
        subject = {"subject": self.subject} if self.subject else {}
        return entry | {"severity": self.severity} | subject | as_data(self.fix)
