"""pyinfra and Ansible, in a Python environment of their own, with the same job to do on the same nodes."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import output, progress, run
from pair import NODES, Pair

JOBS = Path(__file__).with_name("jobs")
CACHE = Path("/var/cache/lbdeploy-bench")
PACKAGES = ("pyinfra==3.10.0", "ansible-core==2.19.14", "mitogen==0.3.54")

ANSIBLE_CFG = """\
[defaults]
inventory = {inventory}
host_key_checking = true
gathering = explicit
retry_files_enabled = false
interpreter_python = /usr/bin/python3
local_tmp = {folder}/ansible
[ssh_connection]
pipelining = true
ssh_args = -F {ssh_config} -o ControlMaster=auto -o ControlPersist=15s
"""
INVENTORY_INI = "{name} ansible_host={address} ansible_user={user} ansible_ssh_private_key_file={key}\n"


@dataclass
class Rival:
    """A tool that does the same job; `command(where)` is the command line in a namespace, `env` its settings."""

    name: str
    command: Callable[[str], list[str]]
    env: dict[str, str]
    needs_python: bool = False  # on the nodes

    def run(self, where: str) -> float:
        """Do the job from a namespace, with new connections; the seconds that it took."""
        with tempfile.TemporaryDirectory(prefix="lbdeploy-bench-") as control:
            env = {**self.env, "ANSIBLE_SSH_CONTROL_PATH_DIR": control}
            return run(self.command(where), env=env)


def rivals(pair: Pair) -> list[Rival]:
    """The tools, ready to run. Raises CommandFailed where they can't be installed."""
    place = environment()
    files = pair.render()
    _write_settings(pair, files)
    ansible = {"ANSIBLE_CONFIG": str(pair.folder / "ansible.cfg"), "ANSIBLE_HOME": str(pair.folder / "ansible")}
    mitogen = ansible | {"ANSIBLE_STRATEGY_PLUGINS": _strategies(place), "ANSIBLE_STRATEGY": "mitogen_linear"}

    def pyinfra(where: str) -> list[str]:
        return pair.inside(where, f"{place}/bin/pyinfra", "-y", f"{pair.folder}/inventory.py", f"{JOBS}/deploy.py")

    def playbook(where: str) -> list[str]:
        return pair.inside(where, f"{place}/bin/ansible-playbook", f"{JOBS}/playbook.yml", "-e", f"files={files}")

    return [
        Rival("pyinfra", pyinfra, {}),
        Rival("Ansible with Mitogen", playbook, mitogen, needs_python=True),
        Rival("Ansible", playbook, ansible, needs_python=True),
    ]


def environment() -> Path:
    """The environment with the tools: made once, kept for the next run."""
    wanted = "\n".join((sys.version, *PACKAGES))
    place = CACHE / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    if not (place / "complete").exists():
        progress("installing pyinfra and Ansible\n")
        shutil.rmtree(place, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(place)])
        pip = [f"{place}/bin/pip", "-q", "--disable-pip-version-check", "install", *PACKAGES]
        run(pip, env={"PYTHONDONTWRITEBYTECODE": ""})
        (place / "complete").touch()
    return place


def versions() -> str:
    """The tools' versions, for the record."""
    return ", ".join(package.replace("==", " ") for package in PACKAGES)


def _strategies(place: Path) -> str:
    program = "import ansible_mitogen, os; print(os.path.dirname(ansible_mitogen.__file__))"
    return output(f"{place}/bin/python", "-c", program).strip() + "/plugins/strategy"


def _write_settings(pair: Pair, files: Path) -> None:
    user, key = pair.data["ssh"]["user"], str(pair.ssh_config.with_name("id_ed25519"))
    lines = [INVENTORY_INI.format(name=name, address=pair.addresses[name], user=user, key=key) for name in NODES]
    (pair.folder / "inventory.ini").write_text("".join(lines))
    settings = {"folder": pair.folder, "ssh_config": pair.ssh_config, "inventory": pair.folder / "inventory.ini"}
    (pair.folder / "ansible.cfg").write_text(ANSIBLE_CFG.format(**settings))
    data = {"ssh_user": user, "ssh_key": key, "ssh_config_file": str(pair.ssh_config), "files": str(files)}
    known = {"ssh_known_hosts_file": str(pair.ssh_config.with_name("known_hosts"))}
    nodes = [(name, {"ssh_hostname": pair.addresses[name], **data, **known}) for name in NODES]
    (pair.folder / "inventory.py").write_text(f"nodes = {nodes!r}\n")
    os.makedirs(pair.folder / "ansible", exist_ok=True)
