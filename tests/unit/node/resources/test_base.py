"""What all kinds of resources have in common."""

from __future__ import annotations

from lbdeploy.node.resources.base import Change


def test_a_change_as_json_has_a_diff_only_for_files() -> None:
    """The shape of the JSON contract: kind, name, action, reason, and a diff where there is one."""
    plain = {"kind": "sysctl", "name": "a.b", "action": "set", "reason": "is 0"}
    assert Change("sysctl", "a.b", "set", "is 0").to_json() == plain
    assert Change("sysctl", "a.b", "set", "is 0", "").to_json() == {**plain, "diff": ""}
