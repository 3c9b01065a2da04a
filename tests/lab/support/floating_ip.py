"""A stand-in for the API of a provider that moves a floating IP: it answers, refuses, or does not answer at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import Lab, wait_for

TOKEN = "hunter2-token"
PORT = 8080
PROGRAM = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder, token, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

class Api(BaseHTTPRequestHandler):
    def do_POST(self):
        mode = (folder / "mode").read_text()
        if mode == "silent":
            time.sleep(30)
        right = self.headers["Authorization"] == f"Bearer {token}"
        if mode == "well" and right:
            (folder / "owner").write_text(self.path.rpartition("/")[2])
        self.send_response(500 if mode != "well" else 200 if right else 401)
        self.end_headers()

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("", port), Api).serve_forever()
"""
# The script of the operator: the token is in a file that only root can read, and in no argument.
CLAIM = f"""#!/bin/bash
read -r token < /root/floating-ip-token || exit
exec 3<>/dev/tcp/192.168.1.21/{PORT} || exit
printf 'POST /floating-ip/%s HTTP/1.0\\r\\nAuthorization: Bearer %s\\r\\n\\r\\n' "$(hostname)" "$token" >&3
read -r _ status _ <&3
[ "$status" = 200 ]
"""


class FloatingIp:
    """The API, where `owner` is the node that the address is at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mode("well")

    def mode(self, mode: str) -> None:
        """Have it be well, failing or silent."""
        (self.folder / "mode.new").write_text(mode)
        (self.folder / "mode.new").rename(self.folder / "mode")

    @property
    def owner(self) -> str:
        path = self.folder / "owner"
        return path.read_text() if path.exists() else ""

    def forget(self) -> None:
        (self.folder / "owner").unlink(missing_ok=True)


@contextmanager
def floating_ip(lab: Lab, folder: Path) -> Iterator[FloatingIp]:
    """It runs beside master1."""
    found = FloatingIp(folder)
    argv = ["ip", "netns", "exec", lab.namespace("master1"), sys.executable, "-c", PROGRAM]
    running = subprocess.Popen([*argv, str(folder), TOKEN, str(PORT)])
    try:
        wait_for(lambda: lab.on("master1", f"ss -Hltn 'sport = :{PORT}'"))
        yield found
    finally:
        running.kill()
        running.wait()
