"""The sockets below the connections: they are written to in time, and asked how much their clients have taken."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.internet.tcp import Connection

from pacserve.network import sockets
from pacserve.web.server.twisted_internals import flush, tcp_connection

# struct tcp_info of linux/tcp.h: 8 octets, 24 numbers of 32 bits and two of 64 stand in front of tcpi_bytes_acked (Linux 4.1).
_BYTES_ACKED = struct.Struct("=120xQ")


class Flusher:
    """
    Writes to sockets at the end of the turn of the reactor in which their responses were made.

    Left alone, the reactor would wait for an event of each socket to find that it can be written to, which nearly always it can: that costs a
    redirect a sixth of its time.  To write at once, in the middle of the turn, costs more than it saves, since every client is then woken alone.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._pending: set[Connection] = set()

    def add(self, connection: Connection) -> None:
        """Flushes a connection at the end of this turn."""
        if not self._pending:
            self._clock.callLater(0, self._flush)
        self._pending.add(connection)

    def _flush(self) -> None:
        pending, self._pending = self._pending, set()
        for connection in pending:
            flush(connection)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    Counts the outgoing bytes of a connection.

    Attributes:
        waiting: Bytes that the kernel has and the client has not acknowledged.
        acknowledged: Bytes that the client has acknowledged since the connection began; it only grows.
    """

    waiting: int
    acknowledged: int


def has_unread(transport: object) -> bool:
    """Returns whether the kernel has bytes of a TCP connection, or the one below a TLS connection, that were not read yet."""
    connection = tcp_connection(transport)
    return connection is not None and sockets.has_unread(connection.getHandle().fileno())


def outgoing(transport: object) -> Outgoing | None:
    """
    Asks the kernel about a TCP connection, or the one below a TLS connection.

    Returns:
        None where it has no answer: the transport is something else, or already closed.
    """
    connection = tcp_connection(transport)
    if connection is None:
        return None
    handle = connection.getHandle()
    try:
        waiting = int.from_bytes(fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(4)), "little", signed=True)
        (acknowledged,) = _BYTES_ACKED.unpack(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size))
    except (OSError, struct.error):
        return None
    return Outgoing(waiting, acknowledged)
