"""The latest changes of the inventory, for peers that know an earlier generation.  Rules only."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pacserve.packages.inventory import Delta, Inventory

# Caches are looked at 4 times a second, and a peer is told once a minute at the latest: this is a minute of downloads without a pause.
GENERATIONS_LIMIT = 256
# Changed and removed names of all generations together, some 100 bytes each.
NAMES_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class _Step:
    """
    The change from one inventory to the next.

    Attributes:
        before: The generation of the inventory before the change.
        files: The added and changed files, with their sizes.
    """

    before: int
    files: Mapping[str, int]
    removed: frozenset[str]

    def __len__(self) -> int:
        return len(self.files) + len(self.removed)


class Changes:
    """Remembers the latest changes of an inventory, within `GENERATIONS_LIMIT` and `NAMES_LIMIT`; with an older one, a peer takes the whole list."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._steps: deque[_Step] = deque()
        self._names = 0

    def record(self, inventory: Inventory) -> None:
        """Takes in the inventory that follows the last one."""
        former, files = self._inventory.files, inventory.files
        changed = {name: size for name, size in files.items() if former.get(name) != size}
        step = _Step(self._inventory.generation, changed, frozenset(former.keys() - files.keys()))
        self._inventory = inventory
        self._steps.append(step)
        self._names += len(step)
        while len(self._steps) > GENERATIONS_LIMIT or self._names > NAMES_LIMIT:
            self._names -= len(self._steps.popleft())

    def since(self, generation: int) -> Delta | None:
        """
        Returns the changes from the inventory of a generation to the last one; no changes where it is the last one.

        Returns:
            None where the generation is not known: it is forgotten, never existed, or is yet to come.
        """
        current = self._inventory.generation
        files: dict[str, int] = {}
        removed: set[str] = set()
        if generation != current:
            steps = [step for step in self._steps if step.before >= generation]
            if not steps or steps[0].before != generation:
                return None
            for step in steps:
                for name in step.removed:
                    files.pop(name, None)
                removed |= step.removed
                removed -= step.files.keys()
                files.update(step.files)
        return Delta(generation, current, files, tuple(sorted(removed)))
