"""The downloads that run: one for each file, however many clients and hosts ask for it."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import FetchError, plain_reason, reason_of
from pacserve.http.validators import parse_date
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival, Storage, storage_of
from pacserve.transfer.download import Download
from pacserve.transfer.growing import Progress
from pacserve.transfer.leader_search import Claiming, LeaderSearch
from pacserve.transfer.stores import Store
from pacserve.transfer.terms import Terms
from pacserve.web.bodies.arriving import ArrivingFile

# Downloads at the same time; pacman asks for five, and a LAN of many for some more.
DOWNLOADS_LIMIT = 64
# Seconds for which the files of an ended download stay open: its end and the beginning of an answer may be one moment.
CLOSE_DELAY = 10.0
# Ended downloads whose files are open: each takes a descriptor or more, and clients can have any number of downloads begin and fail.
ENDED_LIMIT = 128

Key = tuple[str, str, str]
Look = Callable[[], ExpectedFile | None]


class RunningDownloads(Protocol):
    """Knows the downloads that run, as other hosts see them."""

    @abstractmethod
    async def running(self, request: FileRequest) -> ArrivingFile | None:
        """
        Returns the file of the download that runs for a request; None where there is none, and none is started.

        It is returned once the first byte has arrived: before that its version is not known, and a host that has the beginning of the file already
        could not tell whether this is the same one.
        """


class EndedDownloads:
    """Keeps the files of ended downloads open for a while, for clients that are just about to read them."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._timers: dict[Download, IDelayedCall] = {}
        self._right: dict[Key, Download] = {}

    def add(self, download: Download, right: Key | None = None) -> None:
        """
        Closes the files of a download after `CLOSE_DELAY`, or when there are `ENDED_LIMIT` later ones.

        Args:
            right: The key of a file that has the digest which is stated of it.
        """
        self._timers[download] = self._clock.callLater(CLOSE_DELAY, self._close, download)
        if right is not None:
            self._right[right] = download
        if len(self._timers) > ENDED_LIMIT:
            oldest, timer = next(iter(self._timers.items()))
            timer.cancel()
            self._close(oldest)

    def right(self, key: Key) -> Download | None:
        """Returns the download of a file with the digest that is stated of it, as long as its files are open and it was not removed."""
        download = self._right.get(key)
        return download if download is not None and os.fstat(download.file.file.fileno()).st_nlink else None

    def close(self) -> None:
        """Closes all files now."""
        for download, timer in list(self._timers.items()):
            timer.cancel()
            self._close(download)

    def _close(self, download: Download) -> None:
        del self._timers[download]
        for key in [key for key, right in self._right.items() if right is download]:
            del self._right[key]
        for file in download.files:
            file.close()


