"""TCP connections on loopback, with a reactor whose every turn is taken by hand."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

_PATIENCE = 5.0
"""Seconds after which a socket that never becomes ready fails the test; loopback takes microseconds."""


class HandReactor(Clock):
    """The part of a reactor that TCP connections need."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:  # noqa: N802
        self.readers.add(reader)

    def addWriter(self, writer: Any) -> None:  # noqa: N802
        self.writers.add(writer)

    def removeReader(self, reader: Any) -> None:  # noqa: N802
        self.readers.discard(reader)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802
        self.writers.discard(writer)

    def turn(self) -> None:
        """Lets every socket that is ready be read from and written to, once."""
        self.advance(0)
        readable, writable, _ = select.select(list(self.readers), list(self.writers), [], 0)
        for connection in readable:
            if connection in self.readers:
                self._did(connection, connection.doRead())
        for connection in writable:
            if connection in self.writers:
                self._did(connection, connection.doWrite())

    def _did(self, connection: Any, why: Any) -> None:
        if why:
            self.removeReader(connection)
            self.removeWriter(connection)
            connection.connectionLost(Failure(CONNECTION_DONE if why is CONNECTION_DONE else CONNECTION_LOST))


class Pair:
    """
    A connection: a server's transport on one side, a plain socket on the other.

    Attributes:
        client: The client's socket, which does not block.
    """

    def __init__(self, reactor: HandReactor, protocol: Protocol, *, buffer: int | None = None) -> None:
        """
        Connects both sides.

        Args:
            buffer: The size of the kernel's buffers, for clients that are slower than those.
        """
        self.reactor = reactor
        with socket.create_server(("127.0.0.1", 0)) as listener:
            if buffer is not None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            self.client = socket.socket()
            if buffer is not None:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self.client.connect(listener.getsockname())
            accepted, address = listener.accept()
        self.client.setblocking(False)
        self.transport: Any = Server(accepted, protocol, address, None, 1, reactor)  # type: ignore[arg-type]
        protocol.makeConnection(self.transport)

    def read(self, enough: Callable[[bytes], bool]) -> bytes:
        """Takes what the server sends until it is enough, or the server closes."""
        data = bytearray()
        while not enough(bytes(data)):
            self.reactor.turn()
            if select.select([self.client], [], [], 0 if self.reactor.writers else _PATIENCE)[0]:
                piece = self.client.recv(1 << 20)
                if not piece:
                    break
                data += piece
            elif not self.reactor.writers:
                raise AssertionError(f"nothing more came after {len(data)} bytes")
        return bytes(data)

    def settle(self, turns: int = 20) -> None:
        """Takes some turns without the client's help."""
        for _ in range(turns):
            self.reactor.turn()

    def close(self) -> None:
        """Ends what is left of both sides."""
        self.client.close()
        if self.transport.connected:
            self.transport.abortConnection()
        self.reactor.advance(0)
