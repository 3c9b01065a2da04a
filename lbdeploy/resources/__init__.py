"""The kinds of things that lbdeploy puts on a node, one a module, each independent of the others."""

from lbdeploy.resources.file import File
from lbdeploy.resources.gone import Gone
from lbdeploy.resources.journal import Journal
from lbdeploy.resources.original import OriginalFile, OriginalService, OriginalSysctl
from lbdeploy.resources.package import Packages
from lbdeploy.resources.purge import Purge
from lbdeploy.resources.service import Service
from lbdeploy.resources.sysctl import Sysctl

__all__ = [
    "File",
    "Gone",
    "Journal",
    "OriginalFile",
    "OriginalService",
    "OriginalSysctl",
    "Packages",
    "Purge",
    "Service",
    "Sysctl",
]
