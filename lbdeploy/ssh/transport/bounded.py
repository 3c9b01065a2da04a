"""A transport that takes no more from a host than it has asked for, from the first byte on: paramiko sets no bounds."""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from paramiko import Channel, Message, SSHException, Transport, util
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA

AHEAD = 16 * 1024  # bytes that are read at once, where more has come than was asked for
PACKET = 256 * 1024  # bytes, as OpenSSH has it; RFC 4253, section 6.1 demands 35,000
BANNER = 64 * 1024  # bytes that a host may send before its SSH banner

# Its own compares each packet's code (RFC 4253, section 6.4) byte by byte: a fifth of what its threads compute.
util.constant_time_bytes_eq = compare_digest


class ReadAhead:
    """A socket, or a channel to the next hop, from which all that has come is read at once.

    paramiko reads each packet in three parts, and every time first asks the kernel whether there is anything.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = b""

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; none at the end. Raises what the socket's own raises, TimeoutError among it."""
        ahead = self._ahead or self._sock.recv(max(size, AHEAD))
        self._ahead = ahead[size:]
        return ahead[:size]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Bounded(Transport):  # type: ignore[misc]
    """Ends a connection whose host sends packets that are too long, or more than a channel's window allows."""

    def __init__(self, sock: Any, *args: Any, **more: Any) -> None:
        super().__init__(ReadAhead(sock), *args, **more)
        self.packetizer.read_all = _whole(self.packetizer.read_all)
        self.packetizer._read_timeout = _counted(self.packetizer._read_timeout)  # the method that reads a banner
        table = Transport._channel_handler_table
        mine = {kind: _within_window(table[kind]) for kind in (MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA)}
        self._channel_handler_table = table | mine

    def _parse_debug(self, message: Message) -> None:
        """What a host says for debugging (RFC 4253, section 11.3) is dropped: no log has it."""


def _whole(read: Callable[..., bytes]) -> Callable[..., bytes]:
    def bounded(size: int, check_rekey: bool = False) -> bytes:
        if size > PACKET:
            raise SSHException(f"it sends a packet of {size} bytes")
        return read(size, check_rekey)

    return bounded


def _counted(read: Callable[[float], bytes]) -> Callable[[float], bytes]:
    total = 0

    def bounded(timeout: float) -> bytes:
        nonlocal total
        piece = read(timeout)
        total += len(piece)
        if total > BANNER:
            raise SSHException("it sends text without end instead of speaking SSH")
        return piece

    return bounded


def _within_window(feed: Callable[[Channel, Message], None]) -> Callable[[Channel, Message], None]:
    """RFC 4254, section 5.2: a host sends no more than it was told that there is room for."""

    def bounded(channel: Channel, message: Message) -> None:
        if len(channel.in_buffer) > 2 * channel.in_window_size:
            raise SSHException("it sends more than there is room for")
        feed(channel, message)

    return bounded
