"""Messages to the service manager, see sd_notify(3)."""

from __future__ import annotations

import socket


class ServiceNotifier:
    """
    Sends state to the service manager.  Without one, and when it does not listen, nothing happens: the daemon runs all the same.

    Args:
        address: The value of `NOTIFY_SOCKET`: a path, or a name in the abstract namespace that begins with `@`; None without a manager.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address

    def ready(self, status: str) -> None:
        """Tells that the daemon answers requests."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Tells how things stand, in one line for `systemctl status`."""
        self._send(f"STATUS={status}")

    def reloading(self, monotonic: float) -> None:
        """
        Tells that the configuration is being read again; `ready` ends that.

        Args:
            monotonic: CLOCK_MONOTONIC in seconds.
        """
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1_000_000)}")

    def stopping(self) -> None:
        """Tells that the daemon answers no new requests."""
        self._send("STOPPING=1\nSTATUS=Waiting for running transfers")

    def _send(self, message: str) -> None:
        if not self._address or self._address[0] not in "/@":
            return
        target = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
            try:
                sender.sendto(message.encode(), target)
            except OSError:
                return
