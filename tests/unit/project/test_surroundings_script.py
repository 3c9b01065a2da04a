"""What a node's processes are taken for: the part of surroundings.sh that looks for managers of addresses, run here."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lbdeploy.node.remote import remote_text

VIP = "192.0.2.9"
NETWORK_FILES = "\nset --\nfor vip in"
TOLD = re.compile(r"(?m)^told\(\).*")
SLEEP = "sleep 60; :"


@contextmanager
def keepalived(folder: Path, *words: str) -> Iterator[str]:
    """A process of this name, with these words at the end of its command line; its number."""
    program = folder / "keepalived"
    if not program.exists():
        shutil.copy(shutil.which("sh") or "/bin/sh", program)
    process = subprocess.Popen([program, "-c", SLEEP, *words], start_new_session=True)
    while not Path(f"/proc/{process.pid}/cmdline").read_bytes():  # in the middle of execve(2) it has none yet
        time.sleep(0.01)
    try:
        yield str(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its sleep, too
        process.wait()


def found(proc: str = "/proc") -> dict[str, str]:
    """The processes that the script tells, by number, with what they know."""
    text = remote_text("surroundings.sh")
    part = text[text.index("# config DIR WORD") : text.index(NETWORK_FILES)]
    part = part.replace("/proc", proc)
    said = subprocess.run(["sh", "-c", f"vips={VIP}\n{part}"], check=False, capture_output=True, text=True, timeout=60)
    rows = (line.split() for line in said.stdout.splitlines() if line.startswith("process "))
    return {pid: knows for _, pid, name, knows, *_ in rows if name == "keepalived"}


def test_a_keepalived_of_somebody_else_is_found(tmp_path: Path) -> None:
    """With a VIP in the file that it reads."""
    (tmp_path / "conf").write_text(f"virtual_ipaddress {{\n {VIP}/24\n}}\n")
    with keepalived(tmp_path, "-f", str(tmp_path / "conf")) as pid:
        assert found()[pid] == "vips"


def test_whoever_calls_a_process_so_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Its file may be a pipe that nothing is written to; and its words are more than a line."""
    os.mkfifo(tmp_path / "pipe")
    with keepalived(tmp_path, "a\nprocess 1 keepalived vips", "-f", str(tmp_path / "pipe")) as pid:
        assert found() | {pid: "unknown"} == found()
        assert "1" not in found()


@pytest.mark.parametrize("words", [("--signum=JSON",), ("-t", "-f", "/etc/keepalived/new"), ("--version",)], ids=str)
def test_one_that_only_answers_is_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Such as that of another operator's look at the same time."""
    with keepalived(tmp_path, *words) as pid:
        assert pid not in found()


@pytest.mark.parametrize(
    ("command", "knows"), [("keepalived\0-f\0/etc/x\0", "unknown"), ("", None)], ids=["runs", "ended"]
)
def test_one_that_ends_meanwhile_is_none(tmp_path: Path, command: str, knows: str | None) -> None:
    """Then its command line is empty (proc(5)); of one that runs, a file that can't be read is told."""
    proc = tmp_path / "proc"
    for each in ("self", "7"):
        (proc / each / "ns").mkdir(parents=True)
        (proc / each / "ns" / "net").symlink_to("net:[1]")
    for name, text in {"comm": "keepalived\n", "cmdline": command, "cgroup": "0::/user.slice\n"}.items():
        (proc / "7" / name).write_text(text)
    assert found(str(proc)).get("7") == knows


@pytest.mark.parametrize(
    ("conf", "knows"),
    [
        ("include /etc/keepalived/conf.d/*.conf\n", "unknown"),
        ("virtual_ipaddress {\n ${NET}.9/24\n}\n", "unknown"),
        (f"include x\nvirtual_ipaddress {{\n {VIP}/24\n}}\n", "vips"),
        (f"$VIP={VIP}\nvirtual_ipaddress {{\n $VIP/24\n}}\n", "vips"),
        ('virtual_ipaddress {\n 192.0.2.8/24\n}\nvrrp_script a {\n script "test $x"\n}\n', "none"),
    ],
)
def test_what_a_file_does_not_tell_by_itself_is_not_taken_for_nothing(tmp_path: Path, conf: str, knows: str) -> None:
    """Other files, and addresses of several parts, may have a VIP."""
    (tmp_path / "conf").write_text(conf)
    with keepalived(tmp_path, "-f", str(tmp_path / "conf")) as pid:
        assert found()[pid] == knows


