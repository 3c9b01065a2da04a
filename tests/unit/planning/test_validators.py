"""The daemons' own checks of the files that are rendered."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from listening import MEETINGS

from lbdeploy.planning import validators


@pytest.mark.parametrize(
    ("said", "status", "objection"),
    [
        ("", 0, ""),
        ("(VI_SIX) the first IPv6 VIP address must be link local", 0, ""),
        ("(VI_SIX) the first IPv6 VIP address must be link local\n(VI_SIX) no", 5, "(VI_SIX) no"),
        ("", 5, ""),
    ],
)
def test_one_word_of_an_old_keepalived_is_no_objection(tmp_path: Path, said: str, status: int, objection: str) -> None:
    """Debian 11's misses a link-local VIP where IPv6 goes to the group, and works all the same; all else counts."""
    (tmp_path / "keepalived").write_text(f"#!/bin/sh\n[ -z '{said}' ] || echo '{said}' >&2\nexit {status}\n")
    (tmp_path / "keepalived").chmod(0o755)
    argv = ["sh", "-c", str(validators.KEEPALIVED), "lbdeploy", "keepalived.conf"]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    run = subprocess.run(argv, check=False, env=path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (run.returncode, run.stdout.strip()) == (status, objection)


@pytest.mark.parametrize(("pids", "objection"), [("4242", ""), ("", "*:6443 is in use: users:((")])
def test_a_haproxy_of_another_unit_is_in_the_way(tmp_path: Path, pids: str, objection: str) -> None:
    """That of a container on the host's network has the same name; both would share the port, or the reload fails."""
    said = objections(tmp_path, "*:6443", "*:6443", pids)
    assert said.startswith(objection)
    assert bool(said) is bool(objection)


@pytest.mark.parametrize(("host", "address", "meets"), MEETINGS)
def test_who_listens_on_the_other_family_is_not_in_the_way(
    tmp_path: Path, host: str, address: str, meets: bool
) -> None:
    """The same as doctor says of it."""
    bind = f"[{address}]:6443" if ":" in address else f"{address}:6443"
    assert bool(objections(tmp_path, f"{host}:6443", bind)) is meets


@pytest.mark.parametrize(
    ("listens", "bind", "meets"),
    [
        ("[::]", "*", False),
        ("[::]", "ipv4@", False),
        ("[::]", "ipv6@", True),
        ("[::]", "::", True),
        ("192.168.0.10", "*", True),
        ("192.168.0.10", "", True),
        ("192.168.0.10", "[::]", True),
        ("0.0.0.0", "[::]", True),
        ("[::ffff:192.168.0.10]", "0.0.0.0", True),
        ("*", "*", True),
    ],
)
def test_haproxy_everywhere_meets_who_listens_anywhere(tmp_path: Path, listens: str, bind: str, meets: bool) -> None:
    """haproxy's "*" is IPv4 alone; its "::" may be both, as the node's bindv6only says."""
    assert bool(objections(tmp_path, f"{listens}:6443", f"{bind}:6443")) is meets


def objections(tmp_path: Path, listens: str, bind: str, pids: str = "") -> str:
    """What the check of a haproxy.cfg with this bind says where a haproxy of these processes has that port."""
    fakes = {
        "ss": f"""echo 'LISTEN 0 4096 {listens} *:* users:(("haproxy",pid=4242,fd=7),("haproxy",pid=4241,fd=7))'""",
        "grep": f'case $* in *service*) [ -z "{pids}" ] || echo /proc/{pids}/cgroup ;; *) exec /bin/grep "$@" ;; esac',
        "haproxy": "",
        "systemctl": "echo 0",
    }
    for name, text in fakes.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "haproxy.cfg").write_text(f"frontend a\n    bind {bind}\n")
    argv = ["sh", "-c", str(validators.HAPROXY), "lbdeploy", str(tmp_path / "haproxy.cfg")]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    return subprocess.run(argv, check=False, env=path, stdout=subprocess.PIPE, text=True).stdout


SS = """#!/bin/sh
case $* in
    -Htln) echo 'LISTEN 0 128 0.0.0.0:22 0.0.0.0:*'; echo 'LISTEN 0 128 [::]:2222 [::]:*' ;;
    *) cat "${0%/*}/established" ;;
esac
"""


@pytest.mark.parametrize(
    ("local", "objection"),
    [
        ("192.168.1.11:22", ""),
        ("[fd00::11]:2222", "sshd is reached at port 2222: set port in [ssh], or firewall_allow"),
        ("192.168.1.11:48122", ""),
    ],
)
def test_a_firewall_shuts_no_port_at_which_sshd_is_reached(tmp_path: Path, local: str, objection: str) -> None:
    """What sshd has connected to by itself, as a jump host does, is no way in."""
    (tmp_path / "established").write_text(f'0 0 {local} 192.168.1.9:50000 users:(("sshd",pid=7,fd=4))\n')
    for name, text in {"ss": SS, "nft": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "rules").write_text("tcp dport { 22, 6443 } accept\n")
    argv = ["sh", "-c", str(validators.NFT), "lbdeploy", tmp_path / "rules"]
    run = subprocess.run(argv, check=False, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == (objection, "")
