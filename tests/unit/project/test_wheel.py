"""The wheel works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

TOP = Path(__file__).parents[3]


def test_an_installed_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """Templates, the scripts for the nodes, the sample and the manual come with the wheel, and `render` finds them."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True)
    site = tmp_path / "site"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    (tmp_path / "hosts.toml").write_text((site / "lbdeploy/_shipped/hosts.toml").read_text())
    command = [sys.executable, "-c", "from lbdeploy.cli.main import main; main()", "render", "lb1", "--out", "out"]
    run = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}, check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "192.168.0.10/24 dev ens33" in (tmp_path / "out/lb1/etc/keepalived/keepalived.conf").read_text()
    assert (site / "lbdeploy/node/remote/transaction.sh").exists()
    assert (site / "lbdeploy/py.typed").exists()
    manual = next(site.glob("lbdeploy-*.data/data/share/man/man1/lbdeploy.1"))
    assert manual.read_text().startswith(".TH LBDEPLOY 1")
