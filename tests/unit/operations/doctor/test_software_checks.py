"""What nodes are asked of their software."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lbdeploy.config.model import Cluster
from lbdeploy.operations.doctor import software_checks


def test_what_apt_says_of_unattended_upgrades_is_read(seed: Cluster, tmp_path: Path) -> None:
    """Whether it is on, and what it leaves alone; nothing where its timer is off."""
    dump = (
        'APT::Periodic::Enable "1";\nAPT::Periodic::Unattended-Upgrade "1";\nAPT::Periodic::Update-Package-Lists "1";\n'
        'Unattended-Upgrade::Package-Blacklist "";\nUnattended-Upgrade::Package-Blacklist:: "^haproxy$";\n'
    )
    for name, does in (("unattended-upgrade", ":"), ("systemctl", "exit $OFF"), ("apt-config", f"printf '{dump}'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    probe = software_checks.probes(seed, seed.preferred)["unattended"]
    for off, said in ((0, "Enable 1\nUnattended-Upgrade 1\nspares ^haproxy$\n"), (1, "")):
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OFF": str(off)}
        run = subprocess.run(["sh", "-c", probe], check=True, capture_output=True, text=True, env=env)
        assert run.stdout == said
