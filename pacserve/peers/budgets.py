"""
The work that hosts may cause by their inventories.  Rules only: time comes in as a number of seconds that never become less.

It is counted by address, since instance ids and ports are made at will, and for IPv6 by network as well, since so are addresses.  It is counted in
bytes of text, each of which costs some 30 ns from the wire to the table of names.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.network.addresses import Endpoint, network_of
from pacserve.peers.reputation import identity_of

# Bytes that an address may send at once, and each second after that: the whole list of a host with 20,000 files is 1.5 MB, and what `pacman -Syu` of
# 500 packages changes 50 KB.  A host that goes on to send lists of 8 MiB has one read in two minutes.
BURST = 8 << 20
RATE = 64 << 10
# Bytes that a poll counts for besides those of the answer: it costs some 2 ms.  So there are 4 in a second for all daemons at an address.
POLL_COST = 16 << 10
# Bytes that an answer counts for at least which can't be used.
UNUSABLE_COST = 1 << 20
# Addresses for which a network of IPv6 counts: the hosts of a LAN that has no IPv4 are all in one.
NETWORK_FACTOR = 8
# Addresses for which all hosts together count that have used half of what their address may: a hundred addresses that send all that they may cost no
# more than 3 % of a core.  Those that have sent little need not wait for them.
ALL_FACTOR = 16
# Addresses and networks that are remembered; the one that sent nothing for longest is forgotten first.
_REMEMBERED = 4096


@dataclass(slots=True)
class _Account:
    """
    The bytes that were used of a budget.

    Attributes:
        factor: How many times those of an address the budget has.
        used: Bytes, as of `at`.
    """

    factor: int
    used: float = 0.0
    at: float = 0.0

    def use(self, cost: int, now: float) -> None:
        self.used = self.left(now) + cost
        self.at = now

    def left(self, now: float) -> float:
        """Returns the bytes that count as used now."""
        return max(0.0, self.used - max(0.0, now - self.at) * RATE * self.factor)

    def pause(self, now: float) -> float:
        """Returns the seconds until the budget is not exceeded any more."""
        return max(0.0, (self.left(now) - BURST * self.factor) / (RATE * self.factor))


class Budgets:
    """Says when a host may be polled again.  The more it has sent, and the more often, the longer is the pause."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._all = _Account(ALL_FACTOR)

    def __len__(self) -> int:
        """Returns how many addresses and networks are remembered."""
        return len(self._accounts)

    def pause(self, endpoint: Endpoint, now: float) -> float:
        """Returns the seconds until the host at an endpoint may be polled; 0 where it may now."""
        accounts = [self._accounts[key] for key, _ in _keys(endpoint) if key in self._accounts]
        wait = max([0.0, *(account.pause(now) for account in accounts)])
        if any(account.left(now) > BURST * account.factor / 2 for account in accounts):
            wait = max(wait, self._all.pause(now))
        return wait

    def use(self, endpoint: Endpoint, cost: int, now: float) -> None:
        """Counts the bytes that the host at an endpoint has sent."""
        self._all.use(cost, now)
        for key, factor in _keys(endpoint):
            account = self._accounts.pop(key, None) or _Account(factor)
            account.use(cost, now)
            self._accounts[key] = account
        while len(self._accounts) > _REMEMBERED:
            del self._accounts[next(iter(self._accounts))]


def _keys(endpoint: Endpoint) -> tuple[tuple[str, int], ...]:
    """Returns what the host at an endpoint is counted by, each with the addresses that it counts for."""
    network = network_of(endpoint.host)
    return ((identity_of(endpoint), 1),) if network is None else ((identity_of(endpoint), 1), (network, NETWORK_FACTOR))
