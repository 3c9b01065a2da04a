"""lbdeploy as a library, and as Fabric tasks, on real nodes: the examples of docs/library.md, as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness import TOP, Lab, held_by, wait_for

PAGE = (TOP / "docs" / "library.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PROGRAMS = [each for each in EXAMPLES if "load(" in each]
FABFILES = [each for each in EXAMPLES if "import tasks" in each or "lbdeploy.tasks" in each]
FAB = str(Path(sys.executable).with_name("fab"))


def run(lab: Lab, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120, cwd=lab.file.parent)


def program(lab: Lab, text: str) -> subprocess.CompletedProcess[str]:
    """Run a program that is moved into the lab as it loads hosts.toml."""
    inside = text.replace('load("hosts.toml"', 'load("hosts.toml", lab=True')
    assert inside != text, "it would contact real hosts"
    return run(lab, sys.executable, "-c", inside)


def delay(lab: Lab, node: str) -> str:
    """What keepalived.conf on a node has as preempt_delay."""
    return lab.on(node, "awk '$1 == \"preempt_delay\" { print $2 }' /etc/keepalived/keepalived.conf")


def test_the_examples_of_the_library_do_what_the_commands_do(pair: Lab) -> None:
    """A change is planned, made and verified by a program; another one is told of a node that there is not."""
    pair.edit("preempt_delay = 2", "preempt_delay = 3")
    done = program(pair, PROGRAMS[0])
    assert done.stderr == ""
    assert "lb1 update /etc/keepalived/keepalived.conf" in done.stdout
    assert "192.168.0.10 is on lb1" in done.stdout
    assert {delay(pair, node) for node in ("lb1", "lb2")} == {"3"}
    about = pair.do("rollback", "--list")["runs"][0]["about"]
    assert about.endswith("lbdeploy.up() in -c")
    ends = [program(pair, each) for each in PROGRAMS[1:]]
    assert [each.returncode for each in ends] == [0, 0, 0], [each.stderr for each in ends]
    assert [each.stderr for each in ends] == ["", "", ""]
    assert "there is no node lb9" in ends[0].stdout
    assert "[('lb1',), ('lb1',)]" in ends[2].stdout


def test_moves_and_returns_by_the_library(pair: Lab) -> None:
    """handover moves the VIPs and tells what it cost, in a thread; rollback undoes what up has changed."""
    pair.edit("preempt_delay = 2", "preempt_delay = 1")
    done = program(
        pair,
        """
from concurrent.futures import ThreadPoolExecutor
from lbdeploy import handover, load, rollback, up
cluster = load("hosts.toml")
events = []
with ThreadPoolExecutor() as pool:
    print(sorted(pool.submit(up, cluster, on_event=events.append).result().done))
    moved = pool.submit(handover, cluster, "lb2").result()
    print(moved.taker, moved.in_time, moved.verdict.healthy)
    print(pool.submit(handover, cluster, back=True).result().taker)
    print(sorted(pool.submit(rollback, cluster).result().done))
print({type(each).__name__ for each in events} >= {"Step", "Done", "RemoteCommand"})
from invoke.config import yaml
assert yaml.safe_load("1: 2") == {1: 2}, "Fabric is whole, for others who use it"
""",
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["['lb1', 'lb2']", "lb2 True True", "lb1", "['lb1', 'lb2']", "True"]
    assert {delay(pair, node) for node in ("lb1", "lb2")} == {"2"}
    assert held_by(pair, "lb1")


def test_a_node_is_taken_away_and_power_is_cut_by_the_library(pair: Lab) -> None:
    """What the lab makes possible is possible for programs, too; down leaves nothing of lbdeploy's on a node."""
    done = program(
        pair,
        """
from lbdeploy import down, drill, load, up
cluster = load("hosts.toml")
result = drill(cluster, "power", node="lb2", hold=2)
print(result.ok, result.node)
print(sorted(down(cluster, limit=["lb2"]).done))
print(sorted(up(cluster).done))
""",
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True lb2", "['lb2']", "['lb2']"]


def test_fab_lists_the_tasks_and_keeps_the_exit_codes(pair: Lab) -> None:
    """`fab -l` in a fabfile that imports them; pending changes are 3, and what is wrong with the cluster 6."""
    pair.edit("preempt_delay = 2", "preempt_delay = 3")
    fabfile = pair.file.with_name("fabfile.py")
    fabfile.write_text(FABFILES[0])
    try:
        listed = run(pair, FAB, "-l").stdout
        assert {"plan", "up", "verify", "rollback", "lab-up"} <= {
            line.split()[0] for line in listed.splitlines() if line
        }
        planned = run(pair, FAB, "plan", "--lab", "-f", "hosts.toml", "up", "--lab")
        assert planned.returncode == 3, planned.stderr
        assert "+    preempt_delay 3" in planned.stdout
        assert delay(pair, "lb1") == "2", "the task after one that failed is not run"
        fabfile.write_text(FABFILES[1].replace('file="hosts.toml"', 'file="hosts.toml", lab=True'))
        released = run(pair, FAB, "release", "lbdeploy.plan", "--lab")
        assert released.returncode == 0, released.stderr
        assert "and now the rest" in released.stdout
        assert delay(pair, "lb1") == "3"
        pair.on("lb1", "systemctl stop haproxy")
        wait_for(lambda: held_by(pair, "lb2"))
        assert run(pair, FAB, "lbdeploy.verify", "--lab").returncode == 6
        assert run(pair, FAB, "lbdeploy.check", "-f", "none.toml").returncode == 2
    finally:
        fabfile.unlink()
