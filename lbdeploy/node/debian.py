"""What lbdeploy knows of Debian and Ubuntu: where apt, dpkg and systemd keep their files, and how apt is called."""

from __future__ import annotations

from lbdeploy.common.shell import cmd

APT_FOLDER = "/etc/apt"
APT_SOURCES_FOLDER = f"{APT_FOLDER}/sources.list.d"
DPKG_FOLDER = "/var/lib/dpkg"
SYSCTL_FOLDER = "/etc/sysctl.d"
SYSTEMD_FOLDER = "/etc/systemd"
UNITS_FOLDER = f"{SYSTEMD_FOLDER}/system"  # the administrator's units, which take precedence over the packages'

# apt unattended: it asks no questions, and a configuration file that was changed stays as it is.
APT_GET = (
    "apt-get -q -y -o Dpkg::Use-Pty=0 -o APT::Cmd::Disable-Script-Warning=true "
    "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


def of_apt(path: str) -> bool:
    """Whether apt reads the file, so that it must be in place before packages are installed."""
    return path.startswith(f"{APT_FOLDER}/")


def of_systemd(path: str) -> bool:
    """Whether systemd reads the file, and has to be told when it has changed."""
    return path.startswith(f"{SYSTEMD_FOLDER}/")


def lists_packages(path: str) -> bool:
    """Whether the file names repositories, whose packages apt knows only after an update."""
    return path.startswith(f"{APT_SOURCES_FOLDER}/")


def update_of(sources: str) -> str:
    """apt-get update for one file of sources only; a source that can't be fetched, or trusted, is an error.

    The lists of other sources are kept. Error-Mode needs apt 2.1 or later (apt.conf(5)).
    """
    only = f"-o Dir::Etc::sourcelist={cmd(sources)} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0"
    return f"apt-get -q -o APT::Update::Error-Mode=any {only} update"
