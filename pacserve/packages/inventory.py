"""The inventory of a host: the files that it can give to others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pacserve.packages.files import HeldFile


@dataclass(frozen=True, slots=True)
class Inventory:
    """
    The complete files of the local caches that hosts share.

    Attributes:
        generation: Grows by at least one whenever `files` changed.
        files: The size in bytes of each file by its name.
    """

    generation: int
    files: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Delta:
    """
    The changes from one inventory to a later one.

    Attributes:
        since: The generation of the earlier one.
        generation: That of the later one.
        files: The sizes in bytes of the files that were added or changed, by name.
        removed: The names of the files that are gone; the earlier inventory need not have had all of them.
    """

    since: int
    generation: int
    files: Mapping[str, int]
    removed: tuple[str, ...]


class LocalPackages(Protocol):
    """The local package caches, complete files only."""

    @abstractmethod
    def open(self, name: str, size: int | None) -> HeldFile | None:
        """
        Opens a package file or signature, looked up in the folders themselves.

        Args:
            size: The only size that will do, None for any size at which the file counts as complete.

        Returns:
            None where no cache holds the complete file.  The caller closes the file.
        """

    @abstractmethod
    async def inventory(self) -> Inventory:
        """Returns what the caches hold.  Folders and databases that changed are read again first."""

    @abstractmethod
    def changes(self, since: int) -> Delta | None:
        """
        Returns the changes from the inventory of the generation `since` to the one that was read last.  Nothing is read.

        Returns:
            None where that generation is not known, or not any more.
        """


class FurtherFiles(Protocol):
    """Files of this host that lie outside the package caches, under names of their own there, and that hosts share all the same."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """Grows whenever `files` changes."""

    @abstractmethod
    def files(self) -> Mapping[str, int]:
        """Returns the sizes in bytes of the complete files by the names under which hosts share them; from memory."""

    @abstractmethod
    def open(self, name: str, size: int | None) -> HeldFile | None:
        """Opens a file as `LocalPackages.open` does; None where it is gone, or is another one by now."""
