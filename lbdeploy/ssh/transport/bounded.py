"""A transport that takes no more from a host than it has asked for, from the first byte on: paramiko sets no bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paramiko import Channel, Message, SSHException, Transport
from paramiko.common import MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA

PACKET = 256 * 1024  # bytes, as OpenSSH has it; RFC 4253, section 6.1 demands 35,000
BANNER = 64 * 1024  # bytes that a host may send before its SSH banner


class Bounded(Transport):  # type: ignore[misc]
    """Ends a connection whose host sends packets that are too long, or more than a channel's window allows."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.packetizer.read_all = _whole(self.packetizer.read_all)
        self.packetizer._read_timeout = _counted(self.packetizer._read_timeout)  # the method that reads a banner
        table = Transport._channel_handler_table
        mine = {kind: _within_window(table[kind]) for kind in (MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA)}
        self._channel_handler_table = table | mine


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
