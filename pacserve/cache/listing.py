"""
The inventory of the local caches, read when they may have changed; while they have not, it is the same object.

Of a large cache only what changed is looked at: a reading costs the names of its folders, and one look at each file that is new.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.cache.changes import Changes
from pacserve.cache.folders import SETTLING_TIME, FolderListing, FoundFile, changed_lately, complete, list_folder, stamp
from pacserve.complaints import Complaints
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.inventory import Delta, Inventory
from pacserve.packages.privacy import is_private
from pacserve.waiting import Waiters

# Files of all folders together: the limit of what a peer accepts in an inventory.
NAMES_LIMIT = 100_000
# Seconds after which each file is looked at again even if the mtimes of the folders are the same: a file that is overwritten in place does not change
# that of its folder.
RESCAN_INTERVAL = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """
    The outcome of one reading of the folders.

    Attributes:
        listings: The contents of each folder.
        files: The complete files that are not private, with their sizes.
        settled: The files that had been as they were for a while when they were looked at, by folder and name.
        unsettled: True if one of the others may be complete soon.
        too_many: True if there are more complete files than `NAMES_LIMIT`.
    """

    listings: Sequence[FolderListing]
    files: Mapping[str, int]
    settled: Mapping[str, Mapping[str, FoundFile]]
    unsettled: bool
    too_many: bool


InThread = Callable[[Callable[[], Reading]], Awaitable[Reading]]


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
        self._look_at_all_at = 0.0
        self._settled: Mapping[str, Mapping[str, FoundFile]] = {}
        self._reading: Deferred[None] | None = None
        self._readers = Waiters()
        self._complaints = Complaints(self._log)

    async def inventory(self) -> Inventory:
        """
        Returns the inventory, after reading it again if need be.  All callers wait for the same reading, and none of them can cancel it.

        The databases are refreshed as well: on a host that only serves peers nothing else would notice that they changed.  While a new one is read
        files are judged by the former one, since peers compare each size with what their own databases state; but which packages are private must be
        known for certain.
        """
        await (self._databases.refresh_all() if self._private() else self._databases.refresh_unknown())
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
        everything = self._clock.seconds() >= self._look_at_all_at
        known: Mapping[str, Mapping[str, FoundFile]] = {} if everything else self._settled
        private = self._private()
        judged_alike = not everything and revision == self._revision and private == self._left_out
        listed_before: Mapping[str, int] = self._inventory.files if judged_alike else {}

        def work() -> Reading:
            listings = [list_folder(folder, NAMES_LIMIT + 1, known.get(folder, {})) for folder, _ in stamps]
            return self._judge(listings, listed_before, private, now)

        reading = await self._in_thread(work)
        for listing in reading.listings:
            self._report(listing)
        excess = f"the package caches hold more than {NAMES_LIMIT:,} files: peers learn of no more than these" if reading.too_many else ""
        self._complaints.about("", excess)
        self._stamps, self._revision, self._left_out = stamps, revision, private
        self._settled = reading.settled
        # The clock of mtimes is coarse: a file that appeared right after the reading may have left the folder's mtime as it was.
        unsettled = reading.unsettled or any(changed is not None and changed_lately(changed / 1e9, now) for _, changed in stamps)
        if everything:
            self._look_at_all_at = self._clock.seconds() + RESCAN_INTERVAL
        self._read_again_at = self._clock.seconds() + SETTLING_TIME if unsettled else self._look_at_all_at
        if reading.files != self._inventory.files:
            self._inventory = Inventory(self._inventory.generation + 1, reading.files)
            self._changes.record(self._inventory)

    def _judge(self, listings: Sequence[FolderListing], listed_before: Mapping[str, int], private: Collection[str], now: float) -> Reading:
        """
        Returns which files are complete and not private.

        Args:
            listed_before: Those that were so by the same databases, with their sizes: where one has not changed, no database is asked again.
        """
        files: dict[str, int] = {}
        unsettled = too_many = False
        for listing in listings:
            for found in listing.files:
                if found.name in files:
                    continue
                fresh = changed_lately(found.changed, now)
                if fresh or listed_before.get(found.name) != found.size:
                    stated = () if found.signature else self._databases.sizes(found.name)
                    if not complete(found.size, found.changed, now, stated, signature=found.signature):
                        unsettled = unsettled or fresh
                        continue
                    if is_private(found.name, found.size, private, self._databases):
                        continue
                if len(files) < NAMES_LIMIT:
                    files[found.name] = found.size
                else:
                    too_many = True
        settled = {listing.folder: {found.name: found for found in listing.files if not changed_lately(found.changed, now)} for listing in listings}
        return Reading(listings, files, settled, unsettled, too_many)

    def _report(self, listing: FolderListing) -> None:
        trouble = listing.trouble
        if trouble:
            trouble = (
                f"the package cache {listing.folder} can't be read: {trouble}; make sure that it exists and this user may read it, or name another"
            )
            trouble += " with --cache-dir"
        self._complaints.about(listing.folder, trouble)
