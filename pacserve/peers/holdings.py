"""The files that peers hold: one table of names for all peers, a bit for each list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

# Names of all peers together, some 250 bytes each.  A LAN of Arch machines comes to some 20,000; what is beyond is left away, so that hosts that make
# up names can't fill the memory.
NAMES_LIMIT = 200_000
# Names that the peers at one address state together: all packages of Arch with their signatures are some 30,000, and a cache that nobody cleans has
# some former versions besides.
NAMES_PER_ADDRESS = 40_000
# The peers at one address that state no more than this together may use the whole table, the others half of it: hosts that make up names can't keep
# out those that have a usual cache of some thousands.
USUAL_NAMES = 10_000
# Parts of the table: a part is swept at once, and is the most that is copied when names have gone.
_PARTS = 512
# The bits that are set in each byte.
_BITS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))

_Pairs = tuple[tuple[int, int], ...]
"""The sizes under which a file is held, each with the bits of the lists that state it."""


class Holdings:
    """
    Knows for each file name which peers hold it, and in which size.

    Names are shared by all peers, and the list of a peer is one bit: a thousand peers with the same packages cost little more than one.  A file that
    several peers hold has nearly always one size; each further size is one more pair.

    Of a name only its hash is kept, 64 bits with a secret of this process (PYTHONHASHSEED): nobody can make up two names that are taken for one, and
    by chance that happens once in a billion LANs, where a peer is asked for a file in vain.

    A list that ends is crossed out at once, whatever its length: its bit does not count any more.  The names are rid of it by `sweep`, part by part,
    and only then the bit is given to another list.
    """

    def __init__(self, *, most: int = NAMES_LIMIT, most_per_address: int = NAMES_PER_ADDRESS, usual: int = USUAL_NAMES) -> None:
        """
        Begins with no names.

        Args:
            most: Names that are kept; further ones have no holders until others have gone and they are stated again.
            most_per_address: Names that the lists of one address may state together; further ones are left away likewise.
            usual: Names that an address may state to use the whole table.
        """
        self._most = most
        self._most_per_address = most_per_address
        self._usual = usual
        self._parts: list[dict[int, _Pairs]] = [{} for _ in range(_PARTS)]
        self._names = 0
        # The list of each slot, and all lists by their bits; a bit whose list has ended and was not swept yet stays taken.
        self._lists: dict[int, Listing] = {}
        self._bits: list[Listing | None] = []
        self._live = 0
        self._ended = 0
        self._sweeping = 0
        self._next_part = 0
        self._sparse: set[int] = set()
        self._stated: Counter[str] = Counter()

    def __len__(self) -> int:
        """Returns how many names there are, those among them that only ended lists state and that were not swept yet."""
        return self._names

    @property
    def swept(self) -> bool:
        """True if `sweep` has nothing to do."""
        return not self._ended and not self._sparse

    def count(self, slot: int) -> int:
        """Returns how many names the peer in `slot` holds."""
        held = self._lists.get(slot)
        return 0 if held is None else held.count

    def begin(self, slot: int, address: str = "") -> Listing:
        """
        Begins a list that takes the place of the one of the peer in `slot` once it is complete.

        Args:
            address: The address whose share of the table the list uses; the same for all daemons of a host.  Empty for a share of its own.
        """
        bit = next((bit for bit, held in enumerate(self._bits) if held is None), len(self._bits))
        listing = Listing(self, slot, bit, address or f"slot {slot}", self._lists.get(slot))
        self._bits[bit : bit + 1] = [listing]
        return listing

    def replace(self, slot: int, files: Mapping[str, int], address: str = "") -> None:
        """Makes `files` (sizes by name) all that the peer in `slot` holds."""
        listing = self.begin(slot, address)
        listing.add(files)
        listing.complete()

    def clear(self, slot: int) -> None:
        """Forgets what the peer in `slot` holds, in the same time whatever that is."""
        held = self._lists.pop(slot, None)
        if held is not None:
            self._end(held)

    def update(self, slot: int, added: Mapping[str, int], removed: Iterable[str]) -> None:
        """
        Changes what the peer in `slot` holds, in time that depends on the change alone.  Without a list of that peer nothing is changed.

        Args:
            added: Sizes by name; a name that it already holds gets the new size.
            removed: Names, held or not.
        """
        held = self._lists.get(slot)
        if held is not None:
            held.remove(removed)
            held.add(added)

    def remove(self, slot: int, name: str) -> None:
        """Forgets that the peer in `slot` holds `name`."""
        self.update(slot, {}, (name,))

    def holders(self, name: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """
        Returns the slots of the peers that hold `name`, each with the size that it stated in bytes.

        They are found one by one: a caller that needs a few takes a few.

        Args:
            start: Any number; each makes the holders of a size come round from another one, to spread the load.
        """
        start %= max(1, len(self._bits))
        key = hash(name)
        for size, bits in self._parts[key % _PARTS].get(key, ()):
            live = bits & self._live
            for part, first in ((live >> start, start), (live & (1 << start) - 1, 0)):
                if not part:
                    continue
                skipped = (part & -part).bit_length() - 1
                packed = part >> skipped
                at = first + skipped
                for byte in packed.to_bytes((packed.bit_length() + 7) >> 3, "little"):
                    for bit in _BITS[byte]:
                        listing = self._bits[at + bit]
                        if listing is not None:  # as it is unless the caller waited meanwhile
                            yield listing.slot, size
                    at += 8

    def sweep(self) -> bool:
        """
        Removes the lists that have ended from one more part of the names.  The memory of a part whose names have gone is given back.

        Returns:
            True if there is more to be swept.
        """
        if not self._ended:
            # What is made anew before the names have gone would lie among them, and keep the kernel from having their memory.
            if self._sparse:
                sparse = self._sparse.pop()
                self._parts[sparse] = dict(self._parts[sparse].items())
            return bool(self._sparse)
        if not self._next_part:  # lists that end while the parts are gone through are removed in the next round
            self._sweeping = self._ended
        part, gone = self._parts[self._next_part], self._sweeping
        names = len(part)
        for key in [key for key, pairs in part.items() if any(bits & gone for _, bits in pairs)]:
            left = _without(part[key], gone)
            if left:
                part[key] = left
            else:
                del part[key]
        if len(part) < names:
            self._names -= names - len(part)
            self._sparse.add(self._next_part)
        self._next_part = (self._next_part + 1) % _PARTS
        if not self._next_part:
            self._ended &= ~gone
            self._bits = [None if gone >> bit & 1 else held for bit, held in enumerate(self._bits)]
            while self._bits and self._bits[-1] is None:
                self._bits.pop()
        return not self.swept

    def _complete(self, listing: Listing) -> None:
        self.clear(listing.slot)
        listing.former = None
        self._lists[listing.slot] = listing
        self._live |= 1 << listing.bit

    def _end(self, listing: Listing) -> None:
        self._live &= ~(1 << listing.bit)
        self._ended |= 1 << listing.bit
        self._state(listing.address, -listing.count)
        listing.count = 0

    def _add(self, listing: Listing, files: Mapping[str, int]) -> None:
        bit, parts, before = 1 << listing.bit, self._parts, listing.count
        for name, size in files.items():
            key = hash(name)
            part = parts[key % _PARTS]
            pairs = part.get(key)
            if pairs is None:
                if self._has_room(listing, listing.count - before, new=True):
                    part[key] = ((size, bit),)
                    self._names += 1
                    listing.count += 1
                continue
            for held, bits in pairs:
                if bits & bit:
                    if held != size:
                        part[key] = _with(_without(pairs, bit), size, bit)
                    break
            else:
                if self._has_room(listing, listing.count - before, new=False):
                    part[key] = _with(pairs, size, bit)
                    listing.count += 1
        self._state(listing.address, listing.count - before)

    def _remove(self, listing: Listing, names: Iterable[str]) -> None:
        bit, before = 1 << listing.bit, listing.count
        for name in names:
            key = hash(name)
            part = self._parts[key % _PARTS]
            pairs = part.get(key, ())
            if not any(bits & bit for _, bits in pairs):
                continue
            left = _without(pairs, bit)
            if left:
                part[key] = left
            else:
                del part[key]
                self._names -= 1
            listing.count -= 1
        self._state(listing.address, listing.count - before)

    def _has_room(self, listing: Listing, more: int, *, new: bool) -> bool:
        """Returns whether a list that has so many names more than were counted may have another one; a new one of the table, too."""
        stated = self._stated[listing.address] + more
        if listing.former is not None:  # which ends when this one is complete
            stated -= listing.former.count
        return stated < self._most_per_address and (not new or self._names < (self._most if stated < self._usual else self._most // 2))

    def _state(self, address: str, names: int) -> None:
        """Counts the names that the lists of an address state more now."""
        self._stated[address] += names
        if not self._stated[address]:
            del self._stated[address]


class Listing:
    """
    The list of a peer.  It does not count before it is complete, and may be made in steps until then.

    Attributes:
        slot: The slot of the peer.
        bit: The number of its bit in the table.
        address: The address whose share of the table it uses.
        former: The list that it takes the place of, and whose share of the table it may use; None once it is complete.
        count: How many names it states.
    """

    __slots__ = ("_holdings", "address", "bit", "count", "former", "slot")

    def __init__(self, holdings: Holdings, slot: int, bit: int, address: str, former: Listing | None) -> None:
        self._holdings = holdings
        self.slot = slot
        self.bit = bit
        self.address = address
        self.former = former if former is not None and former.address == address else None
        self.count = 0

    def add(self, files: Mapping[str, int]) -> None:
        """Adds files (sizes by name); a name that it already states gets the new size."""
        self._holdings._add(self, files)

    def remove(self, names: Iterable[str]) -> None:
        """Removes names, stated or not."""
        self._holdings._remove(self, names)

    def complete(self) -> None:
        """Makes this all that the peer holds."""
        self._holdings._complete(self)

    def discard(self) -> None:
        """Gives up a list that was not completed."""
        self._holdings._end(self)


def _with(pairs: _Pairs, size: int, bit: int) -> _Pairs:
    if len(pairs) == 1 and pairs[0][0] == size:
        return ((size, pairs[0][1] | bit),)
    known = dict(pairs)
    known[size] = known.get(size, 0) | bit
    return tuple(known.items())


def _without(pairs: _Pairs, gone: int) -> _Pairs:
    return tuple((size, left) for size, bits in pairs if (left := bits & ~gone))
