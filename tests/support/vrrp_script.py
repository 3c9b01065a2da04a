"""keepalived's script for the node exporter (templates/vrrp-metrics.sh.j2), run here as keepalived would."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lbdeploy.config.model import Cluster
from lbdeploy.planning.desired import KEEPALIVED_CONF, TEXTFILES, VRRP_METRICS, files


@dataclass
class Script:
    """That of a node, with the folders that it uses on a node below one of the test's."""

    folder: Path
    cluster: Cluster
    node: str

    def __post_init__(self) -> None:
        rendered = {each.path: each.content for each in files(self.cluster, self.cluster.node(self.node))}
        text = rendered[VRRP_METRICS].replace("/run/lbdeploy-vrrp-metrics", str(self.folder / "records"))
        text = text.replace(TEXTFILES, str(self.folder / "textfiles"))
        (self.folder / "script").write_text(text.replace(KEEPALIVED_CONF, str(self.folder / "conf")))
        (self.folder / "textfiles").mkdir()
        (self.folder / "conf").write_text(rendered[KEEPALIVED_CONF])
        (self.folder / "ip").write_text(f'#!/bin/sh\ngrep -qx "$5" {self.folder}/held && echo there\n')
        (self.folder / "ip").chmod(0o755)

    def metrics(self, *args: str, held: str = "") -> dict[str, float]:
        """Values by series after a run with these arguments, {} where there is no file."""
        lines = self.printed(*args, held=held).splitlines()
        return {key: float(value) for key, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def printed(self, *args: str, held: str = "") -> str:
        """What the node exporter would read; `held`: the VIPs that the node has."""
        (self.folder / "held").write_text(held.replace(" ", "\n") + "\n")
        script, path = ["sh", str(self.folder / "script"), *args], f"{self.folder}:/usr/bin:/bin"
        done = subprocess.run(script, env={"PATH": path}, check=True, capture_output=True, text=True)
        assert done.stderr == ""
        if args and args[1] != "STOP":
            self._noted(*args[:2])
        assert [each.name for each in (self.folder / "textfiles").glob("lbdeploy-vrrp.*[!m]")] == []
        file = self.folder / "textfiles" / "lbdeploy-vrrp.prom"
        return file.read_text() if file.exists() else ""

    def _noted(self, instance: str, state: str) -> None:
        """It notes a state while the command behind it runs."""
        record = self.folder / "records" / instance
        for _ in range(100):
            if record.exists() and record.read_text().startswith(state):
                return
            time.sleep(0.05)