SHOWN = """\
MainPID=0
ExecStart={{ path=/usr/sbin/haproxy ; argv[]=/usr/sbin/haproxy -f $CONFIG ${{EXTRA}}X $MORE ; ignore_errors=no }}
EnvironmentFiles={folder}/one (ignore_errors=yes)
EnvironmentFiles={folder}/two (ignore_errors=no)

MainPID=0
ExecStart={{ path=/usr/sbin/keepalived ; argv[]=/usr/sbin/keepalived $ARGS ; ignore_errors=no }}
EnvironmentFiles={folder}/two (ignore_errors=yes)

"""


def test_variables_that_daemons_are_started_with_are_read_as_systemd_reads_them(tmp_path: Path) -> None:
    """Of both units, from all files, also from a last line without an end; and what is no assignment is none."""
    (tmp_path / "one").write_text(
        " CONFIG=/etc/a.cfg\nCONFIG\nCONFIG = /etc/b.cfg\n\n#EXTRA=1\nCONF=1\nCONFIGS=1\nEXTRA=2"
    )
    (tmp_path / "two").write_text('ARGS="-D  -x"\nMORE=3\nexport MORE=4\n=5')
    (tmp_path / "shown").write_text(SHOWN.format(folder=tmp_path))
    text = remote_text("surroundings.sh")
    script = f"systemctl() {{ cat {tmp_path}/shown; }}\n{text[: text.index('# The VIPs that the node has')]}"
    said = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True, timeout=60).stdout
    assert [line for line in said.splitlines() if "Variable=" in line] == [
        "unit haproxy Variable=CONFIG=/etc/a.cfg",
        "unit haproxy Variable=EXTRA=2",
        "unit haproxy Variable=MORE=3",
        'unit keepalived Variable=ARGS="-D  -x"',
    ]
    assert "unit keepalived MainPID=0" in said


NETWORK = {
    "netplan/a.yaml": True,
    "netplan/a.yaml.bak": False,
    "netplan/old/a.yaml": False,
    "systemd/network/a.network": True,
    "systemd/network/a.network.d/b.conf": True,
    "systemd/network/a.network.old": False,
    "NetworkManager/system-connections/Wired connection 1": True,
    "network/interfaces": True,
    "network/interfaces.d/a.cfg": True,
    "network/interfaces.d/a.bak": False,
    "network/plain/b": True,
    "network/plain/b.bak": False,
    "network/c": False,
}


def test_only_files_that_are_read_are_looked_at(tmp_path: Path) -> None:
    """Each program has its own idea of which; ifupdown's is in its first file."""
    etc = tmp_path / "etc"
    for name in NETWORK:
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(f"{VIP}/24\n")
    more = f"  source {etc}/network/interfaces.d/*.cfg\n{VIP}/24\nsource-directory plain"  # its last line has no end
    (etc / "network/interfaces").write_text(more)
    assert looked_at(etc) == sorted(name for name, is_read in NETWORK.items() if is_read)


def test_a_folder_that_debian_names_by_default_is_looked_at(tmp_path: Path) -> None:
    """Also where ifupdown's first file is not there, or not yet."""
    etc = tmp_path / "etc"
    for name in ("vip", "vip.bak"):
        (etc / "network/interfaces.d").mkdir(parents=True, exist_ok=True)
        (etc / "network/interfaces.d" / name).write_text(f"{VIP}/24\n")
    assert looked_at(etc) == ["network/interfaces.d/vip"]


def looked_at(etc: Path) -> list[str]:
    """The files of the network in which the VIP is found."""
    text = remote_text("surroundings.sh")
    part = TOLD.search(text)[0] + text[text.index(NETWORK_FILES) : text.index("\nset --\nfor setting in")]
    script = f"vips={VIP}\n{part.replace('/etc/', f'{etc}/')}"
    said = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True, timeout=60)
    return sorted(line.removeprefix(f"network {etc}/").partition(":")[0] for line in said.stdout.splitlines())
