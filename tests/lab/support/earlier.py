"""A pair as lbdeploy set it up before its nodes looked at whose adverts they get, and at their own address."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from harness import TOP

if TYPE_CHECKING:
    from harness import Lab

SINCE = (  # what the templates have had since then
    (r" min_ttl .* max_ttl 255\n", "\n"),
    (r"\n    vrrp_(garp|lower_prio)\S* .*(?=\n)", ""),
    (r"\n{% if [^\n]* == 6 %}\n[^\n]*\n    unicast_ttl 255\n{% endif %}", ""),
    (r"vrrp_script check_address \{.*?\n\}\n", ""),
    (r"        check_address\n", ""),
    (r"    notify_master .*\n", ""),
)
MADE = "/etc/keepalived/check-address /etc/keepalived/announce"


def earlier(lab: Lab) -> None:
    """Deploys it, by a template of the operator's own that is removed again: the next `up` is that of a new version."""
    text = (TOP / "templates" / "keepalived.conf.j2").read_text()
    for old, new in SINCE:
        text, found = re.subn(old, new, text, flags=re.DOTALL if "*?" in old else 0)
        assert found, old
    folder = lab.file.parent / "templates"
    folder.mkdir()
    (folder / "keepalived.conf.j2").write_text(text)
    lab.do("up")
    shutil.rmtree(folder)
    for node in ("lb1", "lb2"):
        lab.on(node, f"rm {MADE}; sed -i /promote_secondaries/d /etc/sysctl.d/zz-lbdeploy.conf")
        lab.on(node, "! sysctl -q net.ipv4.conf.all.promote_secondaries=0 || true")
