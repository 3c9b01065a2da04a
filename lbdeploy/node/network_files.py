"""Which lines of a node's network configuration give it an address: that depends on who reads the file. Pure."""

from __future__ import annotations

import re

from lbdeploy.node.surroundings import FileLine

# By a part of the file's path: what is before an address that the node gets, and not before a gateway, a name server,
# or the target of a route. netplan has addresses in lists only, with a prefix length, as name servers never are.
_GIVES = {
    "/netplan/": r"(?:^|-\s|[\[,])\s*[\"']?{address}/\d",
    "/systemd/network/": r"^(?:Server)?Address\s*=\s*{address}",
    "/NetworkManager/": r"^address(?:es)?\d*\s*=(?:.*;)?\s*{address}",
    "": r"^address\s+{address}|\bip\s.*\ba\w*\s+(?:add|replace)\s+{address}|\bifconfig\s+\S+\s+(?:add\s+)?{address}",
}


def gives(line: FileLine, address: str) -> bool:
    """Whether a line of a file gives the node this address; what is of no known folder is ifupdown's."""
    pattern = next(pattern for folder, pattern in _GIVES.items() if folder in line.file)
    whole = rf"(?<![\w.:]){re.escape(address)}(?![\w.:])"
    return re.search(pattern.format(address=whole), line.text) is not None
