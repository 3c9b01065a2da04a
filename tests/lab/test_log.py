"""The log of a run on real nodes: all that went over the wire, and no secret."""

from __future__ import annotations

import re
import shlex
import tarfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness import Lab

import lbdeploy
from lbdeploy.common.paths import shipped

# What shells, sudo, JSON, and whoever quotes something might take for something else; and a part that is never quoted.
PLAIN = "geheim"
PASSWORD = f"""a'b"$(id) `id` \\n{PLAIN}; 漢 %s {{}}"""


@pytest.fixture
def sudoers(pair: Lab) -> Iterator[Lab]:
    """On lb2 sudo wants the password."""
    rule = pair.on("lb2", "grep -rl NOPASSWD /etc/sudoers.d")
    pair.on("lb2", f"printf '%s\\n' {shlex.quote(f'ops:{PASSWORD}')} | chpasswd")
    pair.on("lb2", f"cp {rule} /root/rule; sed -i 's/NOPASSWD: *//' {rule}")
    yield pair
    pair.on("lb2", f"cp /root/rule {rule}")


def test_the_log_of_a_run_has_all_but_the_password(sudoers: Lab, tmp_path: Path) -> None:
    """Scripts, answers, steps and the end, on the screen with -vv and in the log; also where sudo refuses it."""
    sudoers.edit("preempt_delay = 2", "preempt_delay = 3")
    env = {"XDG_STATE_HOME": str(tmp_path), "LBDEPLOY_SUDO_PASSWORD": PASSWORD}
    done = sudoers.run("-v", "--json", "up", "-v", env=env)
    assert done.code == 0, done.err
    (log,) = tmp_path.rglob("*.log")
    text = log.read_text()
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for part in (f"lbdeploy {lbdeploy.__version__}, ", f"\n{sudoers.file}\n", "lb1: reload keepalived", "exit status 0",
                 "lb2: env LC_ALL=C sudo -k -S", "preempt_delay 3", "    > ", "    < "):  # fmt: skip
        assert part in text
    assert "lb2 $ env LC_ALL=C sudo -k -S" in done.err
    assert "log: " not in done.err

    refused = sudoers.run("-vv", "--json", "verify", env=env | {"LBDEPLOY_SUDO_PASSWORD": f"wrong {PASSWORD}"})
    assert (refused.code, refused.json["error"]["type"]) == (4, "Sudo")
    (second,) = {*tmp_path.rglob("*.log")} - {log}
    assert f"log: {second}" in refused.err
    assert "SudoError: lb2: sudo refused the password" in second.read_text()
    for shown in (text, second.read_text(), done.out, done.err, refused.out, refused.err):
        assert PLAIN not in shown


def test_passwords_in_the_files_of_nodes_are_shown_nowhere(pair: Lab, tmp_path: Path) -> None:
    """An administrator's, and those of a template; on the nodes only root reads them, and what was there before."""
    pair.on("lb2", "cd /etc/keepalived; echo '# auth_pass geheim1' >> keepalived.conf; chmod 600 keepalived.conf")
    folder = pair.file.parent / "templates"
    folder.mkdir()
    template = (shipped("templates") / "haproxy.cfg.j2").read_text()
    (folder / "haproxy.cfg.j2").write_text(f"{template}\nuserlist ops\n    user ann insecure-password geheim2\n")
    env = {"XDG_STATE_HOME": str(tmp_path)}
    runs = [pair.run("-vv", "--json", *words, env=env) for words in (("plan",), ("up",), ("rollback",))]
    assert [run.code for run in runs] == [3, 0, 0], [run.err for run in runs]
    diffs = "".join(change.get("diff", "") for change in runs[0].json["changes"])
    assert {"-# auth_pass (hidden)", "+    user ann insecure-password (hidden)"} <= set(diffs.splitlines())
    logs = [log.read_text() for log in tmp_path.rglob("*.log")]
    assert len(logs) == 3
    for shown in (*logs, *(run.out + run.err for run in runs)):
        assert "geheim" not in shown
        for word in re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", shown):
            with suppress(ValueError):
                assert b"geheim" not in b64decode(word, validate=True)
    assert pair.run("up").code == 0
    assert pair.on("lb2", "stat -c '%a %U:%G' /etc/haproxy/haproxy.cfg") == "600 root:root"
    seen = "runuser -u ops -- cat /etc/haproxy/haproxy.cfg /var/lib/lbdeploy/generations/*/files/etc/*/* 2>/dev/null"
    assert "geheim" not in pair.on("lb2", seen, check=False)
    assert "geheim" in pair.on("lb2", "cat /etc/haproxy/haproxy.cfg")


def test_a_bundle_has_all_that_helps_and_no_secret(pair: Lab, tmp_path: Path) -> None:
    """Of a pair with a node that is off: what the other one says, that this one is missing; none of what is secret."""
    pair.on(
        "lb1", "cd /etc/haproxy; echo geheim > token; cp haproxy.cfg was; echo '# stats auth a:geheim' >> haproxy.cfg"
    )
    pair.on(
        "lb1",
        "printf '%s\\n' '-----BEGIN PRIVATE KEY-----' geheim '-----END PRIVATE KEY-----' >> /etc/haproxy/haproxy.cfg",
    )
    pair.on("lb1", "printf '#!/bin/sh\\n: geheim\\n' > /etc/keepalived/lbdeploy-own; logger -t haproxy token=geheim")
    pair.lab("stop", "lb2")
    path = tmp_path / "help.tar.gz"
    said = pair.do("bundle", "--output", str(path))
    assert (said["nodes"], [each["node"] for each in said["missing"]]) == (["lb1"], ["lb2"])
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        found = {
            each.name.partition("/")[2]: archive.extractfile(each).read().decode()  # type: ignore[union-attr]
            for each in archive.getmembers()
        }
    for name, part in (
        ("cluster/verify.json", '"reach"'),
        ("laptop/hosts.toml", "[cluster]"),
        ("manifest.json", '"node": "lb2"'),
        ("nodes/lb1/files/etc/haproxy/haproxy.cfg", "# stats auth (hidden)"),
        ("nodes/lb1/files/etc/keepalived/check-haproxy", "as this version would write it"),
        ("nodes/lb1/files/var/lib/lbdeploy/journal", "step "),
        ("nodes/lb1/folders.txt", "token"),
        ("nodes/lb1/haproxy/state.txt", "master1"),
        ("nodes/lb1/keepalived/state.json", "VI_K8S_API"),
        ("nodes/lb1/logs/keepalived.txt", "Entering MASTER STATE"),
        ("nodes/lb1/network/addresses.txt", "192.168.0.10"),
        ("nodes/lb1/system/packages.txt", "keepalived 1:"),
    ):
        assert part in found[name], name
    assert [name for name, text in found.items() if "geheim" in text] == []
    pair.on("lb1", "cd /etc/haproxy; mv was haproxy.cfg; rm token /etc/keepalived/lbdeploy-own")
