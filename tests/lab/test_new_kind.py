"""A kind of resource that only this test has is handled by every command like those that come with lbdeploy."""

from __future__ import annotations

import sys

import symlink
from harness import TOP, Lab

LOOK = f"readlink {symlink.PATH} || echo none"
NODES = ("lb1", "lb2")


def links(lab: Lab) -> list[str]:
    """What the nodes have there."""
    return [lab.on(node, LOOK) for node in NODES]


def findings(lab: Lab) -> list[tuple[str, str]]:
    """The node and the reason of all that `verify` finds wrong."""
    return [(each["node"], each["detail"]) for each in lab.do("verify", code=6)["findings"] if not each["ok"]]


def test_a_kind_that_only_this_test_has_is_put_there_watched_undone_and_taken_away(pair: Lab) -> None:
    """Planned, applied, drifting, repaired; undone on the node that fails and on the one before; gone after down."""
    lab = Lab(pair.file, (sys.executable, symlink.__file__), {"LINK_TARGET": "/etc/one"})
    planned = [(each["node"], each["action"], each["name"]) for each in lab.do("plan", code=3)["changes"]]
    assert planned == [("lb2", "update", symlink.PATH), ("lb1", "update", symlink.PATH)]
    assert links(lab) == ["none", "none"]
    lab.do("up")
    assert links(lab) == ["/etc/one", "/etc/one"]
    assert lab.do("up")["changes"] == []

    lab.on("lb2", f"ln -sfn /etc/drift {symlink.PATH}")
    assert findings(lab) == [("lb2", f"{symlink.PATH} is /etc/drift, should be /etc/one")]
    assert [each["reason"] for each in lab.do("up")["changes"]] == ["is /etc/drift, should be /etc/one"]

    # lb2 is changed and confirmed, then lb1 fails once its link was changed.
    other = Lab(pair.file, lab.program, {"LINK_TARGET": "/etc/two"})
    templates = pair.file.parent / "templates"
    templates.mkdir()
    text = (TOP / "templates" / "haproxy.cfg.j2").read_text()
    nowhere = text.replace("    balance", "    bind unix@/run/nowhere/x.sock\n    balance")
    (templates / "haproxy.cfg.j2").write_text(
        f'{{% if node.name == "lb1" %}}{nowhere}{{% else %}}{text}\n# changed\n{{% endif %}}'
    )
    error = other.do("up", code=7)["error"]
    assert "did not accept the new configuration" in error["message"]
    assert links(lab) == ["/etc/one", "/etc/one"]
    (templates / "haproxy.cfg.j2").unlink()
    assert lab.do("up")["changes"] == []

    assert lab.do("down", "--yes", "--limit", "lb2")["removed"] == ["lb2"]
    assert links(lab) == ["/etc/one", "none"]
    assert lab.do("down", "--yes", "--limit", "lb2")["changes"] == []
    pair.on("lb1", f"rm {symlink.PATH}")
