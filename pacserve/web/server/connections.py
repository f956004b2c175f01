"""The connections of clients: their number is bounded, those of this host have places of their own, and idle ones are closed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pacserve.network.addresses import IPAddress
from pacserve.waiting import Waiters
from pacserve.web.fairness import HOSTS_PER_NETWORK, Allowance, Allowances, Places, Rank, Ranking, Source, loopback_first, source_of

MOST_CONNECTIONS = 4096
"""Connections at the same time, where the limit of open files allows it."""

MOST_PER_ADDRESS = 256
"""Connections of one IPv4 address at the same time: pacman opens 5, a peer a handful, a whole LAN behind one address some more."""

_MOST_RESERVED = 256
"""Places that no other host can take; as many more are for this host and `--clients`."""

_SOURCES_TRIED = 16
"""Sources of which an idle connection is looked for when all places are taken."""

_SWEEP_INTERVAL = 2.0
"""Seconds between two checks of all connections.  One timer for all of them costs a request nothing, unlike one for each."""

_RETIRING_SWEEP_INTERVAL = 0.1
"""The same at the end of the daemon, which waits for the connections to go."""

_RESERVED_FILES = 256
"""Open files that are left for everything but connections of clients: packages, mirrors, peers, the log."""


def affordable(open_files: int) -> int:
    """Returns how many connections fit into a limit of open files (RLIMIT_NOFILE): each may hold a package open as well."""
    return max(min(MOST_CONNECTIONS, (open_files - _RESERVED_FILES) // 2), 64)


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    The client of a connection.

    Attributes:
        source: The ones that it shares its limits with.
        allowance: What they may use; None for this host, which is not limited.
    """

    address: IPAddress
    source: Source
    allowance: Allowance | None

    @property
    def own(self) -> bool:
        """True if the client is on this host."""
        return self.source.rank is Rank.OWN


class ClientConnection(Protocol):
    """A connection as its registry sees it."""

    @property
    @abstractmethod
    def visitor(self) -> Visitor:
        """The client."""

    @property
    @abstractmethod
    def idle(self) -> bool:
        """True if nothing is lost to a client that keeps to HTTP when the connection ends now: no request is being answered."""

    @property
    @abstractmethod
    def quiet(self) -> bool:
        """True if nothing is lost at all when the connection ends now: no bytes wait to be read, and none to be acknowledged."""

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

    def __init__(
        self,
        clock: IReactorTime,
        *,
        most: int = MOST_CONNECTIONS,
        most_per_address: int = MOST_PER_ADDRESS,
        ranking: Ranking = loopback_first,
    ) -> None:
        self._clock = clock
        self._most_per_address = most_per_address
        self._ranking = ranking
        self._all: dict[ClientConnection, None] = {}
        self._of: dict[Source, dict[ClientConnection, None]] = {}  # the oldest first
        self._places = Places(most, min(_MOST_RESERVED, most // 4))
        self._allowances = Allowances()
        self._sweeping: IDelayedCall | None = None
        self._retiring = False
        self._none_left = Waiters()

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, client: IPAddress) -> Visitor | None:
        """
        Makes room for one more connection of this client, where need be by ending an idle one.

        One of the client's own source ends where that has as many as one may have; where all places are taken, one of the source that has most.

        Returns:
            None where the client must be refused.
        """
        source = source_of(client, self._ranking(client))
        known = next(iter(self._of.get(source, ())), None)  # its allowance is the one that its connections have, however long they are open
        allowance = self._allowances.of(source, self._clock.seconds()) if known is None else known.visitor.allowance
        if allowance is not None:
            if not allowance.connect(self._clock.seconds()):
                return None
            most = self._most_per_address * (HOSTS_PER_NETWORK if source.is_network else 1)
            if self._places.taken(source) >= most and not self._end_idle(source):
                return None
        if not self._places.has_room(source.rank):
            tried: set[Source] = set()
            while True:
                giving_way = self._places.giving_way(source, tried) if len(tried) < _SOURCES_TRIED else None
                if giving_way is None:
                    return None
                if self._end_idle(giving_way):
                    break
                tried.add(giving_way)  # each of its connections is being answered
        return Visitor(client, source, allowance)

    def add(self, connection: ClientConnection) -> None:
        """Counts a connection, and checks it from time to time."""
        self._all[connection] = None
        source = connection.visitor.source
        self._of.setdefault(source, {})[connection] = None
        self._places.take(source)
        if self._retiring:
            connection.retire()
        if self._sweeping is None:
            self._sweeping = self._clock.callLater(self._interval, self._sweep)

    def remove(self, connection: ClientConnection) -> None:
        """Forgets a connection that has ended."""
        if connection not in self._all:
            return
        del self._all[connection]
        source = connection.visitor.source
        self._places.give_back(source)
        of_source = self._of[source]
        del of_source[connection]
        if not of_source:
            del self._of[source]
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

    def _end_idle(self, source: Source) -> bool:
        """Ends the oldest idle connection of a source, a quiet one if there is any; returns whether there was one."""
        idle = [connection for connection in self._of[source] if connection.idle]
        if not idle:
            return False
        ended = next((connection for connection in idle if connection.quiet), idle[0])
        self.remove(ended)  # its place is free at once; the socket is closed in the next turn
        ended.abort()
        return True

    def _sweep(self) -> None:
        self._sweeping = self._clock.callLater(self._interval, self._sweep)  # first, so that nothing that is raised below ends the sweeps
        now = self._clock.seconds()
        for connection in tuple(self._all):
            connection.check(now)
