"""
The packages that apt itself keeps, offered to others by their content.

Names and sizes in apt's folder say nothing for certain, so each file is read once, slowly and in the background, and offered if its SHA-256 is one
that apt's verified lists state.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from pacserve.apt.archive_folder import FOLDER_COMMAND, Archive, hash_part, keep_digests, list_archives, open_archive, parse_folder, read_digests
from pacserve.apt.content import StatedFile
from pacserve.apt.known_digests import FileIdentity, encode_digests
from pacserve.cache.folders import changed_lately, stamp
from pacserve.complaints import Complaints
from pacserve.errors import FetchError
from pacserve.packages.children import Run
from pacserve.packages.files import HeldFile
from pacserve.packages.inventory import FurtherFiles
from pacserve.transfer.spool import SpooledFile

# Seconds from one look at the folder to the next: one stat.
LOOK_INTERVAL = 2.0
# Seconds after which each file is looked at even if the folder seems unchanged, and after which apt is asked again where the folder is.
RESCAN_INTERVAL = 60.0
FOLDER_LIFETIME = 600.0
# Seconds that a file has been there before it is read: `apt install` removes most of its files by then, and dpkg has work of its own.
UNREAD_TIME = 60.0
# After each part of a file nothing is read for so many times as long as it took, so that a fifth of a CPU is the most; and for so many seconds.
REST_RATIO = 4
LEAST_REST = 0.02
# Seconds between two changes of what is offered while files are read: each one is told to all hosts of the LAN.
OFFER_INTERVAL = 5.0
# Files that are looked up at once, some 5 ms.
_LOOKUPS = 100
# Digests that are found out before they are kept.
_KEPT_AT_ONCE = 200
# Seconds that a file has been there before it counts as one that apt keeps, see `Archives.kept`.
KEPT_TIME = 3600.0

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class StatedDigests(Protocol):
    """Knows what apt's lists state."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """Grows whenever something else may be stated than before."""

    @abstractmethod
    def stated(self, sha256: bytes) -> StatedFile | None:
        """Returns the file with this digest; None where no list states it."""


