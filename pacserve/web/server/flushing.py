"""Sends what was written to many sockets at once, before the reactor looks for further events."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure

_DONE = Failure(CONNECTION_DONE)


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
        """Takes care of a connection that something was written to."""
        if not self._pending:
            self._clock.callLater(0, self._flush)
        self._pending.add(connection)

    def _flush(self) -> None:
        pending, self._pending = self._pending, set()
        for connection in pending:
            if not connection.connected:
                continue
            why = connection.doWrite()
            if why is CONNECTION_DONE:  # it was to be closed after what was written
                connection.connectionLost(_DONE)
            elif why is not None:
                connection.startWriting()  # the reactor meets the error again, and knows what to do then
