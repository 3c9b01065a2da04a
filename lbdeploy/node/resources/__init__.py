"""The kinds of things that lbdeploy puts on a node, one per module, each independent of the others.

Those that only `down` uses are in `original` and `purge`, which are not imported here: `check` does not need them.
"""

from lbdeploy.resources.file import File
from lbdeploy.resources.gone import Gone
from lbdeploy.resources.journal import Journal
from lbdeploy.resources.package import Packages
from lbdeploy.resources.service import Service
from lbdeploy.resources.sysctl import Sysctl

__all__ = [
    "File",
    "Gone",
    "Journal",
    "Packages",
    "Service",
    "Sysctl",
]
