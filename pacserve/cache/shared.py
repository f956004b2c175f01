"""The local package caches as hosts of the LAN see them: without the packages of private repositories."""

from __future__ import annotations

from collections.abc import Callable, Collection

from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import HeldFile
from pacserve.packages.inventory import Delta, Inventory, LocalPackages
from pacserve.packages.privacy import is_private


class SharedPackages(LocalPackages):
    """
    Answers for the files that are not private, as if there were no others.

    Args:
        packages: The local caches, whose inventory has no private files.
        private: Returns the private repositories.
    """

    def __init__(self, packages: LocalPackages, private: Callable[[], Collection[str]], databases: Catalogue) -> None:
        self._packages = packages
        self._private = private
        self._databases = databases

    def open(self, name: str, size: int | None) -> HeldFile | None:
        held = self._packages.open(name, size)
        if held is not None and is_private(name, held.size, self._private(), self._databases):
            held.file.close()
            return None
        return held

    async def inventory(self) -> Inventory:
        return await self._packages.inventory()

    def changes(self, since: int) -> Delta | None:
        return self._packages.changes(since)
