"""What nodes are told, in every shell; and what they answer, whatever that is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lbdeploy.config.model import Cluster
from lbdeploy.errors import LockedError, RemoteError
from lbdeploy.node.paths import HAPROXY_CFG, SERVER_STATE
from lbdeploy.operations.servers.names import members
from lbdeploy.operations.servers.node_scripts import (
    LOADS,
    NodeServers,
    ServersProbe,
    Tell,
    close_connections,
    parse_open,
)

PORTS = {("k8s-api", "master1"): 6443}


def tell(seed: Cluster) -> Tell:
    view = NodeServers(seed.node("lb1"), "1\n", answers=True, loads=True, stats=(), open={})
    return Tell(view, "1\nnew 'quoted' $(id)\n", members(seed, "master1"), "drain", "it's me; $(id)")


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_scripts_are_valid(seed: Cluster, shell: str) -> None:
    """Whoever drains a server, and whatever the record says."""
    wanted = members(seed, "master1")
    for script in (
        tell(seed).script(),
        close_connections(wanted),
        ServersProbe(seed.preferred, PORTS, wanted).script(),
    ):
        done = subprocess.run([shell, "-n"], check=False, capture_output=True, input=script.encode())
        assert (done.returncode, done.stderr) == (0, b"")


FILE, LOADED = f"server-state-file {SERVER_STATE}", "load-server-state-from-file global"


@pytest.mark.parametrize(
    ("conf", "loads"),
    [
        (f"global\n    {FILE}\ndefaults\n    {LOADED}\n", True),
        (f"global\n\t{FILE}\ndefaults\n\t{LOADED}\n", True),
        (f"{FILE.replace(' ', '   ')} # drains\n{LOADED.replace(' ', chr(9))}  # too\n", True),
        (f'server-state-file "{SERVER_STATE}"\n{LOADED}#', True),
        (f"#{FILE}\n{LOADED}\n", False),
        (f"{FILE}\n# {LOADED}\n", False),
        (f"{FILE}\nload-server-state-from-file none\n", False),
        (f"{FILE}2\n{LOADED}\n", False),
        (f"{FILE}\n", False),
        ("", False),
    ],
)
def test_a_haproxy_cfg_is_read_as_haproxy_does(tmp_path: Path, conf: str, loads: bool) -> None:
    """Any white space between words, and comments behind them: a template is the operator's own."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(conf)
    done = subprocess.run(["sh", "-c", LOADS.replace(HAPROXY_CFG, str(file))], check=False, capture_output=True)
    assert ((done.returncode == 0), done.stdout, done.stderr) == (loads, b"", b"")


def answered(seed: Cluster, *told: str) -> object:
    one = tell(seed)
    return one.read("".join(f"{one._mark} {each}\n" if not each.startswith("open") else f"{each}\n" for each in told))


def test_what_was_done_is_told_with_the_connections_that_are_open(seed: Cluster) -> None:
    """By frontend and server."""
    assert answered(seed, "written", "done", "open k8s-api master1 3") == {("k8s-api", "master1"): 3}


def test_a_record_that_has_changed_is_looked_at_again(seed: Cluster) -> None:
    """Two drains at once: the second one sees the first."""
    assert answered(seed, "changed") is None


def test_another_run_is_named(seed: Cluster) -> None:
    """As to every command that changes nodes."""
    with pytest.raises(LockedError, match="another run is at work: bob"):
        answered(seed, "locked bob")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ((), "/var/lib/lbdeploy/haproxy-servers could not be written there"),
        (("written",), "haproxy there did not do it: it does not answer on its socket"),
        (("written", "said No such server."), "haproxy there did not do it: No such server."),
    ],
)
def test_what_was_not_done_is_an_error(seed: Cluster, told: tuple[str, ...], message: str) -> None:
    """It says how far it got."""
    with pytest.raises(RemoteError) as raised:
        answered(seed, *told)
    assert raised.value.message == message
    assert raised.value.state
    assert raised.value.fix


def test_an_answer_that_makes_no_sense_is_that_nodes_error(seed: Cluster) -> None:
    """Not a traceback."""
    with pytest.raises(RemoteError, match="can't be read"):
        answered(seed, "done", "open k8s-api master1 many")


def test_open_connections_are_read_by_server() -> None:
    """Other lines are passed over."""
    assert parse_open("noise\nopen a b 2\nopen a c 0\n") == {("a", "b"): 2, ("a", "c"): 0}


def test_the_record_is_replaced_only_where_it_is_as_it_was_seen(seed: Cluster, tmp_path: Path) -> None:
    """Otherwise the node says so, and it stays."""
    record = tmp_path / "haproxy-servers"
    one = tell(seed)
    script = one.script().replace("/var/lib/lbdeploy", str(tmp_path)).replace("/run/lbdeploy/lock", f"{tmp_path}/lock")
    script = f"systemctl() {{ echo inactive; return 3; }}\n{script}"
    for before, after in (("1\n# other\n", "1\n# other\n"), ("1\n", "1\nnew 'quoted' $(id)\n")):
        record.write_text(before)
        done = subprocess.run(["sh"], check=False, capture_output=True, input=script, text=True)
        assert record.read_text() == after, done
    assert (record.stat().st_mode & 0o777, list(tmp_path.glob("*.lbdeploy-new"))) == (0o600, [])
    assert " written\n" in done.stdout
    assert " done\n" in done.stdout


def test_templates_are_not_imported() -> None:
    """A drain renders nothing, and starts without what does: jinja2 alone takes longer than a login."""
    ask = "import sys, lbdeploy.operations.servers.drain; print('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout == "False\n"
