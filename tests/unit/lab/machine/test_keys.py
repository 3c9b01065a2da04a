"""The lab's keys."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lbdeploy.lab.machine.keys import fingerprint, make_ssh_key


def test_ssh_reads_the_keys_and_agrees_on_their_fingerprints(tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa"):
        key = tmp_path / kind
        make_ssh_key(key, kind)
        assert key.stat().st_mode & 0o777 == 0o600
        shown = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True).stdout
        assert fingerprint(tmp_path / f"{kind}.pub") in shown