class Archives(FurtherFiles):
    """
    Offers the files of apt's folder whose content is stated.

    Args:
        run: Runs apt-config, which knows the folder.
        digests: The file that keeps the digests over restarts.
        in_thread: Looks at the folder and reads files in a thread.
        wall: Gives the seconds since the epoch.
    """

    _log = Logger()

    def __init__(self, run: Run, lists: StatedDigests, digests: str, in_thread: InThread, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._run = run
        self._lists = lists
        self._path = digests
        self._in_thread = in_thread
        self._clock = clock
        self._wall = wall
        self._folder: str | None = None
        self._find_again_at = self._look_again_at = 0.0
        self._stamp: int | None = None
        self._archives: Sequence[Archive] = ()
        self._known: dict[FileIdentity, bytes] | None = None
        self._unkept = 0
        self._unusable: set[FileIdentity] = set()
        self._listed_at = self._revision_before = -1
        self._offered: dict[str, tuple[Archive, StatedFile]] = {}
        self._revision = 0
        self._complaints = Complaints(self._log)
        self._looking: Deferred[None] | None = None
        self._loop = LoopingCall(self._begin)
        self._loop.clock = clock

    @property
    def revision(self) -> int:
        return self._revision

    def files(self) -> Mapping[str, int]:
        return {name: stated.size for name, (_, stated) in self._offered.items()}

    def holds(self, name: str) -> bool:
        """Returns whether a file is offered, as far as is known without a look."""
        return name in self._offered

    def open(self, name: str, size: int | None) -> HeldFile | None:
        found = self._offered.get(name)
        if found is None or self._folder is None or size not in (None, found[1].size):
            return None
        archive, stated = found
        opened = open_archive(self._folder, archive)
        if opened is None:
            return None
        file, facts = opened
        return HeldFile(name, file, stated.size, int(facts.st_mtime), f'"{stated.sha256.hex()}"')

    def kept(self, file: SpooledFile) -> float | None:
        """
        Returns when apt put the same file into its folder, in seconds since the epoch, if it is going to stay there; None otherwise.  In any thread.

        `apt` removes what it has fetched when it has installed it, and apt-get doesn't (APT::Keep-Downloaded-Packages, which both read under another
        name); containers remove all at once by a hook, and unattended-upgrades by its own option.  So no option says which files stay: one that has
        been there for an hour was kept by the run that fetched it.  Should it be removed later all the same, it is gone from this host, as its user
        wanted; the spool's copy goes after an hour and not before.
        """
        found, folder = self._offered.get(file.name), self._folder
        if found is None or folder is None or found[1].size != file.size:
            return None
        opened = open_archive(folder, found[0])
        if opened is None:
            return None
        opened[0].close()
        facts = opened[1]
        same = (facts.st_dev, facts.st_ino) == file.identity  # a hard link stores nothing twice
        return None if same or abs(self._wall() - facts.st_ctime) < KEPT_TIME else facts.st_ctime

    def start(self) -> None:
        """Looks now, and every `LOOK_INTERVAL` from then on."""
        self._loop.start(LOOK_INTERVAL)

    def stop(self) -> None:
        """Looks no more."""
        if self._loop.running:
            self._loop.stop()
        if self._looking is not None:
            self._looking.cancel()

    def _begin(self) -> Deferred[None]:
        self._looking = Deferred.fromCoroutine(self._look())
        return self._complaints.hear(self._looking, "looking at apt's archives")

    async def _look(self) -> None:
        """Takes in what changed, and reads the files that are not known yet."""
        folder = await self._found_folder()
        if folder is None:
            return
        if self._known is None:
            self._known = await self._in_thread(partial(read_digests, self._path))
        known = self._known
        revision, stamped, now = self._lists.revision, stamp(folder), self._clock.seconds()
        # Lists are read one after the other, and some are unknown meanwhile: files must not come and go for that.
        steady, self._revision_before = revision == self._revision_before, revision
        listed = stamped != self._stamp or now >= self._look_again_at
        if listed:
            self._archives = await self._in_thread(partial(list_archives, folder))
            # The clock of mtimes is coarse: a file that appeared right after that may have left the folder's mtime as it was.
            unsettled = stamped is not None and changed_lately(stamped / 1e9, self._wall())
            self._stamp = None if unsettled else stamped
            self._look_again_at = now + RESCAN_INTERVAL
            there = {archive.identity for archive in self._archives}
            for gone in known.keys() - there:
                del known[gone]
            self._unusable &= there
        if listed or (steady and revision != self._listed_at):
            await self._offer_all(known)
            self._listed_at = revision
        await self._read_new(folder, known)

    async def _found_folder(self) -> str | None:
        """Returns apt's folder; None where there is no apt."""
        if self._clock.seconds() >= self._find_again_at:
            self._find_again_at = self._clock.seconds() + FOLDER_LIFETIME
            try:
                found = parse_folder((await self._run(FOLDER_COMMAND)).output)
            except FetchError as error:
                self._log.debug("apt's archives can't be found: {error}", error=error)
                return self._folder
            if found != self._folder:
                self._folder, self._stamp, self._look_again_at = found, None, 0.0
                self._offer({})
        return self._folder

    async def _offer_all(self, known: Mapping[FileIdentity, bytes]) -> None:
        """Offers the files whose digests are known and stated, and no others any more."""
        offered: dict[str, tuple[Archive, StatedFile]] = {}
        for number, archive in enumerate(self._archives, 1):
            sha256 = known.get(archive.identity)
            stated = None if sha256 is None else self._stated(archive, sha256)
            if stated is not None:
                offered.setdefault(stated.name, (archive, stated))
            if not number % _LOOKUPS:
                await deferLater(self._clock, 0)
        self._offer(offered)

    def _stated(self, archive: Archive, sha256: bytes) -> StatedFile | None:
        """Returns what the lists state of a file with this digest; None where that does not fit."""
        stated = self._lists.stated(sha256)
        return stated if stated is not None and stated.size == archive.identity.size else None

    def _offer(self, offered: dict[str, tuple[Archive, StatedFile]]) -> None:
        if offered != self._offered:
            self._offered = offered
            self._revision += 1

    async def _read_new(self, folder: str, known: dict[FileIdentity, bytes]) -> None:
        """Reads the files that are not known yet, one after the other, and offers them, some at a time."""
        fresh: dict[str, tuple[Archive, StatedFile]] = {}
        offered_at = self._clock.seconds()
        try:
            for archive in self._archives:
                one = archive.identity
                if one in known or one in self._unusable or abs(self._wall() - archive.changed) < UNREAD_TIME:
                    continue
                sha256 = await self._digest(folder, archive)
                if sha256 is None:
                    self._unusable.add(one)
                    continue
                known[one] = sha256
                self._unkept += 1
                stated = self._stated(archive, sha256)
                if stated is not None:
                    fresh.setdefault(stated.name, (archive, stated))
                if self._clock.seconds() - offered_at >= OFFER_INTERVAL:
                    self._offer({**fresh, **self._offered})
                    offered_at = self._clock.seconds()
                if self._unkept >= _KEPT_AT_ONCE:
                    await self._keep(known)
        finally:
            self._offer({**fresh, **self._offered})
            if self._unkept:
                await self._keep(known)

    async def _digest(self, folder: str, archive: Archive) -> bytes | None:
        """Returns the SHA-256 of a file; None where it can't be read."""
        digest, offset = hashlib.sha256(), 0
        while offset < archive.identity.size:
            began = self._clock.seconds()
            after = await self._in_thread(partial(hash_part, folder, archive, digest, offset))
            if after is None:
                return None
            offset = after
            await deferLater(self._clock, max(LEAST_REST, REST_RATIO * (self._clock.seconds() - began)))
        return digest.digest()

    async def _keep(self, known: Mapping[FileIdentity, bytes]) -> None:
        self._unkept = 0
        await self._in_thread(partial(keep_digests, self._path, encode_digests(known)))
