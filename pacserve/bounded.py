"""Memories of bounded size whose entries expire.  Rules only: time comes in as a number of seconds that never become less."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringMemory(Generic[K, V]):
    """
    Remembers values by key for a while, at most so many of them: the one that was remembered first goes first.

    Remembering a key again makes it the latest.  Entries that have expired take up room until they are looked up, pushed out or overwritten, which
    is why there is a limit.

    Args:
        limit: Entries.
        lifetime: Seconds for which an entry is remembered, unless `remember` is told otherwise.
    """

    def __init__(self, limit: int, lifetime: float) -> None:
        self._limit = limit
        self._lifetime = lifetime
        # A dict would look for its first entry behind all those that were removed there: with 10,000 entries that takes ten times as long.
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """Returns how many entries there are, expired ones among them."""
        return len(self._entries)

    def remember(self, key: K, value: V, now: float, lifetime: float | None = None) -> None:
        """Remembers a value from now on, in place of the one that the key had."""
        self._entries.pop(key, None)
        self._entries[key] = now + (self._lifetime if lifetime is None else lifetime), value
        if len(self._entries) > self._limit:
            self.forget(next(iter(self._entries)))

    def get(self, key: K, now: float) -> V | None:
        """Returns what is remembered for a key; None where nothing is, or nothing any more."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now < entry[0]:
            return entry[1]
        self.forget(key)
        return None

    def expires(self, key: K, now: float) -> float | None:
        """Returns the seconds for which a key is still remembered; None where it is not."""
        entry = self._entries.get(key)
        return entry[0] - now if entry is not None and now < entry[0] else None

    def forget(self, key: K) -> None:
        """Forgets a key, if it is known."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()

    def items(self, now: float) -> Iterator[tuple[K, V]]:
        """Yields the keys that have not expired with their values, the one that was remembered first at the front."""
        return ((key, value) for key, (until, value) in list(self._entries.items()) if now < until)


class FairMemory(ExpiringMemory[K, V]):
    """
    An `ExpiringMemory` of which nobody can take the places of all others.

    An owner that has a quarter of all entries makes room for its next one itself: that of its own which was remembered first goes.

    Args:
        owner: Gives whose entry that of a key is.
    """

    def __init__(self, limit: int, lifetime: float, owner: Callable[[K], Hashable]) -> None:
        super().__init__(limit, lifetime)
        self._owner = owner
        self._share = max(1, limit // 4)
        self._keys: dict[Hashable, dict[K, None]] = {}

    def remember(self, key: K, value: V, now: float, lifetime: float | None = None) -> None:
        super().remember(key, value, now, lifetime)
        owned = self._keys.setdefault(self._owner(key), {})
        owned.pop(key, None)  # the latest of its owner, as it is of all
        owned[key] = None
        if len(owned) > self._share:
            self.forget(next(iter(owned)))

    def forget(self, key: K) -> None:
        super().forget(key)
        owner = self._owner(key)
        owned = self._keys.get(owner)
        if owned is not None:
            owned.pop(key, None)
            if not owned:
                del self._keys[owner]

    def clear(self) -> None:
        super().clear()
        self._keys.clear()
