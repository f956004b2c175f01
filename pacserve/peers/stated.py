"""The names of packages that peers state, for people who search: of what peers hold `Holdings` knows hashes alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pacserve.packages.names import is_signature

# Names of all peers together, some 300 bytes each: all former versions in the caches of a home, or all packages of a distribution.
STATED_LIMIT = 16_000


class StatedNames:
    """
    Remembers names of packages that peers stated, each once.  What has a place keeps it, so that hosts that make up names can't push out the others'.

    Args:
        limit: Names; one address has a quarter of them at most.
    """

    def __init__(self, limit: int = STATED_LIMIT) -> None:
        self._limit = limit
        self._share = limit // 4
        # The address that stated each first, and how many of them each address has.
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """Returns how many names are remembered."""
        return len(self._names)

    def note(self, address: str, names: Iterable[str]) -> None:
        """Remembers the packages among some names that an address states, as far as there is room."""
        for name in names:
            if name in self._names or is_signature(name):
                continue
            if self._counts[address] >= self._share or len(self._names) >= self._limit:
                return
            self._names[name] = address
            self._counts[address] += 1

    def of(self, address: str) -> Sequence[str]:
        """Returns the names that an address stated first."""
        return [name for name, owner in self._names.items() if owner == address]

    def prune(self, names: Iterable[str], held: Callable[[str], bool]) -> None:
        """Forgets those of some names that no peer holds any more."""
        for name in names:
            if not held(name) and name in self._names:
                address = self._names.pop(name)
                self._counts[address] -= 1
                if not self._counts[address]:
                    del self._counts[address]

    def find(self, text: str) -> Sequence[str]:
        """Returns the names that contain a text."""
        return [name for name in self._names if text in name]