class Downloads:
    """
    Shares the downloads that run.

    No client owns one: the client that asked first may leave, and the file is fetched to its end, since the LAN wants it.

    Args:
        claiming: Finds out whether another host of the LAN downloads the file already.
        published: Called with the name of each file that has become complete.

    Attributes:
        terms: The terms on which files are downloaded.
    """

    _log = Logger()

    def __init__(
        self,
        spool: Store,
        clock: IReactorTime,
        terms: Terms,
        claiming: Claiming,
        published: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self.terms = terms
        self._published = published
        self._claiming = claiming
        self._ended = EndedDownloads(clock)
        self._complaints = Complaints(self._log)
        self._running: dict[Key, tuple[Download, Deferred[None]]] = {}

    def get(self, key: Key) -> Download | None:
        """Returns the download that runs for a file."""
        running = self._running.get(key)
        return None if running is None else running[0]

    def running(self) -> Sequence[tuple[Key, Download]]:
        """Returns the downloads that run, with repository, architecture and name of each."""
        return [(key, download) for key, (download, _) in self._running.items()]

    def join(self, request: FileRequest, look: Look, upstreams: Sequence[Upstream], claimed: ExpectedFile | None = None) -> Download:
        """
        Returns the download of a file: the one that runs, one that has just ended well, or a new one.

        Args:
            look: Gives what the sync database states of the file.
            claimed: What the file is to the LAN, which is asked whether another host downloads it: for a signature the package that it signs.
                None where the LAN is not asked.

        Raises:
            FetchError: Too many run already, or the spool can't be written.
        """
        key = (request.repo, request.arch, request.name)
        known = self.get(key)
        # One that has failed, and is only being cleaned up, gives its place to a new one.
        if known is not None and known.file.progress is not Progress.FAILED:
            if _is_another_file(known.expected, look()):
                raise FetchError("another file of that name is downloaded")
            return known
        just_ended = self._ended.right(key)
        # It ended while the LAN was asked: it was not here yet when this host was looked at.
        if just_ended is not None and just_ended.expected == look():
            return just_ended
        if len(self._running) >= DOWNLOADS_LIMIT:
            raise FetchError("too many downloads run already")
        expected = look()
        try:
            if not self._has_room(expected):
                raise FetchError("the spool's disk is full")
            arrival = Arrival(expected, self._storage(request.name, expected), look)
        except OSError as error:
            raise FetchError(f"the spool can't be written: {plain_reason(error)}") from error
        download = Download(request.name, arrival, upstreams, self._clock, self.terms)
        running = Deferred.fromCoroutine(self._run(request, download, claimed))
        if not running.called:
            self._running[key] = download, running
        self._complaints.hear(running, "ending a download").addCallback(lambda _: self._forget(key, download))
        return download

    def beginning(self, request: FileRequest, expected: ExpectedFile | None) -> int:
        """Returns how many bytes of a file are here from its start on, from the download that runs or from an earlier one."""
        running = self.get((request.repo, request.arch, request.name))
        return self._spool.beginning(expected) if running is None else running.file.ahead.end_of(running.file.written)

    def _has_room(self, expected: ExpectedFile | None) -> bool:
        return self._spool.has_room(0) if expected is None else self._spool.has_room(expected.size, expected.sha256)

    def _storage(self, name: str, expected: ExpectedFile | None) -> Storage:
        storage = storage_of(name, self._spool.create, self._spool.has_room)
        return replace(storage, keep=partial(self._spool.keep, name, expected), discard=self._spool.discard)

    def stop(self) -> None:
        """Ends all downloads; those of files that survive are gone on with when they are asked for again."""
        for _, running in list(self._running.values()):
            running.cancel()
        self._ended.close()

    async def _run(self, request: FileRequest, download: Download, claimed: ExpectedFile | None) -> None:
        search = LeaderSearch(self._claiming, request, claimed, self._clock, self.terms.lateness, lambda: download.file.written)
        kept = False
        try:
            await download.run(None if claimed is None else search)
            kept = self._keep(request, download, claimed)
        except FetchError as error:
            self._log.debug("{name} could not be downloaded: {error}", name=download.name, error=error)
        except OSError as error:
            self._log.debug("{name} could not be kept: {error}", name=download.name, error=reason_of(error))
            self._spool.failed(error)
        except CancelledError:
            self._log.debug("{name} is not downloaded any more", name=download.name)
        except Exception:
            self._log.failure("downloading {name}", name=download.name)
        finally:
            # Whatever happened, no reader waits for ever, no claim is renewed for ever, and no part of a file stays that is of no use.
            key = (request.repo, request.arch, request.name)
            self._ended.add(download, key if kept and request.kind is FileKind.PACKAGE else None)
            download.file.end(Progress.FAILED)
            search.end(kept=kept)
            for file in download.files:
                if file is not download.file:
                    self._spool.discard(file.file)
                elif not kept:
                    self._spool.leave(file.file)

    def _forget(self, key: Key, download: Download) -> None:
        """Forgets a download that has ended; another one may have taken its place already."""
        if self.get(key) is download:
            del self._running[key]

    def _keep(self, request: FileRequest, download: Download, claimed: ExpectedFile | None) -> bool:
        """
        Publishes a complete file in the spool.

        Returns:
            False where it can't be told whether it is the right one, so that it is not kept: where no database states its digest, but for a
            signature that mirrors gave.
        """
        package = download.expected
        if request.kind is FileKind.SIGNATURE:
            package = claimed if download.authoritative else None
        if package is None or package.sha256 is None:
            self._spool.discard(download.file.file)
            return False
        modified = None if download.version is None else parse_date(download.version.modified)
        self._spool.publish(download.file.file, download.name, modified, package.sha256)
        self._published(download.name)
        return True


def _is_another_file(running: ExpectedFile | None, wanted: ExpectedFile | None) -> bool:
    """Returns whether the database states another file than when the download began."""
    return running is not None and wanted is not None and running != wanted
