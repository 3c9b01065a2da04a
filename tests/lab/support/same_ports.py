"""Clients that use the same ports again and again, as busy ones do: run as a script in the client's namespace.

Given: a VIP, and for how many seconds. Each connects from a port of its own, waits silently for a moment, and goes.
It prints how many connections there were, and how many of them somebody else had ended.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time

PORTS = range(20001, 20017)  # below those that Linux takes by itself
FOR = 0.03  # s that each connection lasts, and then the pause
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: no TIME-WAIT keeps the port


def connect(vip: str, port: int) -> bool:
    """Whether the connection lasted for as long as it was meant to."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("", port))
        one.settimeout(5)
        one.connect((vip, 6443))
        one.settimeout(FOR)
        try:
            one.recv(1)
        except TimeoutError:
            return True
        except OSError:
            pass
        return False


def main(vip: str, seconds: float) -> None:
    """Be all these clients for a while."""
    lasted: list[bool] = []

    def one(port: int) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            lasted.append(connect(vip, port))
            time.sleep(FOR)

    threads = [threading.Thread(target=one, args=(port,)) for port in PORTS]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(len(lasted), lasted.count(False))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
