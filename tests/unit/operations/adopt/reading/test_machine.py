"""What a node says of its daemons, and how it is asked."""

from __future__ import annotations

import base64
import os
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdeploy.common.redact import hidden_in_base64
from lbdeploy.operations.adopt.reading.machine import (
    Machine,
    Running,
    addresses_in,
    files_in,
    look,
    reading,
    resolving,
    understood,
)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def answer(*, keepalived: str = "", haproxy: str = "") -> str:
    lines = ["name lb1.example.org", "ip 2: eth0: <UP,LOWER_UP> mtu 1500", "ip     inet 10.0.0.1/24 scope global eth0"]
    for name, argv in (("keepalived", keepalived), ("haproxy", haproxy)):
        if argv:
            words = "\0".join([*argv.split(), ""])
            lines += [f"root {name} ", f"argv {name} {coded(words)}"]
            lines += [f"environ {name}", f"secret {coded('CONFIG=/x' + chr(0) + 'TOKEN=abc' + chr(0))}"]
    return "\n".join(lines)


def node(**argv: str) -> Machine:
    return understood("lb1", "192.168.1.11", answer(**argv))


def test_a_node_says_what_runs() -> None:
    """Command lines, environments, links and its name, without which conditional lines can't be told."""
    seen = node(keepalived="keepalived --use-file /srv/k.conf -i left", haproxy="haproxy -Ws -f /a.cfg")
    assert (seen.keepalived_file, seen.config_id) == ("/srv/k.conf", "left")
    assert seen.environment_of("haproxy") == {"CONFIG": "/x", "TOKEN": "abc"}
    assert [str(each) for link in seen.links for each in link.addresses] == ["10.0.0.1/24"]
    assert "abc" not in repr(seen)


def test_daemons_that_do_not_run_have_debians_files() -> None:
    seen = node()
    assert (seen.keepalived_file, seen.config_id) == ("/etc/keepalived/keepalived.conf", "lb1")
    assert seen.haproxy_files() == {}
    assert seen.sources["haproxy"].missing == {"/etc/haproxy/haproxy.cfg", "/etc/haproxy/haproxy.cfg/*.cfg"}


@pytest.mark.parametrize("argv", ["-f/k.conf", "--use-file=/k.conf", "-n -l -f /k.conf", "--use-file /k.conf"])
def test_a_file_may_be_named_in_every_way(argv: str) -> None:
    assert node(keepalived=f"keepalived {argv}").keepalived_file == "/k.conf"


def test_haproxy_may_read_several_files_and_folders() -> None:
    """In the order of the command line."""
    seen = node(haproxy="haproxy -Ws -f /a.cfg -f /conf.d -p /run/x.pid -- /z.cfg")
    seen.sources["haproxy"].add({"/a.cfg": {"/a.cfg": "1"}, "/conf.d/*.cfg": {"/conf.d/b.cfg": "2"}})
    seen.sources["haproxy"].add({"/z.cfg": {"/z.cfg": "3"}})
    assert list(seen.haproxy_files()) == ["/a.cfg", "/conf.d/b.cfg", "/z.cfg"]


def test_files_are_read_by_a_shell_as_patterns(tmp_path: Path) -> None:
    """In the order of their names, with any name; programs and folders are left out; what is in them stays hidden."""
    for name in ("b.cfg", "a b.cfg", "$(id).cfg"):
        (tmp_path / name).write_text(f"{name}\nauth_pass 1234\n")
    (tmp_path / "x.cfg").write_bytes(b"\x7fELF\x01")
    (tmp_path / "d.cfg").mkdir()
    patterns = ["/*.cfg", "/none"]
    script = reading(patterns, str(tmp_path))
    done = subprocess.run(["sh"], input=script, check=True, capture_output=True, text=True)
    found = files_in(patterns, done.stdout)
    assert list(found["/*.cfg"]) == ["/$(id).cfg", "/a b.cfg", "/b.cfg"]
    assert found["/*.cfg"]["/b.cfg"] == "b.cfg\nauth_pass 1234\n"
    assert found["/none"] == {}
    assert coded("b.cfg\nauth_pass 1234\n") not in hidden_in_base64(done.stdout)


def test_names_are_resolved_as_the_host_does() -> None:
    """Also one that has no address, and whatever it is; what the node says is data."""
    names = ["127.0.0.9", "no-such-name.invalid", "$(id)"]
    done = subprocess.run(["sh"], input=resolving(names), check=True, capture_output=True, text=True)
    assert addresses_in(names, done.stdout) == {names[0]: ip_address("127.0.0.9"), names[1]: None, names[2]: None}
    assert addresses_in(["a"], "address 0 nonsense\naddress 7 10.0.0.1\naddress 0 10.0.0.1 x\n") == {"a": None}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the environment of other processes")
def test_the_look_is_sh_that_any_host_answers() -> None:
    """Also one without systemd and without the daemons."""
    done = subprocess.run(["sh"], input=look(), check=True, capture_output=True, text=True)
    seen = understood("here", "here", done.stdout)
    assert seen.host_name == os.uname().nodename
    assert done.stderr == ""


@given(st.text())
def test_no_answer_makes_it_fail(text: str) -> None:
    """Whatever a node says is data."""
    understood("lb1", "lb1", f"argv keepalived {text}\nenviron haproxy\nsecret {text}\nip {text}\n{text}")
    files_in(["/a"], f"pattern 0\npath {text}\nsecret {text}\n{text}")


def test_a_daemon_in_a_container_has_a_root_of_its_own() -> None:
    seen = Machine("a", "a", "a", (), {"haproxy": Running(("haproxy",), "/proc/77/root")})
    assert (seen.root_of("haproxy"), seen.root_of("keepalived")) == ("/proc/77/root", "")
