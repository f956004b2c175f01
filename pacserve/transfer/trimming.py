"""Keeps the spool within its limit, and free of files that another package cache of this host holds as well."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.spool import Elsewhere, Spool, SpooledFile

# Seconds between two looks at the spool while nothing is downloaded: pacman has its own copy of a file soon after the download.
TRIM_INTERVAL = 60.0
# Not through links, and without waiting for the writer of a FIFO.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Stated = Callable[[str], Collection[ExpectedFile]]
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class SpoolTrimming:
    """
    Removes files from the spool, in a thread: once a minute, and at once after a download that it does not take.

    Args:
        cache_dirs: Gives the package caches of this host; the spool's own folder may be one of them.
        stated: Gives what the databases state of a name, in any thread.
        wall: Gives the seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        spool: Spool,
        cache_dirs: Callable[[], Sequence[str]],
        stated: Stated,
        in_thread: InThread,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._cache_dirs = cache_dirs
        self._stated = stated
        self._in_thread = in_thread
        self._wall = wall
        self._further: list[Elsewhere] = []
        self._turn = DeferredLock()
        self._complaints = Complaints(self._log)
        self._loop = LoopingCall(self._begin, self.trim)
        self._loop.clock = clock

    def consult(self, further: Elsewhere) -> None:
        """Takes in a place that may hold a file of the spool under another name; it is asked in a thread."""
        self._further.append(further)

    def start(self) -> None:
        """Begins to look once a minute."""
        self._loop.start(TRIM_INTERVAL, now=False)

    def stop(self) -> None:
        """Looks no more."""
        if self._loop.running:
            self._loop.stop()

    def trim_soon(self) -> None:
        """Trims the spool in the background, if it is beyond its limit; this costs nothing for all other downloads, however many files there are."""
        if not self._spool.fits:
            self._begin(self._make_room)

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if not self._turn.waiting:  # the one that waits for its turn sees everything that this one would
            self._complaints.hear(Deferred.fromCoroutine(work()), "trimming the spool")

    async def trim(self) -> None:
        """Trims the spool, after it has given up what another package cache holds as well."""
        await self._turn.run(lambda: Deferred.fromCoroutine(self._trim(give_up=True)))

    async def _make_room(self) -> None:
        await self._turn.run(lambda: Deferred.fromCoroutine(self._trim(give_up=False)))

    async def _trim(self, *, give_up: bool) -> None:
        folders, now, further = self._cache_dirs(), self._wall(), tuple(self._further)

        def work() -> tuple[list[str], list[str], list[str]]:
            elsewhere = partial(_changed_first, (partial(changed_elsewhere, folders, frozenset(_names(folders))), *further))
            unfinished = self._spool.trim_unfinished(self._stated, now) if give_up else []
            return unfinished, self._spool.give_up(elsewhere, now) if give_up else [], self._spool.trim(elsewhere)

        unfinished, given_up, removed = await self._in_thread(work)
        for name in unfinished:
            self._log.debug("{name} is not gone on with any more: what had arrived of it was removed", name=name)
        if given_up:
            self._log.debug("{count} files left the spool, since another package cache has them", count=len(given_up))
        if removed:
            self._log.debug("{count} files left the spool for newer ones", count=len(removed))


def changed_elsewhere(folders: Sequence[str], names: Collection[str], file: SpooledFile) -> float | None:
    """
    Returns when another file of the same name and size changed, in seconds since the epoch; None where there is none.

    pacman and apt write under another name until a file is complete, so one of the right name and size is.  It counts only where this daemon would
    serve it, so that the LAN does not lose the file: it can be read, and is no symbolic link.  The file of the spool itself, found by another path or
    a hard link, stores nothing twice.

    Args:
        folders: The package caches; the spool's own folder may be one of them.
        names: Those that there are in these folders: to find them costs a hundredth of asking each folder for each file.
    """
    for folder in folders if file.name in names else ():
        found = _readable(f"{folder}/{file.name}")
        if found is not None and found.st_size == file.size and (found.st_dev, found.st_ino) != file.identity:
            return found.st_ctime
    return None


def _changed_first(places: Sequence[Elsewhere], file: SpooledFile) -> float | None:
    """Returns when the first of some places that has the same file changed it; None where none has it."""
    return next((changed for place in places if (changed := place(file)) is not None), None)


def _names(folders: Sequence[str]) -> Iterator[str]:
    for folder in folders:
        with contextlib.suppress(OSError):
            yield from os.listdir(folder)  # noqa: PTH208 - of tens of thousands of files


def _readable(path: str) -> os.stat_result | None:
    """Returns the facts of a regular file; None where there is none, or it can't be read."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        found = os.fstat(descriptor)
        return found if stat.S_ISREG(found.st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
