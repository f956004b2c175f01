"""What a client is sent of a download."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime

from pacserve.http.validators import parse_date
from pacserve.transfer.download import Download
from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader

# Seconds without a byte that a client is let wait: pacman gives up after 10.
PATIENCE = 8.0
# What keeps it waiting after that: so many bytes in each second.
TRICKLE = 8
TRICKLE_INTERVAL = 1.0
# Bytes that are kept back for that, while more is to come: enough for a minute in which a file that was begun again gets to where it was.
RESERVE = 512


class DownloadedFile(ArrivingFile):
    """The file of a download, as far as it is there."""

    def __init__(self, download: Download, clock: IReactorTime) -> None:
        self._download = download
        self._clock = clock

    @property
    def size(self) -> int | None:
        return self._download.file.size

    @property
    def modified(self) -> int | None:
        version = self._download.version
        return None if version is None else parse_date(version.modified)

    @property
    def etag(self) -> str:
        expected = self._download.expected
        if expected is None or expected.sha256 is None:
            return ""
        # Of a file that was begun again not a byte need be what it was before.
        return f'"{expected.sha256.hex()}-{len(self._download.files) - 1}"'

    @property
    def giver(self) -> str:
        return self._download.giver

    def reader(self) -> ArrivingReader:
        return DownloadReader(self._download.file, self._clock)


class DownloadReader(ArrivingReader):
    """
    Reads a growing file, and goes on in the one that takes its place as long as that is provably the same up to there.

    What has to be checked first is held back until all of it was, and the end of the rest is while more is to come; but when nothing else can be sent
    a trickle of it keeps the client waiting.
    """

    def __init__(self, file: GrowingFile, clock: IReactorTime) -> None:
        self._file = file
        self._promised = file.size
        self._clock = clock
        self._descriptor = file.open()
        self._let_go = 0
        self._fed_at = clock.seconds()
        self._patience = PATIENCE

    def read(self, offset: int, size: int) -> bytes:
        if self._file.progress is Progress.FAILED:
            return b""
        data = os.pread(self._descriptor.fileno(), max(0, min(size, self._readable() - offset)), offset)
        if offset + len(data) > self._let_go:  # it flows again
            self._fed_at, self._patience = self._clock.seconds(), PATIENCE
        return data

    async def more(self, offset: int) -> bool:
        while True:
            file = self._file
            if file.progress is Progress.FAILED:
                return False
            if file.progress is Progress.REPLACED:
                successor = file.successor
                continues = False if successor is None else successor.continues(offset)
                if successor is None or continues is False:
                    return False
                if continues:
                    self._go_on(successor)
                    continue
            if offset < self._readable():
                return True
            if file.progress is Progress.COMPLETE:
                return False
            await self._news(file.successor or file, offset)

    def _readable(self) -> int:
        """Bytes that may be handed on.  The last one is only once all was checked: whoever has it takes the file for good."""
        file = self._file
        complete = file.progress is Progress.COMPLETE
        if complete and self._promised in (None, file.written):
            return file.written
        # Who was promised another size than it has in the end must not take as many bytes of it for the whole.
        sizes = [size for size in (self._promised, None if complete else file.size) if size is not None]
        readable = min([file.written, *(size - 1 for size in sizes)])
        if complete:
            return readable
        freely = 0 if file.held or file.progress is Progress.REPLACED else file.written - RESERVE
        return min(readable, max(freely, self._let_go))

    async def _news(self, file: GrowingFile, offset: int) -> None:
        """Waits until something happens; of what is held back a little is let go when the client has waited for long."""
        news = Deferred.fromCoroutine(file.news())
        if file is self._file or not self._file.held:  # who was given wrong bytes need not have more of them
            news.addTimeout(max(0.0, self._fed_at + self._patience - self._clock.seconds()), self._clock)
        try:
            await news
        except DeferredTimeoutError:
            self._fed_at, self._patience = self._clock.seconds(), TRICKLE_INTERVAL
            self._let_go = offset + TRICKLE

    def _go_on(self, successor: GrowingFile) -> None:
        """Reads the successor from now on, which begins with what was read."""
        self._descriptor.close()
        self._file, self._descriptor = successor, successor.open()

    @property
    def whole(self) -> bool:
        return self._file.progress is Progress.COMPLETE

    def close(self) -> None:
        self._descriptor.close()
