"""Checks of arguments, from a command line or a program, before any host is contacted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lbdeploy.errors import UsageError

if TYPE_CHECKING:
    from lbdeploy.config.model import Cluster


def fingerprint(text: str) -> str:
    """A host key's fingerprint given by the operator, as ssh-keygen -l shows it. Raises UsageError."""
    found = re.fullmatch(r"SHA256:([A-Za-z0-9+/]{43})=?", text.strip())
    if not found:
        fix = "on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
        raise UsageError(
            f"{text} is not a host key fingerprint: SHA256: and 43 characters", state="nothing was contacted", fix=fix
        )
    return f"SHA256:{found[1]}"


def chosen(names: Sequence[str], what: str, known: Sequence[str], where: str = "") -> tuple[str, ...]:
    """The names, if all are known. Raises UsageError, which says `what` they are, and `where` they should be."""
    for name in names:
        if name not in known:
            raise UsageError(f"there is no {what} {name or repr(name)}{where}", fix=f"one of: {', '.join(known)}")
    return tuple(names)


def require_templates(cluster: Cluster) -> None:
    """Raise RenderError where templates or sections of the operator's own are wrong.

    Built-in ones never are: they are rendered while nodes are being connected to, or, if known, not at all.
    """
    if cluster.has_own_templates:
        from lbdeploy.planning.known_files import desired_of

        desired_of(cluster, cluster.nodes)
