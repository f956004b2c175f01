"""Messages to the service manager, see sd_notify(3)."""

from __future__ import annotations

import socket

from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import reason_of


class ServiceNotifier:
    """
    Sends state to the service manager.  Without one nothing happens, and when it does not listen it is logged: the daemon runs all the same.

    Args:
        address: The value of `NOTIFY_SOCKET`: a path, or a name in the abstract namespace that begins with `@`; None without a manager.
    """

    _log = Logger()

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._complaints = Complaints(self._log)

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
        """Tells that the daemon is about to end."""
        self._send("STOPPING=1\nSTATUS=Waiting for running transfers")

    def _send(self, message: str) -> None:
        if not self._address or self._address[0] not in "/@":
            return
        target = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(message.encode(), target)
        except OSError as error:
            self._complaints.about(
                "manager", f"the service manager can't be told how things stand: {reason_of(error)}; see the socket that NOTIFY_SOCKET names"
            )
        else:
            self._complaints.about("manager", "")
