"""The local package caches, and one more place whose files go by other names there, as one inventory."""

from __future__ import annotations

from pacserve.cache.changes import Changes
from pacserve.cache.listing import NAMES_LIMIT
from pacserve.packages.files import HeldFile
from pacserve.packages.inventory import Delta, FurtherFiles, Inventory, LocalPackages


class MergedPackages(LocalPackages):
    """
    Answers for the caches and for a further place, with generations of its own.

    Args:
        packages: What both have is given from there.
    """

    def __init__(self, packages: LocalPackages, further: FurtherFiles) -> None:
        self._packages = packages
        self._further = further
        self._inventory = Inventory(1, {})
        self._changes = Changes(self._inventory)
        self._merged: tuple[Inventory, int] | None = None

    def open(self, name: str, size: int | None) -> HeldFile | None:
        return self._packages.open(name, size) or self._further.open(name, size)

    async def inventory(self) -> Inventory:
        inventory, revision = await self._packages.inventory(), self._further.revision
        if self._merged is None or self._merged[0] is not inventory or self._merged[1] != revision:
            self._merged = inventory, revision
            self._take(inventory)
        return self._inventory

    def changes(self, since: int) -> Delta | None:
        return self._changes.since(since)

    def _take(self, inventory: Inventory) -> None:
        """Makes these files and those of the further place the inventory; its generation grows only where that changes it."""
        files = dict(inventory.files)
        for name, size in self._further.files().items():
            if len(files) >= NAMES_LIMIT:
                break
            files.setdefault(name, size)
        if files != self._inventory.files:
            self._inventory = Inventory(self._inventory.generation + 1, files)
            self._changes.record(self._inventory)
