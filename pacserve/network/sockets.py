"""Questions to the kernel about sockets."""

from __future__ import annotations

import fcntl
import termios


def has_unread(descriptor: int) -> bool:
    """Returns whether the kernel has bytes of a TCP connection that were not read yet (tcp(7), SIOCINQ); False where it has no answer."""
    try:
        return any(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    except OSError:
        return False
