"""The peers that are in use, each in a slot of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pacserve.peers.peer import Peer


class Roster:
    """Gives each peer a slot, the smallest that is free, so that the bits of the holdings stay few."""

    def __init__(self) -> None:
        self._slots: list[Peer | None] = []
        self._count = 0

    def __iter__(self) -> Iterator[Peer]:
        """All peers; the roster may change meanwhile."""
        return iter([peer for peer in self._slots if peer is not None])

    def __len__(self) -> int:
        return self._count

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
        self._count += 1
        return peer

    def remove(self, peer: Peer) -> bool:
        """Frees the slot of a peer; whether it had one."""
        if self.at(peer.slot) is not peer:
            return False
        self._slots[peer.slot] = None
        self._count -= 1
        return True

    def at(self, slot: int) -> Peer | None:
        """Returns the peer in a slot."""
        return self._slots[slot] if slot < len(self._slots) else None
