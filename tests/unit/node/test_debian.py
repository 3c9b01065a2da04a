"""What lbdeploy knows of Debian."""

from __future__ import annotations

import pytest

from lbdeploy.node.debian import lists_packages, of_apt, of_systemd, update_of


@pytest.mark.parametrize(
    ("path", "apt", "sources", "systemd"),
    [
        ("/etc/apt/sources.list.d/lbdeploy.sources", True, True, False),
        ("/etc/apt/keyrings/lbdeploy-x.asc", True, False, False),
        ("/etc/apt-x/file", False, False, False),
        ("/etc/systemd/system/haproxy.service.d/lbdeploy.conf", False, False, True),
        ("/etc/haproxy/haproxy.cfg", False, False, False),
    ],
)
def test_who_reads_a_file_is_known_by_its_path(path: str, apt: bool, sources: bool, systemd: bool) -> None:
    """apt's are needed before packages are installed, and systemd has to be told of its own."""
    assert (of_apt(path), lists_packages(path), of_systemd(path)) == (apt, sources, systemd)


def test_an_update_of_one_file_of_sources_leaves_the_lists_of_others() -> None:
    """And a source that can't be fetched is an error."""
    command = update_of("/etc/apt/sources.list.d/it's.sources")
    assert "-o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0" in command
    assert "Error-Mode=any" in command
    assert """'/etc/apt/sources.list.d/it'"'"'s.sources'""" in command
