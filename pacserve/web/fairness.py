"""
Fairness between the hosts that ask: who comes first, what one of them may use, and who gives way where places are short.

Limits are kept by source, the addresses that one host can take at will: one IPv4 address, or the /64 of an IPv6 address.  Rules only: time comes in
as a number of seconds that never become less.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv4Address

from pacserve.bounded import ExpiringMemory
from pacserve.network.addresses import IPAddress, is_loopback

REQUESTS_PER_SECOND = 1000.0
"""Requests of one other host: pacman and its pacserve together make two for each package."""

REQUEST_BURST = 4000.0
"""Requests that may come at once: an upgrade of 1,500 packages makes 3,000."""

CPU_SHARE = 0.25
"""CPU seconds a second for the requests of one other host.  Sending files does not count."""

CPU_BURST = 1.0
"""CPU seconds for requests that come at once: an upgrade of 1,500 packages takes some 0.5."""

CONNECTIONS_PER_SECOND = 50.0
"""New connections of one other host: pacman opens 5 for a transaction, and several hosts may share an address."""

CONNECTION_BURST = 512.0
"""New connections that may come at once."""

_LONGEST_WAIT = 2.0
"""Seconds after which a host that has used too much is answered again, if slowly: what it has used beyond that is forgiven."""

_MOST_SOURCES = 8192
"""Sources whose use is remembered; more than there are connections."""

_SOURCE_LIFETIME = 60.0
"""Seconds after its last new connection for which the use of a source is remembered: after 4 all of it may be used again."""


class Rank(enum.IntEnum):
    """How near a client is to this host.  In what is short, each rank has a part that those below it can't take."""

    OTHER = 0
    CLIENT = 1
    OWN = 2


Ranking = Callable[[IPAddress], Rank]
"""Returns the rank of an address."""


@dataclass(frozen=True, slots=True)
class Source:
    """
    Those that share a limit: this host with all its addresses, one IPv4 address, or one /64 of IPv6.

    Attributes:
        network: The address or network as a number; 0 for this host.
    """

    rank: Rank
    network: int

    @property
    def is_network(self) -> bool:
        """True if several hosts may share it without a translation of addresses."""
        return self.network >> 32 != 0


def source_of(address: IPAddress, rank: Rank) -> Source:
    """Returns the source that an address belongs to."""
    if rank is Rank.OWN:
        return Source(rank, 0)
    number = int(address)
    return Source(rank, number if isinstance(address, IPv4Address) else number >> 64 | 1 << 64)


def loopback_first(address: IPAddress) -> Rank:
    """Ranks loopback as this host, and all else below it."""
    return Rank.OWN if is_loopback(address) else Rank.OTHER


HOSTS_PER_NETWORK = 4
"""Hosts that a /64 is taken for: a LAN has one for all of its hosts, of which few ask at the same time."""


class Bucket:
    """
    Something that may be used at a rate, and at once what was not used before.

    Attributes:
        left: What may be used now; negative after more was used.
    """

    __slots__ = ("_burst", "_rate", "left")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self.left = burst

    def refill(self, seconds: float) -> None:
        """Adds what these seconds give."""
        self.left = min(self.left + seconds * self._rate, self._burst)

    def use(self, amount: float) -> None:
        """Takes away what was used, also where there was less."""
        self.left = max(self.left - amount, -_LONGEST_WAIT * self._rate)

    def wait(self) -> float:
        """Returns the seconds until something may be used again."""
        return -self.left / self._rate if self.left < 0 else 0.0


class Allowance:
    """
    Counts what one source uses of this host, and says when it may use more: new connections, requests, and the CPU for them.

    Args:
        hosts: How many hosts the source is taken for, as far as connections and requests go.  The CPU is one for all of them.
    """

    def __init__(self, now: float, hosts: int = 1) -> None:
        self._connections = Bucket(hosts * CONNECTIONS_PER_SECOND, hosts * CONNECTION_BURST)
        self._requests = Bucket(hosts * REQUESTS_PER_SECOND, hosts * REQUEST_BURST)
        self._cpu = Bucket(CPU_SHARE, CPU_BURST)
        self._at = now

    def connect(self, now: float) -> bool:
        """Returns whether the source may have a new connection, which is counted then."""
        self._refill(now)
        if self._connections.left < 1:
            return False
        self._connections.use(1)
        return True

    def use(self, requests: int, seconds: float) -> None:
        """Counts requests, and the CPU seconds that they took."""
        self._requests.use(requests)
        self._cpu.use(seconds)

    def wait(self, now: float) -> float:
        """Returns the seconds until the source is answered again; 0 if it has not used too much."""
        self._refill(now)
        return max(self._requests.wait(), self._cpu.wait())

    def _refill(self, now: float) -> None:
        seconds, self._at = now - self._at, now
        for bucket in (self._connections, self._requests, self._cpu):
            bucket.refill(seconds)


class Allowances:
    """Remembers the allowances of all sources that asked lately."""

    def __init__(self) -> None:
        self._known: ExpiringMemory[Source, Allowance] = ExpiringMemory(_MOST_SOURCES, _SOURCE_LIFETIME)

    def of(self, source: Source, now: float) -> Allowance | None:
        """Returns what a source may use; None for this host, which is not limited."""
        if source.rank is Rank.OWN:
            return None
        allowance = self._known.get(source, now) or Allowance(now, HOSTS_PER_NETWORK if source.is_network else 1)
        self._known.remember(source, allowance, now)
        return allowance


class Places:
    """
    Counts who has how many of a limited number of places, a part of which is reserved for each rank above the lowest.

    Args:
        reserved: Places that only this host can have, and as many more for it and `--clients`.
    """

    def __init__(self, most: int, reserved: int) -> None:
        self._limits = {Rank.OTHER: most - 2 * reserved, Rank.CLIENT: most - reserved, Rank.OWN: most}
        self._by_rank = dict.fromkeys(Rank, 0)
        self._by_source: dict[Source, int] = {}

    def taken(self, source: Source) -> int:
        """Returns how many places a source has."""
        return self._by_source.get(source, 0)

    def take(self, source: Source) -> None:
        """Gives a source one place more."""
        self._by_source[source] = self._by_source.get(source, 0) + 1
        self._by_rank[source.rank] += 1

    def give_back(self, source: Source) -> None:
        """Takes a place back."""
        self._by_rank[source.rank] -= 1
        left = self._by_source[source] - 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]

    def has_room(self, rank: Rank) -> bool:
        """Returns whether there is a place for one more of this rank."""
        up_to = 0
        for each, limit in self._limits.items():
            up_to += self._by_rank[each]
            if each >= rank and up_to >= limit:
                return False
        return True

    def giving_way(self, newcomer: Source, but: Collection[Source] = ()) -> Source | None:
        """
        Returns the source that must give up a place for a newcomer: of the lowest rank below its own, else of its own, the one that has most.

        Args:
            but: Sources that have no place to give up.

        Returns:
            None where no other source has more places than the newcomer.
        """
        below = [source for source in self._by_source if source.rank < newcomer.rank and source not in but]
        if below:
            return max(below, key=lambda source: (-source.rank, self.taken(source)))
        equal = [source for source in self._by_source if source.rank is newcomer.rank and source not in but]
        heaviest = max(equal, key=self.taken, default=newcomer)
        return heaviest if self.taken(heaviest) > self.taken(newcomer) else None
