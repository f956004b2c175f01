"""The peers that are in use, each in a slot of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pacserve.peers.peer import Peer
from pacserve.peers.reputation import Reputations, identity_of


class Roster:
    """
    Gives each peer a slot, the smallest that is free, so that the bits of the holdings stay few; and the reputation of its host.

    Attributes:
        reputations: The reputations of these hosts and others.
    """

    def __init__(self, reputations: Reputations | None = None) -> None:
        self.reputations = Reputations() if reputations is None else reputations
        self._slots: list[Peer | None] = []
        self._identities: dict[int, str] = {}

    def __iter__(self) -> Iterator[Peer]:
        """Yields all peers; the roster may change meanwhile."""
        return iter([peer for peer in self._slots if peer is not None])

    def __len__(self) -> int:
        return len(self._identities)

    @property
    def slots(self) -> int:
        """One more than the largest slot ever given."""
        return len(self._slots)

    def add(self, make: Callable[[int], Peer]) -> Peer:
        """Takes in the peer that `make` makes for a slot."""
        try:
            slot = self._slots.index(None)
        except ValueError:
            slot = len(self._slots)
            self._slots.append(None)
        peer = self._slots[slot] = make(slot)
        self._enter(peer)
        return peer

    def moved(self, peer: Peer) -> None:
        """Gives a peer whose name led to another address the reputation of the host there."""
        if self.at(peer.slot) is peer and self._identities[peer.slot] != identity_of(peer.endpoint or peer.configured):
            self.reputations.leave(self._identities[peer.slot])
            self._enter(peer)

    def remove(self, peer: Peer) -> bool:
        """Frees the slot of a peer; returns whether the peer had one."""
        if self.at(peer.slot) is not peer:
            return False
        self._slots[peer.slot] = None
        self.reputations.leave(self._identities.pop(peer.slot))
        return True

    def at(self, slot: int) -> Peer | None:
        """Returns the peer in a slot."""
        return self._slots[slot] if slot < len(self._slots) else None

    def _enter(self, peer: Peer) -> None:
        identity = self._identities[peer.slot] = identity_of(peer.endpoint or peer.configured)
        peer.reputation = self.reputations.enter(identity)
