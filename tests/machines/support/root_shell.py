"""A root shell on a machine, beside its network: on a serial port of QEMU's, where the guest has a shell listening.

What judges a machine does not go through what is judged, and costs it no login.
"""

from __future__ import annotations

import base64
import secrets
import socket
import time

PORT = "shell"  # the guest has it as /dev/virtio-ports/shell
_GREETING = b"a shell is listening\n"
UNIT = f"""\
[Unit]
Description=Shell for whoever judges this machine
[Service]
ExecStart=/bin/sh -c 'exec <>/dev/virtio-ports/{PORT} >&0 2>/dev/null; echo {_GREETING.decode().strip()}; exec sh'
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""
_ASK = (
    "echo {nonce} begins; echo {script} | base64 -d | sh >/run/out 2>/run/err; code=$?; "
    "cat /run/out; echo; echo {nonce} errors; cat /run/err; echo; echo {nonce} exit $code\n"
)


class GoneError(Exception):
    """Nobody answers: the machine is off, or boots, or was too slow."""


class Console:
    """This end of the port, from power-on to power-off."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._heard = b""
        self._greeted = False

    def reboots(self) -> None:
        """Nobody answers until the next boot."""
        self._greeted = False

    def close(self) -> None:
        """The machine is off."""
        self._socket.close()

    def ask(self, command: str, seconds: float) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a shell command. Raises GoneError."""
        if not self._greeted:  # what was sent before would be read some time later
            self._until(_GREETING, time.monotonic() + 0.1)
            self._greeted = True
        deadline = time.monotonic() + seconds
        nonce = secrets.token_hex(8)
        script = base64.b64encode(command.encode()).decode()
        try:
            self._socket.sendall(_ASK.format(script=script, nonce=nonce).encode())
        except OSError as error:
            raise GoneError(str(error)) from None
        self._until(f"{nonce} begins\n".encode(), deadline)  # what comes before answers a question that was given up
        out = self._until(f"\n{nonce} errors\n".encode(), deadline)
        err = self._until(f"\n{nonce} exit ".encode(), deadline)
        return int(self._until(b"\n", deadline)), out, err

    def _until(self, mark: bytes, deadline: float) -> str:
        """What is heard before the mark."""
        while mark not in self._heard:
            if self._greeted and _GREETING in self._heard:
                self._heard = self._heard.partition(_GREETING)[2]
                raise GoneError("the machine has booted meanwhile")
            self._socket.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                more = self._socket.recv(1 << 16)
            except OSError as error:
                raise GoneError(str(error)) from None
            if not more:
                raise GoneError("the machine is off")
            self._heard += more
        before, _, self._heard = self._heard.partition(mark)
        return before.decode(errors="replace")
