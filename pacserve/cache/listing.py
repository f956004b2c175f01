"""The inventory of the local caches, read when they may have changed; while they have not, it is the same object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.cache.changes import Changes
from pacserve.cache.folders import SETTLING_TIME, FolderListing, changed_lately, complete, list_folder, stamp
from pacserve.complaints import Complaints
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.inventory import Delta, Inventory
from pacserve.packages.privacy import is_private
from pacserve.waiting import Waiters

# Files of all folders together: the limit of what a peer accepts in an inventory.
NAMES_LIMIT = 100_000
# Seconds after which the folders are read again even if their mtimes are the same: a file that is overwritten in place does not change that of its
# folder.
RESCAN_INTERVAL = 60.0

InThread = Callable[[Callable[[], list[FolderListing]]], Awaitable[list[FolderListing]]]


class Listing:
    """
    Keeps the inventory of the cache folders.

    Args:
        directories: Returns the folders; where two hold the same name, the first counts.
        in_thread: Reads the folders in a thread, so that the reactor goes on.
        wall: Returns the seconds since the epoch.
        private: Returns the repositories whose packages are left out.
    """

    _log = Logger()

    def __init__(
        self,
        directories: Callable[[], Sequence[str]],
        databases: Catalogue,
        in_thread: InThread,
        clock: IReactorTime,
        wall: Callable[[], float],
        private: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._directories = directories
        self._databases = databases
        self._in_thread = in_thread
        self._clock = clock
        self._wall = wall
        self._private = private
        self._left_out: Collection[str] = ()
        self._inventory = Inventory(1, {})
        self._changes = Changes(self._inventory)
        self._revision = 0
        self._stamps: Sequence[tuple[str, int | None]] | None = None
        self._read_again_at = 0.0
        self._reading: Deferred[None] | None = None
        self._readers = Waiters()
        self._complaints = Complaints(self._log)

    async def inventory(self) -> Inventory:
        """
        Returns the inventory, after reading it again if need be.  All callers wait for the same reading, and none of them can cancel it.

        The databases are refreshed as well: on a host that only serves peers nothing else would notice that they changed.  While a new one is read
        files are judged by the former one; peers compare each size with what their own databases state.
        """
        await self._databases.refresh_unknown()
        if self._reading is None and self._outdated():
            reading = Deferred.fromCoroutine(self._read())
            if not reading.called:
                self._reading = reading
            self._complaints.hear(reading, "reading the package caches").addCallback(lambda _: self._has_read())
        if self._reading is not None:
            await self._readers.wait()
        return self._inventory

    def changes(self, since: int) -> Delta | None:
        """Returns the changes from the inventory of the generation `since` to the last one; None where that generation is forgotten."""
        return self._changes.since(since)

    def _has_read(self) -> None:
        self._reading = None
        self._readers.wake()

    def _outdated(self) -> bool:
        if self._clock.seconds() >= self._read_again_at or self._databases.revision != self._revision or self._private() != self._left_out:
            return True
        return self._stamp() != self._stamps

    def _stamp(self) -> Sequence[tuple[str, int | None]]:
        return [(folder, stamp(folder)) for folder in self._directories()]

    async def _read(self) -> None:
        # These are taken before the folders are read, so that a change during the reading causes another one.
        stamps, revision, now = self._stamp(), self._databases.revision, self._wall()
        listings = await self._in_thread(lambda: [list_folder(folder, NAMES_LIMIT + 1) for folder, _ in stamps])
        self._left_out = self._private()
        files, unsettled = self._judge(listings)
        self._stamps, self._revision = stamps, revision
        # The clock of mtimes is coarse: a file that appeared right after the reading may have left the folder's mtime as it was.
        unsettled = unsettled or any(changed is not None and changed_lately(changed / 1e9, now) for _, changed in stamps)
        self._read_again_at = self._clock.seconds() + (SETTLING_TIME if unsettled else RESCAN_INTERVAL)
        if files != self._inventory.files:
            self._inventory = Inventory(self._inventory.generation + 1, files)
            self._changes.record(self._inventory)

    def _judge(self, listings: Sequence[FolderListing]) -> tuple[dict[str, int], bool]:
        """Returns the complete files that are not private, with their sizes, and whether one of the others may be complete soon."""
        now = self._wall()
        files: dict[str, int] = {}
        unsettled = too_many = False
        for listing in listings:
            self._report(listing)
            for found in listing.files:
                if found.name in files:
                    continue
                stated = () if found.signature else self._databases.sizes(found.name)
                if not complete(found.size, found.changed, now, stated, signature=found.signature):
                    unsettled = unsettled or changed_lately(found.changed, now)
                elif is_private(found.name, found.size, self._left_out, self._databases):
                    continue
                elif len(files) < NAMES_LIMIT:
                    files[found.name] = found.size
                else:
                    too_many = True
        self._complaints.about("", f"the package caches hold more than {NAMES_LIMIT:,} files: peers learn of no more than these" if too_many else "")
        return files, unsettled

    def _report(self, listing: FolderListing) -> None:
        trouble = listing.trouble
        if trouble:
            trouble = (
                f"the package cache {listing.folder} can't be read: {trouble}; make sure that it exists and this user may read it, or name another"
            )
            trouble += " with --cache-dir"
        self._complaints.about(listing.folder, trouble)
