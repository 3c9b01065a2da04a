"""A client of the API: asks /readyz over TLS every 20 ms, and prints the monotonic time of the first 200.

vip.py ADDRESS PORT SECONDS: gives up, with exit 1, after so many seconds.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from contextlib import suppress

EVERY = 0.02
PATIENCE = 1.0  # for one question


async def ask(address: str, port: int, context: ssl.SSLContext) -> bool:
    """Whether /readyz answers 200."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(address, port, ssl=context)
            writer.write(f"GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
            line = await reader.readline()
            writer.transport.abort()
            return b" 200 " in line
    return False


async def first_answer(address: str, port: int, seconds: float) -> float | None:
    """When the first question was answered; a new one is asked also while others wait for their answer."""
    context = ssl._create_unverified_context()
    asked: set[asyncio.Task[bool]] = set()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        asked.add(asyncio.create_task(ask(address, port, context)))
        done, asked = await asyncio.wait(asked, timeout=EVERY, return_when=asyncio.FIRST_COMPLETED)
        if any(task.result() for task in done):
            return time.monotonic()
        await asyncio.sleep(EVERY if done else 0)
    return None


if __name__ == "__main__":
    print("asking", flush=True)
    answered = asyncio.run(first_answer(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    print(answered or "", flush=True)
    sys.exit(answered is None)
