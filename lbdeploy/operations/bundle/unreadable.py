"""A bundle where hosts.toml can't be used: of this machine alone, since nobody knows which nodes there are."""

from __future__ import annotations

import re
import time
from pathlib import Path

from lbdeploy.config.unvalidated import deployed
from lbdeploy.errors import HostsFileError
from lbdeploy.operations.bundle.archive import Bundle, folder
from lbdeploy.operations.bundle.contents import Missing, plain
from lbdeploy.operations.bundle.laptop import collect


def bundle_of(file: Path, hosts: str, error: HostsFileError) -> Bundle:
    """What is here, and what is wrong with the file, whose text is `hosts`."""
    found = deployed(hosts)
    name = found.name if found and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", found.name) else "unreadable"
    here = collect(file, hosts)
    told = plain("laptop/problems.txt", "\n".join([error.message, *error.lines()]))
    nodes = Missing(None, "the nodes", f"{error.message}; correct it, then: lbdeploy bundle")
    at = time.time()
    missing = (nodes, *here.missing)
    return Bundle(folder(name, at), name, at, f"{name}: {error.message}", (), (told, *here.entries), missing)
