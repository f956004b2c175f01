"""The files that peers hold: one dictionary for all peers, a bit for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

# Names of all peers together, some 400 bytes each.  A LAN of Arch machines comes to some 20,000; what is beyond is left away, so that hosts that make
# up names can't fill the memory.
NAMES_LIMIT = 200_000
# The bits that are set in each byte.
_BITS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


class Holdings:
    """
    Knows for each file name which peers hold it, and in which size.

    Names are shared by all peers, and a peer is one bit: a thousand peers with the same packages cost little more than one.  A file that several
    peers hold has nearly always one size; each further size is one more pair.
    """

    def __init__(self, *, most: int = NAMES_LIMIT) -> None:
        """
        Begins with no names.

        Args:
            most: Names that are kept; further ones have no holders until others have gone and they are stated again.
        """
        self._most = most
        self._holders: dict[str, tuple[tuple[int, int], ...]] = {}
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def count(self, slot: int) -> int:
        """Returns how many names the peer in `slot` holds."""
        return self._counts.get(slot, 0)

    def replace(self, slot: int, files: Mapping[str, int]) -> None:
        """Makes `files` (sizes by name) all that the peer in `slot` holds; an empty mapping forgets it."""
        gone: list[str] = []
        if slot in self._counts:
            bit = 1 << slot
            gone = [name for name, pairs in self._holders.items() for _, bits in pairs if bits & bit and name not in files]
        self.update(slot, files, gone)

    def update(self, slot: int, added: Mapping[str, int], removed: Iterable[str]) -> None:
        """
        Changes what the peer in `slot` holds, in time that depends on the change alone.

        Args:
            added: Sizes by name; a name that it already holds gets the new size.
            removed: Names, held or not.
        """
        bit = 1 << slot
        count = self.count(slot)
        for name in removed:
            count -= self._remove(bit, name)
        for name, size in added.items():
            count += self._add(bit, name, size)
        self._count(slot, count)

    def remove(self, slot: int, name: str) -> None:
        """Forgets that the peer in `slot` holds `name`."""
        self._count(slot, self.count(slot) - self._remove(1 << slot, name))

    def holders(self, name: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """
        Returns the slots of the peers that hold `name`, each with the size that it stated in bytes.

        They are found one by one: a caller that needs a few takes a few.

        Args:
            start: Of each size, the slots from this one on come first, and those before it last; to spread the load.
        """
        for size, bits in self._holders.get(name, ()):
            for part, first in ((bits >> start, start), (bits & (1 << start) - 1, 0)):
                if not part:
                    continue
                skipped = (part & -part).bit_length() - 1
                packed = part >> skipped
                at = first + skipped
                for byte in packed.to_bytes((packed.bit_length() + 7) >> 3, "little"):
                    for bit in _BITS[byte]:
                        yield at + bit, size
                    at += 8

    def _add(self, bit: int, name: str, size: int) -> int:
        """Adds a name; returns by how many names the peer of this bit holds more now."""
        pairs = self._holders.get(name)
        if pairs is None:
            if len(self._holders) >= self._most:
                return 0
            self._holders[name] = ((size, bit),)
            return 1
        more = 1
        for held, bits in pairs:
            if bits & bit:
                if held == size:
                    return 0
                pairs, more = _without(pairs, bit), 0
                break
        known = dict(pairs)
        known[size] = known.get(size, 0) | bit
        self._holders[name] = tuple(known.items())
        return more

    def _remove(self, bit: int, name: str) -> int:
        """Removes a name; returns by how many names the peer of this bit holds less now."""
        pairs = self._holders.get(name, ())
        for _, bits in pairs:
            if bits & bit:
                break
        else:
            return 0
        left = _without(pairs, bit)
        if left:
            self._holders[name] = left
        else:
            del self._holders[name]
        return 1

    def _count(self, slot: int, count: int) -> None:
        if count:
            self._counts[slot] = count
        else:
            self._counts.pop(slot, None)


def _without(pairs: tuple[tuple[int, int], ...], bit: int) -> tuple[tuple[int, int], ...]:
    return tuple((size, bits & ~bit) for size, bits in pairs if bits != bit)
