"""What the kernel knows of a connection's outgoing bytes: whether the other side takes them."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from dataclasses import dataclass

from twisted.internet.tcp import Connection

# struct tcp_info of linux/tcp.h: 8 octets, 24 numbers of 32 bits and two of 64 stand in front of tcpi_bytes_acked (Linux 4.1).
_BYTES_ACKED = struct.Struct("=120xQ")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    Counts the outgoing bytes of a connection.

    Attributes:
        waiting: Bytes that the kernel has and the other side has not acknowledged.
        acknowledged: Bytes that the other side has acknowledged since the connection began; it only grows.
    """

    waiting: int
    acknowledged: int


def outgoing(transport: object) -> Outgoing | None:
    """
    Asks the kernel about a TCP connection, or the one below a TLS connection.

    Returns:
        None where it has no answer: the transport is something else, or already closed.
    """
    connection = transport if isinstance(transport, Connection) else getattr(transport, "transport", None)
    if not isinstance(connection, Connection) or not connection.connected:
        return None
    handle = connection.getHandle()
    try:
        waiting = int.from_bytes(fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4)), "little", signed=True)
        (acknowledged,) = _BYTES_ACKED.unpack(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size))
    except (OSError, struct.error):
        return None
    return Outgoing(waiting, acknowledged)
