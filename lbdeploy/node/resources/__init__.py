"""The kinds of things that lbdeploy puts on a node, one per module, each independent of the others.

Those that only `down` uses are in `original` and `purge`, which are not imported here: `check` does not need them.
"""

from lbdeploy.node.resources.file import File
from lbdeploy.node.resources.last_run import Journal
from lbdeploy.node.resources.package import Packages
from lbdeploy.node.resources.server_state import ServerState
from lbdeploy.node.resources.service import Service
from lbdeploy.node.resources.stale_files import Gone
from lbdeploy.node.resources.sysctl import Sysctl

__all__ = [
    "File",
    "Gone",
    "Journal",
    "Packages",
    "ServerState",
    "Service",
    "Sysctl",
]
