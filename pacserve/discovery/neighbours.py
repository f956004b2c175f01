"""
The hosts that were heard on the LAN.  Rules only: time comes in as a number of seconds.

Everything here was claimed in a datagram that anyone on the LAN can forge, so it bounds memory and says where to ask, and no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pacserve.network.addresses import Endpoint

# Hosts that were heard and have not shown their identity.
STRANGERS_LIMIT = 1024
# Addresses of one host.
ENDPOINTS_LIMIT = 8
# Strangers at one address: two daemons on one machine, and their restarts.
STRANGERS_PER_ADDRESS = 4
# Endpoints that one address may bring up, each of which is worth a question: so many at once, and so many a second after that.
BURST_PER_ADDRESS = 8
RATE_PER_ADDRESS = 1.0
# Addresses whose rate is remembered.
_ADDRESSES_LIMIT = 4096


@dataclass(slots=True)
class Neighbour:
    """
    A host that announced itself.

    Attributes:
        instance: The instance id that it claims.
        generation: The generation that it last claimed.
        heard: When it was last heard at each of its endpoints.
        used: The endpoints at which the host has shown its identity.
        greeted: When it last said hello by IPv4.
    """

    instance: str
    generation: int = 0
    heard: dict[Endpoint, float] = field(default_factory=dict)
    used: set[Endpoint] = field(default_factory=set)
    greeted: float | None = None


class Neighbours:
    """
    Remembers a bounded number of hosts by their instance ids.

    Hosts that have shown their identity stay as long as they are heard; their number is bounded by the caller, which contacts them.  Of the others a
    random one makes room, so that a flood of forged announcements can't keep a real one out for longer than it lasts.

    Args:
        pick: Gives a number from 0 to one less than its argument, at random.
    """

    def __init__(self, pick: Callable[[int], int]) -> None:
        self._pick = pick
        self._hosts: dict[str, Neighbour] = {}
        self._strangers: dict[str, Neighbour] = {}
        self._strangers_at: Counter[str] = Counter()
        self._allowances: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._hosts)

    def __iter__(self) -> Iterator[Neighbour]:
        """Yields all hosts; they may change meanwhile."""
        return iter(list(self._hosts.values()))

    def get(self, instance: str) -> Neighbour | None:
        """Returns the host with this instance id."""
        return self._hosts.get(instance)

    def heard(self, instance: str, endpoint: Endpoint, now: float) -> tuple[Neighbour, bool] | None:
        """
        Notes that a host was heard at an endpoint.

        Returns:
            The host, and whether the endpoint is news; None when too many others were heard there.
        """
        neighbour = self._hosts.get(instance)
        new = neighbour is None or endpoint not in neighbour.heard
        if neighbour is None and self._strangers_at[endpoint.host] >= STRANGERS_PER_ADDRESS:
            return None
        if new and not self._affords(endpoint.host, now):
            return None
        if neighbour is None:
            neighbour = self._hosts[instance] = Neighbour(instance)
            self._add_stranger(neighbour)
        if new:
            if len(neighbour.heard) >= ENDPOINTS_LIMIT and not self._forget_stalest(neighbour):
                return None
            if instance in self._strangers:
                self._strangers_at[endpoint.host] += 1
        neighbour.heard[endpoint] = now
        return neighbour, new

    def shown(self, neighbour: Neighbour, endpoint: Endpoint) -> None:
        """Notes that the host has shown its identity at this endpoint."""
        if self._hosts.get(neighbour.instance) is neighbour and endpoint in neighbour.heard:
            self._remove_stranger(neighbour)
            neighbour.used.add(endpoint)

    def unheard(self, neighbour: Neighbour, endpoint: Endpoint) -> None:
        """Forgets an endpoint of a host, and the host with its last one."""
        if neighbour.heard.pop(endpoint, None) is None or self._hosts.get(neighbour.instance) is not neighbour:
            return
        neighbour.used.discard(endpoint)
        if neighbour.instance in self._strangers:
            self._stranger_left(endpoint.host)
        elif not neighbour.used:
            self._add_stranger(neighbour)
        if not neighbour.heard:
            self._forget(neighbour)

    def _affords(self, host: str, now: float) -> bool:
        """Returns whether one more endpoint may come from an address, which costs it some of what it may bring up."""
        allowance, at = self._allowances.pop(host, (BURST_PER_ADDRESS, now))
        allowance = min(BURST_PER_ADDRESS, allowance + max(0.0, now - at) * RATE_PER_ADDRESS)
        affords = allowance >= 1
        self._allowances[host] = (allowance - affords, now)
        if len(self._allowances) > _ADDRESSES_LIMIT:
            del self._allowances[next(iter(self._allowances))]
        return affords

    def _add_stranger(self, neighbour: Neighbour) -> None:
        if len(self._strangers) >= STRANGERS_LIMIT:
            self._forget(next(islice(self._strangers.values(), self._pick(len(self._strangers)), None)))
        self._strangers[neighbour.instance] = neighbour
        self._strangers_at.update(endpoint.host for endpoint in neighbour.heard)

    def _remove_stranger(self, neighbour: Neighbour) -> None:
        if self._strangers.pop(neighbour.instance, None) is not None:
            for endpoint in neighbour.heard:
                self._stranger_left(endpoint.host)

    def _stranger_left(self, host: str) -> None:
        self._strangers_at[host] -= 1
        if self._strangers_at[host] <= 0:
            del self._strangers_at[host]

    def _forget_stalest(self, neighbour: Neighbour) -> bool:
        """Makes room for one more endpoint where one is not in use."""
        unused = [endpoint for endpoint in neighbour.heard if endpoint not in neighbour.used]
        if unused:
            self.unheard(neighbour, min(unused, key=neighbour.heard.__getitem__))
        return bool(unused)

    def _forget(self, neighbour: Neighbour) -> None:
        self._remove_stranger(neighbour)
        del self._hosts[neighbour.instance]
