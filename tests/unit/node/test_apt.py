"""How apt and dpkg are asked and told on a node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lbdeploy.node import apt

ASKED = {
    "installed": apt.installed(["it's"]),
    "candidates": apt.candidates(["it's"]),
    "install": apt.install("--only-upgrade", ["it's"]),
    "reinstall": "\n".join(apt.reinstall(["it's"])),
    "unhold": "\n".join(apt.unhold(["it's"])),
    "update": apt.update("/etc/apt/sources.list.d/x.sources"),
    "removable": apt.removable(["it's"], "/record"),
    "shipped": apt.shipped("haproxy", "$file"),
    "lock holders": apt.lock_holders(),
    "unreached sources": apt.unreached_sources(8),
    "unattended": apt.UNATTENDED,
}


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("name", ASKED)
def test_what_apt_is_asked_is_shell_text(shell: str, name: str) -> None:
    """Every shell accepts it, whatever the names of packages."""
    done = subprocess.run([shell, "-n"], check=False, capture_output=True, input=ASKED[name].encode())
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_update_of_one_file_of_sources_leaves_the_lists_of_others() -> None:
    """And a source that can't be fetched is an error."""
    step, command = apt.update("/etc/apt/sources.list.d/x.sources").splitlines()
    assert step == "step 'apt-get update' /etc/apt/sources.list.d/x.sources"
    assert "-o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0" in command
    assert "Error-Mode=any" in command


def test_what_can_be_removed_is_what_is_on_record(tmp_path: Path) -> None:
    """Packages that were there before are only told of."""
    record = tmp_path / "installed"
    record.write_text("b\nc\n")
    query = """dpkg-query() { shift 3; for each; do echo "ii  $each"; done; }"""
    fakes = f"""{query}
xargs() {{ read -r all; while read -r each; do all="$all $each"; done; shift; dpkg-query -W "$1" "$2" $all; }}
apt-get() {{ case $* in *--auto-remove*) echo "Purg d [1]" ;; esac; echo "Purg b [1]"; }}
"""
    script = f"{fakes}{apt.removable(['a', 'b'], str(record))}"
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "there a", "there b", "mine b", "mine c", "asked b", "takes b", "frees d", "frees b"
    ]  # fmt: skip
