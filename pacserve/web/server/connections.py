"""The connections of clients: their number is bounded, and idle ones are closed."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pacserve.network.addresses import IPAddress, is_loopback
from pacserve.waiting import Waiters

MOST_CONNECTIONS = 4096
"""Connections at the same time, where the limit of open files allows it."""

MOST_PER_ADDRESS = 256
"""Connections of one other host at the same time: pacman opens 5, a peer a handful, a whole LAN behind one address some more."""

_SWEEP_INTERVAL = 2.0
"""Seconds between two checks of all connections.  One timer for all of them costs a request nothing, unlike one for each."""

_RETIRING_SWEEP_INTERVAL = 0.1
"""The same at the end of the daemon, which waits for the connections to go."""

_RESERVED_FILES = 256
"""Open files that are left for everything but connections of clients: packages, mirrors, peers, the log."""


def affordable(open_files: int) -> int:
    """Returns how many connections fit into a limit of open files (RLIMIT_NOFILE): each may hold a package open as well."""
    return max(min(MOST_CONNECTIONS, (open_files - _RESERVED_FILES) // 2), 64)


class ClientConnection(Protocol):
    """A connection as its registry sees it."""

    @property
    @abstractmethod
    def client(self) -> IPAddress:
        """The address of the other end."""

    @abstractmethod
    def check(self, now: float) -> None:
        """Ends the connection if its client has let it wait for too long."""

    @abstractmethod
    def retire(self) -> None:
        """Ends the connection after the next response, which tells its client so, or as soon as it is certain that no request is on its way."""

    @abstractmethod
    def abort(self) -> None:
        """Ends the connection now."""


class Connections:
    """Counts, checks and ends the connections of clients."""

    def __init__(self, clock: IReactorTime, *, most: int = MOST_CONNECTIONS, most_per_address: int = MOST_PER_ADDRESS) -> None:
        self._clock = clock
        self._most = most
        self._most_per_address = most_per_address
        self._all: set[ClientConnection] = set()
        self._counts: dict[int, int] = {}  # by the address as a number, which is found faster
        self._sweeping: IDelayedCall | None = None
        self._retiring = False
        self._none_left = Waiters()

    def __len__(self) -> int:
        return len(self._all)

    def admits(self, client: IPAddress) -> bool:
        """Returns whether there is room for one more of this client.  This machine itself is limited only by the total."""
        if len(self._all) >= self._most:
            return False
        return is_loopback(client) or self._counts.get(int(client), 0) < self._most_per_address

    def add(self, connection: ClientConnection) -> None:
        """Counts a connection, and checks it from time to time."""
        self._all.add(connection)
        client = int(connection.client)
        self._counts[client] = self._counts.get(client, 0) + 1
        if self._retiring:
            connection.retire()
        if self._sweeping is None:
            self._sweeping = self._clock.callLater(self._interval, self._sweep)

    def remove(self, connection: ClientConnection) -> None:
        """Forgets a connection that has ended."""
        if connection not in self._all:
            return
        self._all.remove(connection)
        client = int(connection.client)
        left = self._counts[client] - 1
        if left:
            self._counts[client] = left
        else:
            del self._counts[client]
        if self._all:
            return
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._none_left.wake()

    async def gone(self) -> None:
        """Returns when no connection is left, and so all that was written is in the hands of the kernel."""
        while self._all:
            await self._none_left.wait()

    def retire(self) -> None:
        """Retires every connection, and those that come from now on."""
        self._retiring = True
        for connection in tuple(self._all):
            connection.retire()
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweep()

    def abort(self) -> None:
        """Ends every connection now, and throws away what the kernel has still to send."""
        for connection in tuple(self._all):
            connection.abort()

    @property
    def _interval(self) -> float:
        return _RETIRING_SWEEP_INTERVAL if self._retiring else _SWEEP_INTERVAL

    def _sweep(self) -> None:
        self._sweeping = self._clock.callLater(self._interval, self._sweep)  # first, so that nothing that is raised below ends the sweeps
        now = self._clock.seconds()
        for connection in tuple(self._all):
            connection.check(now)
