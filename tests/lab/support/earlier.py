"""A pair as lbdeploy set it up before its nodes told each other of clients, and looked at whose adverts they get."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from harness import TOP

if TYPE_CHECKING:
    from harness import Lab

SINCE = {  # what the templates have had since then
    "keepalived.conf.j2": (
        (r" min_ttl .* max_ttl 255\n", "\n"),
        (r"\n    vrrp_(garp|lower_prio)\S* .*(?=\n)", ""),
        (r"\n{% if [^\n]* == 6 %}\n[^\n]*\n    unicast_ttl 255\n{% endif %}", ""),
        (r"vrrp_script (check_address|keep_clients) \{.*?\n\}\n", ""),
        (r"        (check_address|keep_clients)\n", ""),
        (r"    notify_\w+ .*\n", ""),
    ),
    "haproxy.cfg.j2": (
        (r"    localpeer .*\n", ""),
        (r"\npeers .*?\n\n", "\n"),
        (r"    tcp-request session .*\n", ""),
        (r"\n# Another node asks here .*?use_backend [^\n]*\n{% endfor %}\n", ""),
    ),
    "check-haproxy.sh.j2": (
        (r";show stat -1 6 -1'\n.*?\n(?=answer=)", "'\n"),
        (r"\n# Frontends of which .*?\nesac\n\Z", "exit 0\n"),
    ),
}
MADE = "/etc/keepalived/check-address /etc/keepalived/announce /etc/keepalived/tickle-clients"


def earlier(lab: Lab) -> None:
    """Deploys it, by templates of the operator's own that are removed again: the next `up` is that of a new version."""
    folder = lab.file.parent / "templates"
    folder.mkdir()
    for name, changes in SINCE.items():
        text = (TOP / "templates" / name).read_text()
        for old, new in changes:
            text, found = re.subn(old, new, text, flags=re.DOTALL if "*?" in old else 0)
            assert found, old
        (folder / name).write_text(text)
    lab.do("up")
    shutil.rmtree(folder)
    for node in ("lb1", "lb2"):
        lab.on(node, f"rm {MADE}; sed -i /promote_secondaries/d /etc/sysctl.d/zz-lbdeploy.conf")
        lab.on(node, "! sysctl -q net.ipv4.conf.all.promote_secondaries=0 || true")
