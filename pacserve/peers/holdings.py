"""Which peers hold which file: one dictionary for all peers, a bit for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Holdings:
    """
    Knows for each file name who holds it and in which size.

    Names are shared by all peers, and a peer is one bit: a thousand peers with the same packages cost little more than one.  A file that several
    peers hold has nearly always one size; each further size is one more pair.
    """

    def __init__(self) -> None:
        self._holders: dict[str, tuple[tuple[int, int], ...]] = {}
        self._occupied = 0

    def __len__(self) -> int:
        return len(self._holders)

    def replace(self, slot: int, files: Mapping[str, int]) -> None:
        """Makes C{files} (sizes by name) all that the peer in C{slot} holds; an empty mapping forgets it."""
        bit = 1 << slot
        if self._occupied & bit:
            held = [(name, size) for name, pairs in self._holders.items() for size, bits in pairs if bits & bit]
            for name, size in held:
                if files.get(name) != size:
                    self.remove(slot, name)
        self._occupied = self._occupied | bit if files else self._occupied & ~bit
        for name, size in files.items():
            known = dict(self._holders.get(name, ()))
            bits = known.get(size, 0)
            if not bits & bit:
                known[size] = bits | bit
                self._put(name, tuple(known.items()))

    def remove(self, slot: int, name: str) -> None:
        """Forgets that the peer in C{slot} holds C{name}."""
        bit = 1 << slot
        self._put(name, tuple((size, bits & ~bit) for size, bits in self._holders.get(name, ()) if bits != bit))

    def holders(self, name: str) -> Iterator[tuple[int, int]]:
        """The slots of the peers that hold C{name}, each with the size that it stated in bytes."""
        for size, bits in self._holders.get(name, ()):
            left = bits
            while left:
                lowest = left & -left
                yield lowest.bit_length() - 1, size
                left ^= lowest

    def _put(self, name: str, pairs: tuple[tuple[int, int], ...]) -> None:
        if pairs:
            self._holders[name] = pairs
        else:
            self._holders.pop(name, None)
