"""Knows what the lists of this host's own apt state, and reads them again when apt has written them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.apt.bases import Bases
from pacserve.apt.content import StatedFile
from pacserve.apt.index import Index, key_of
from pacserve.apt.knowledge import Extent, Lists
from pacserve.apt.scanning import COMPRESSED
from pacserve.apt.scans import Scans, list_files
from pacserve.apt.source_files import SourceFiles
from pacserve.apt.targets import Target
from pacserve.complaints import Complaints
from pacserve.errors import FetchError
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.packages.children import Run
from pacserve.packages.kept_files import KeptFiles, Stamp
from pacserve.waiting import Waiters

# Seconds between two looks for changes that requests cause, 0.2 ms each: less than apt takes from the last list to the first package of it.  Without
# a request there are looks as well, so that lists have mostly been scanned when the first package is asked for.
LOOK_INTERVAL = 0.02
IDLE_LOOK_INTERVAL = 10.0
# Seconds that a request waits for lists that are scanned, and what this may become on a host that is short of CPU: a file that is not known is
# fetched by each host for itself.  apt waits for 30.
READING_TIMEOUT = 5.0
LONGEST_READING_TIMEOUT = 10.0
# Seconds after which what could not be read is tried again though it has not changed, and until sources are read again for an unknown base.
RETRY_INTERVAL = 60.0
# Files from which on a list is a distribution's, whose files never change under a name: its former index answers while the new one is made.
DISTRIBUTION_SIZE = 5000


@dataclass(slots=True)
class _List:
    """
    One list.

    Attributes:
        bases: Those below which its files lie.
        stamp: Of the version that was read, or could not be.
        index: What that states; None where it could not be read.
        failed_at: When it could not be read; None if it could.
        secret: True if its files are for those alone who have a password.
    """

    bases: tuple[Target, ...]
    stamp: Stamp | None = None
    index: Index | None = None
    failed_at: float | None = None
    secret: bool = False

    def take(self, index: Index | None) -> None:
        """Takes another index in the place of the one that there is."""
        if self.index is not None:
            self.index.close()
        self.index = index


def kept_indexes(folder: str) -> KeptFiles[Index]:
    """Returns the folder of the indexes of lists, from which they are known again after a restart."""
    return KeptFiles(folder, ".index", Index)


class VerifiedLists(Lists):
    """
    Knows the sources of apt, and the lists that it has verified.

    Attributes:
        revision: Grows whenever the lists may state something else than before.
    """

    _log = Logger()

    def __init__(self, files: SourceFiles, kept: KeptFiles[Index], run: Run, clock: IReactorTime, lateness: Lateness = PUNCTUAL) -> None:
        self._files = files
        self._scans = Scans(kept, run)
        self._clock = clock
        self._lateness = lateness
        self._complaints = Complaints(self._log)
        self._sources = files.without_apt()
        self._lists: dict[str, _List] = {}
        self._by_base: dict[Target, list[Index]] = {}
        self._asked_at: float | None = None  # apt for its sources
        self._asked_in_vain = False
        self._stopped = False
        self._looked_at: float | None = None
        self._reading: Deferred[None] | None = None
        self._scanning: dict[str, Deferred[None]] = {}
        self._ended = Waiters()
        self._timer: IDelayedCall | None = None
        self.revision = 0

    def start(self) -> None:
        """Reads sources and lists, and looks for changes from now on."""
        self._look()
        self._timer = self._clock.callLater(IDLE_LOOK_INTERVAL, self.start)

    def stop(self) -> None:
        """Ends all that runs; nothing is known after that."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for running in [self._reading, *self._scanning.values()]:
            if running is not None:
                running.cancel()
        for known in self._lists.values():
            known.take(None)
        self._lists.clear()
        self._by_base.clear()

    def bases(self) -> Bases:
        return self._sources.bases

    async def refresh(self) -> None:
        if self._is_over(self._looked_at, LOOK_INTERVAL):
            self._look()
        await self._wait(lambda: self._reading is not None or bool(self._scanning))

    async def refresh_bases(self) -> None:
        # A client may ask for anything, as often as it likes: apt is asked for the same sources once a minute, since what it knows may depend on
        # more than the files that are looked at.
        if self._reading is None and (self._files.changed() or self._is_over(self._asked_at, RETRY_INTERVAL)):
            self._read_sources()
        await self._wait(lambda: self._reading is not None)

    def find(self, target: Target) -> StatedFile | None:
        """Returns a file; None also where two lists contradict each other, since nothing says which of them the mirror follows."""
        found: StatedFile | None = None
        for base, indexes in self._by_base.items():
            relative = target.below(base)
            if relative is None:
                continue
            key = key_of(relative.encode("utf-8", "surrogateescape"))
            for index in indexes:
                stated = index.find(key, target.name)
                if stated is None:
                    continue
                if found is not None and stated.sha256 != found.sha256:
                    return None
                found = found or stated
        return found

    def stated(self, sha256: bytes) -> StatedFile | None:
        """Returns the file with this digest, if anybody may have it: what needs a password is not offered to the LAN."""
        for known in self._lists.values():
            stated = None if known.index is None or known.secret else known.index.stated(sha256)
            if stated is not None:
                return stated
        return None

    def matching(self, text: str, most: int) -> Sequence[StatedFile]:
        """
        Returns the files whose label contains `text`, each once: first those of the package of that name, then short labels.  20 ms for a large list.

        Args:
            most: How many are given.
        """
        indexes = [known.index for known in self._lists.values() if known.index is not None]
        found = {stated for index in indexes for stated in index.matching(text)}
        return sorted(found, key=lambda stated: (not stated.label.startswith(f"{text}_"), len(stated.label), stated.label))[:most]

    def extent(self) -> Extent:
        indexes = [known.index for known in self._lists.values() if known.index is not None]
        return Extent(len(indexes), sum(map(len, indexes)))

    def _is_over(self, since: float | None, seconds: float) -> bool:
        return since is None or not 0 <= self._clock.seconds() - since < seconds

    async def _wait(self, busy: Callable[[], bool]) -> None:
        """Waits until something is done, but not too long, and without ending it for the others when this caller goes away."""
        deadline = self._clock.seconds() + self._lateness.widened(READING_TIMEOUT, LONGEST_READING_TIMEOUT)
        while busy():
            if not await self._ended.wait_for(deadline - self._clock.seconds(), self._clock):
                self._log.debug("lists of apt take long to read")
                return

    def _look(self) -> None:
        """Begins to read what has changed."""
        self._looked_at = self._clock.seconds()
        if self._reading is not None:
            return
        if self._asked_at is None or self._files.changed() or (self._asked_in_vain and self._is_over(self._asked_at, RETRY_INTERVAL)):
            self._read_sources()
        else:
            self._read_lists()

    def _read_sources(self) -> None:
        self._asked_at = self._clock.seconds()
        self._reading = Deferred.fromCoroutine(self._ask_apt())
        self._complaints.hear(self._reading, "asking apt for its sources").addBoth(lambda _: self._sources_read())

    async def _ask_apt(self) -> None:
        self._asked_in_vain = True
        try:
            self._sources = await self._files.read()
        except FetchError as error:
            self._complaints.about("sources", f"the sources of apt can't be read: {error}; those that were known before count on")
            return
        self._asked_in_vain = False
        self._complaints.about("sources", self._files.trouble)

    def _sources_read(self) -> None:
        self._reading = None
        if not self._stopped:
            self._read_lists()
        self._ended.wake()

    def _read_lists(self) -> None:
        """Begins to scan the lists that have changed, and forgets those that are gone."""
        present = list_files(self._sources.lists, self._complaints)
        changed = False
        for path in [path for path in self._lists if path not in present]:
            self._lists.pop(path).take(None)
            changed = True
        for path, (stamp, bases) in present.items():
            known = self._lists.setdefault(path, _List(bases))
            secret = path.removesuffix(next(filter(path.endswith, COMPRESSED), "")) in self._sources.secret
            changed = changed or (known.bases, known.secret) != (bases, secret)
            known.bases, known.secret = bases, secret
            if path not in self._scanning and (
                known.stamp != stamp or (known.failed_at is not None and self._is_over(known.failed_at, RETRY_INTERVAL))
            ):
                if known.index is not None and len(known.index) < DISTRIBUTION_SIZE:
                    known.take(None)  # a package of one's own may have been built again under its name, and this list is read in no time
                    changed = True
                self._scanning[path] = Deferred.fromCoroutine(self._read_list(path, known, stamp))
                self._complaints.hear(self._scanning[path], "scanning a list of apt").addBoth(self._list_read, path)
        if changed:
            self._take_changes()

    async def _read_list(self, path: str, known: _List, stamp: Stamp) -> None:
        index: Index | None = None
        trouble = ""
        try:
            index = await self._scans.index(path, stamp)
        except FetchError as error:
            trouble = f"the list {path} of apt can't be read: {error}; its files are passed on, and not shared"
        if self._lists.get(path) is not known or self._stopped:  # it was removed meanwhile
            if index is not None:
                index.close()
            return
        self._complaints.about(path, trouble)
        known.stamp = stamp if index is None else index.stamp
        known.failed_at = self._clock.seconds() if index is None else None
        known.take(index)
        self._take_changes()

    def _list_read(self, _: None, path: str) -> None:
        self._scanning.pop(path, None)
        if not self._scanning and not self._stopped:
            self._scans.keep_only(self._lists)
        self._ended.wake()

    def _take_changes(self) -> None:
        self.revision += 1
        by_base: dict[Target, list[Index]] = {}
        for known in self._lists.values():
            if known.index is not None:
                for base in known.bases:
                    by_base.setdefault(base, []).append(known.index)
        self._by_base = by_base
