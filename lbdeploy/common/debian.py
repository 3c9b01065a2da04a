"""What lbdeploy knows of Debian and Ubuntu: releases, names of packages, and where apt, dpkg and systemd keep files.

How apt and dpkg are called on a node is in node/apt.py and node/remote/apt.sh. No other module has such facts.
"""

from __future__ import annotations

# The releases that lbdeploy was tried on, by VERSION_ID of os-release(5), and Debian's names of them in its archive.
DEBIAN = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
UBUNTU = ("22.04", "24.04", "26.04")
RELEASES = {"debian": tuple(DEBIAN), "ubuntu": UBUNTU}  # the releases, by ID of os-release(5)
SUITES = tuple(DEBIAN.values())

DAEMONS = ("haproxy", "keepalived")  # the packages, and the units, of the same names
PACKAGES = (*DAEMONS, "socat")
FIREWALL_PACKAGES = ("nftables",)  # packages that are needed besides, where hosts.toml asks for a firewall

APT_FOLDER = "/etc/apt"
APT_CONF_FOLDER = f"{APT_FOLDER}/apt.conf.d"
APT_KEYS_FOLDER = f"{APT_FOLDER}/keyrings"
APT_PREFERENCES_FOLDER = f"{APT_FOLDER}/preferences.d"
APT_SOURCES_FOLDER = f"{APT_FOLDER}/sources.list.d"
APT_SOURCES = f"{APT_FOLDER}/sources.list"
APT_LISTS = "/var/lib/apt/lists"  # what apt knows of the packages in its sources
APT_CACHE = "/var/cache/apt"
DPKG_FOLDER = "/var/lib/dpkg"
LOCKS = (f"{DPKG_FOLDER}/lock-frontend", f"{DPKG_FOLDER}/lock", f"{APT_LISTS}/lock", f"{APT_CACHE}/archives/lock")
SYSCTL_FOLDER = "/etc/sysctl.d"
SYSTEMD_FOLDER = "/etc/systemd"
UNITS_FOLDER = f"{SYSTEMD_FOLDER}/system"  # the administrator's units, which take precedence over the packages'
# The files of units that systemd-run(1) has made, which go with the units. Ask of no such unit without a look here:
# systemd 252 writes an error to the node's journal each time that it is asked of one whose file has gone.
TRANSIENT_UNITS_FOLDER = "/run/systemd/transient"


def unit_file(unit: str) -> str:
    """The path of an administrator's own unit file of a service."""
    return f"{UNITS_FOLDER}/{unit}.service"


def drop_in(unit: str, name: str) -> str:
    """The path of a file that changes settings of a service's unit (systemd.unit(5))."""
    return f"{unit_file(unit)}.d/{name}.conf"


def of_apt(path: str) -> bool:
    """Whether apt reads the file, so that it must be in place before packages are installed."""
    return path.startswith(f"{APT_FOLDER}/")


def of_systemd(path: str) -> bool:
    """Whether systemd reads the file, and has to be told when it has changed."""
    return path.startswith(f"{SYSTEMD_FOLDER}/")


def lists_packages(path: str) -> bool:
    """Whether the file names repositories, whose packages apt knows only after an update."""
    return path.startswith(f"{APT_SOURCES_FOLDER}/")


def at_boot(path: str) -> bool:
    """Whether the file takes effect at the next boot, and not before."""
    return path.startswith(f"{SYSCTL_FOLDER}/")
