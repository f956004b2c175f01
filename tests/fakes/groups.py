"""A multicast socket in memory."""

from __future__ import annotations

import errno
import os

from pacserve.discovery.sockets import RECEIVE_BUFFER, Datagram, GroupSocket
from pacserve.network.addresses import IPAddress


class MemoryGroupSocket(GroupSocket):
    """
    Does as a socket does, and remembers it.

    Attributes:
        calls: `(join or leave, group, index)`, as they were asked for.
        sent: `(payload, group, index, source)`.
        incoming: What is to be received; an exception is raised.
        refusals: The errno values by which the next calls are refused.
        size: The receive buffer.
    """

    def __init__(self, size: int = RECEIVE_BUFFER) -> None:
        self.calls: list[tuple[str, IPAddress, int]] = []
        self.sent: list[tuple[bytes, IPAddress, int, IPAddress]] = []
        self.incoming: list[Datagram | Exception | None] = []
        self.refusals: list[int] = []
        self.size = size
        self.closed = False

    def fileno(self) -> int:
        return -1 if self.closed else 77

    def close(self) -> None:
        self.closed = True

    def buffer(self) -> int:
        return self.size

    def join(self, group: IPAddress, index: int) -> None:
        self.calls.append(("join", group, index))
        self._refuse()

    def leave(self, group: IPAddress, index: int) -> None:
        self.calls.append(("leave", group, index))
        self._refuse()

    def send(self, payload: bytes, group: IPAddress, index: int, source: IPAddress) -> None:
        self._refuse()
        self.sent.append((payload, group, index, source))

    def receive(self) -> Datagram | None:
        if self.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if not self.incoming:
            raise BlockingIOError
        next_one = self.incoming.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return next_one

    def _refuse(self) -> None:
        if self.refusals:
            number = self.refusals.pop(0)
            raise OSError(number, os.strerror(number))
