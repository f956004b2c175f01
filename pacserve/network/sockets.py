"""Questions and wishes to the kernel about sockets."""

from __future__ import annotations

import fcntl
import socket
import termios
from contextlib import suppress

# The mark of each connection at first.
NO_MARK = 1


def has_unread(descriptor: int) -> bool:
    """Returns whether the kernel has bytes of a TCP connection that were not read yet (tcp(7), SIOCINQ); False where it has no answer."""
    try:
        return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    except OSError:
        return False


def set_low_water_mark(connection: socket.socket, count: int) -> None:
    """
    Sets how many unread bytes a TCP connection needs to count as readable (socket(7), SO_RCVLOWAT).

    Up to there the kernel acknowledges whatever arrives at once, and has room for it.  `NO_MARK` makes one byte readable again, also one that came
    before.  A kernel that has no such mark is left alone.

    Args:
        count: Bytes, of which the kernel takes half of its largest buffer at most.
    """
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
