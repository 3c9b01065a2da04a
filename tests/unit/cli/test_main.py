"""The console script starts quickly: what a command does not need, it does not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from goldens import GOOD

# What takes longer than all that `check` has to do.
SLOW = {"pydantic", "tomllib", "jinja2", "rich", "paramiko", "fabric", "tree_sitter", "cryptography"}
# Of the standard library, what click and pathlib import for features that are not used here.
NEEDLESS = {
    "uuid",
    "platform",
    "gettext",
    "urllib.parse",
    "datetime",
    "hashlib",
    "subprocess",
    "asyncio",
    "logging",
    "glob",
    "inspect",
    "ast",
    "tempfile",
    "traceback",
    "textwrap",
    "locale",
}
# Those too that stand for what they import once something of it is used.
PROGRAM = "import sys, os; from lbdeploy.cli.main import main\n" + (
    "real = lambda: [name for name, module in sys.modules.items() if type(module).__name__ != '_Late']\n"
    "os._exit = lambda code: (print(*real(), file=sys.stderr, flush=True), sys.exit(code)); main()"
)


def imported(folder: Path, *args: str) -> set[str]:
    """What a command has imported at its end."""
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "LBDEPLOY_FILE": ""}
    argv = [sys.executable, "-c", PROGRAM, *args]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the sample hosts.toml."""
    (tmp_path / "hosts.toml").write_text(GOOD)
    return tmp_path


def test_help_imports_little(folder: Path) -> None:
    """Neither the model of hosts.toml nor anything of what commands do."""
    found = imported(folder, "--help")
    needless = NEEDLESS - {"inspect", "ast", "textwrap"}  # which click takes to show a help
    assert not (SLOW | needless | {"json", "ipaddress", "lbdeploy.config.model", "lbdeploy.events"}) & found


def test_check_of_an_unchanged_file_imports_little(folder: Path) -> None:
    """Neither what parses the file nor what renders templates: that was done before."""
    assert {"pydantic", "jinja2"} <= imported(folder, "check")
    found = imported(folder, "check")
    assert not (SLOW | NEEDLESS | {"lbdeploy.config.reader", "lbdeploy.planning.desired", "lbdeploy.events"}) & found


def test_check_of_a_changed_file_imports_what_it_needs(folder: Path) -> None:
    """It is parsed, and its files are rendered; nothing is imported for nodes, or for drawing."""
    imported(folder, "check")
    (folder / "hosts.toml").write_text(GOOD + "# changed\n")
    found = imported(folder, "check")
    assert "pydantic" in found
    assert not {"rich", "paramiko", "fabric", "tree_sitter", "cryptography", "importlib.metadata"} & found


USED_LATE = r"""
import sys
from lbdeploy.common import startup
startup.lean = True
startup.import_little()
import inspect, tempfile
from textwrap import dedent
kind = lambda: type(sys.modules["inspect"]).__name__
print(kind(), inspect.isclass(int), inspect.cleandoc(" one line "))
print(inspect.cleandoc(" two\n   lines"), inspect.signature(lambda a: 0), dedent("  x"), tempfile.gettempdir())
print(kind(), hasattr(tempfile, "nothing"))
"""


def test_what_is_imported_late_is_the_real_thing_once_it_is_used() -> None:
    """Also for those who imported it before, or only a function of it."""
    env = {**os.environ, "TMPDIR": "/"}
    argv = [sys.executable, "-c", USED_LATE]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60, env=env)
    assert done.stdout.splitlines() == ["_Late True one line", "two", "lines (a) x /", "module False"]


def test_the_stand_ins_are_gone_when_a_command_runs(folder: Path) -> None:
    """What is imported later is the real thing."""
    program = "from lbdeploy.common import startup; startup.lean = True; startup.import_click()\n" + (
        "import uuid, datetime, gettext, urllib.parse\n"
        "print(uuid.uuid4(), datetime.date.today(), urllib.parse.quote('ü'))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith(" %C3%BC\n")


# Fabric is imported only once somebody has dialled, or after a while.
DIALLED = """
import sys, socket, threading
from importlib.machinery import PathFinder, SourceFileLoader
order, dialled = [], threading.Event()
class Late(SourceFileLoader):
    def exec_module(self, module):
        dialled.wait(5)
        order.append("fabric")
        super().exec_module(module)
class Finder:
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path) if name == "fabric" else None
        if spec:
            spec.loader = Late(name, spec.origin)
        return spec
class Dialling(socket.socket):
    def connect(self, address):
        order.append("dial" if "encodings.idna" not in sys.modules else "late")
        dialled.set()
        raise ConnectionRefusedError
socket.socket = Dialling
sys.meta_path.insert(0, Finder)
"""


def test_nodes_are_dialled_before_fabric_is_imported(folder: Path) -> None:
    """sshd's answer and the import take their time side by side; nor are tables of Unicode imported for an address."""
    program = DIALLED + PROGRAM.replace("print(*real(),", "print(*order,")
    argv = [sys.executable, "-c", program, "plan"]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=folder, env=env, timeout=60)
    assert done.stderr.splitlines()[-1].split()[0] == "dial", done.stderr
