"""The bytes of a download that a client is sent, and when."""

from __future__ import annotations

import os
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from pacserve.http.validators import parse_date
from pacserve.packages.files import ExpectedFile
from pacserve.transfer.download import Download
from pacserve.transfer.growing import GrowingFile, Progress
from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader, Span
from pacserve.web.origins import Share

# Seconds for which a client is sent nothing: pacman gives up after 10.
FIRST_TRICKLE_DELAY = 8.0
# After that so many bytes in each interval, in seconds, keep the client waiting.
TRICKLE_BYTES = 8
TRICKLE_INTERVAL = 1.0
# Bytes that are kept back for that while more is to come: enough for a minute in which a file that was begun again gets to where it was.
TRICKLE_RESERVE_BYTES = 512


class DownloadedFile(ArrivingFile):
    """
    The file of a download, as far as it has arrived.

    Args:
        signed: For a signature the catalogue's statement of the file that it signs: the entity tag tells which one that is.
    """

    def __init__(self, download: Download, clock: IReactorTime, signed: ExpectedFile | None = None) -> None:
        self._download = download
        self._clock = clock
        self._signed = signed

    @property
    def size(self) -> int | None:
        return self._download.file.size

    @property
    def modified(self) -> int | None:
        version = self._download.version
        return None if version is None else parse_date(version.modified)

    @property
    def etag(self) -> str:
        expected = self._download.expected or self._signed
        if expected is None or expected.sha256 is None:
            return ""
        # In a file that was begun again no byte need be what it was before.
        return f'"{expected.sha256.hex()}-{len(self._download.files) - 1}"'

    @property
    def shares(self) -> Sequence[Share]:
        return self._download.shares

    def reader(self) -> ArrivingReader:
        return DownloadReader(self._download.file, self._clock)


class DownloadReader(ArrivingReader):
    """
    Reads a growing file, and goes on in its successor as long as that is provably the same up to there.

    Bytes that must be checked first are held back until the whole file was, and the last ones of the others while more are to come; but when nothing
    else can be sent a trickle of them keeps the client waiting.
    """

    def __init__(self, file: GrowingFile, clock: IReactorTime) -> None:
        self._file = file
        self._promised = file.size
        self._clock = clock
        self._descriptor = file.open()
        # Bytes from the start that may be sent even though they are held back.
        self._trickled = 0
        self._sent_at = clock.seconds()
        self._trickle_delay = FIRST_TRICKLE_DELAY

    @property
    def whole(self) -> bool:
        return self._file.progress is Progress.COMPLETE

    def read(self, offset: int, size: int) -> bytes:
        span = self.span(offset, size)
        return os.pread(span.descriptor, span.length, offset)

    def span(self, offset: int, size: int) -> Span:
        # Nothing that may be sent changes any more: a file is only appended to, and what is begun again is another file.
        length = 0 if self._file.progress is Progress.FAILED else max(0, min(size, self._readable() - offset))
        if offset + length > self._trickled:  # it flows again
            self._sent_at, self._trickle_delay = self._clock.seconds(), FIRST_TRICKLE_DELAY
        return Span(self._descriptor.fileno(), length)

    async def more(self, offset: int) -> bool:
        while True:
            file = self._file
            if file.progress is Progress.FAILED:
                return False
            if file.progress is Progress.REPLACED:
                successor = file.successor
                continues = False if successor is None else successor.continues(offset)
                if successor is None or continues is False:
                    return False  # the client has bytes that the file does not have: only a new request helps
                if continues:
                    self._go_on(successor)
                    continue
            if offset < self._readable():
                return True
            if file.progress is Progress.COMPLETE:
                return False
            # A replaced file never changes again: whether its successor is the same up to here is decided there.
            await self._wait(file.successor or file, offset)

    def close(self) -> None:
        self._descriptor.close()

    def _readable(self) -> int:
        """Returns the bytes that may be sent.  The last one only goes once all were checked: a client that has it takes the file for good."""
        file = self._file
        complete = file.progress is Progress.COMPLETE
        if complete and self._promised in (None, file.written):
            return file.written
        # A client that was promised another size than the file has in the end must not take as many bytes of it for the whole.
        sizes = [size for size in (self._promised, None if complete else file.size) if size is not None]
        readable = min([file.written, *(size - 1 for size in sizes)])
        if complete:
            return readable
        freely = 0 if file.held or file.progress is Progress.REPLACED else file.written - TRICKLE_RESERVE_BYTES
        return min(readable, max(freely, self._trickled))

    async def _wait(self, file: GrowingFile, offset: int) -> None:
        """Waits until the file changes; a few of the bytes that are held back are released when the client has waited for long."""
        if file is not self._file and self._file.held:
            # The bytes that are here may be the wrong ones of an untrusted source: the client need not have more of them.
            await file.changed()
        elif not await file.changed_within(self._sent_at + self._trickle_delay - self._clock.seconds(), self._clock):
            self._sent_at, self._trickle_delay = self._clock.seconds(), TRICKLE_INTERVAL
            self._trickled = offset + TRICKLE_BYTES

    def _go_on(self, successor: GrowingFile) -> None:
        """Reads from the successor from now on, which begins with the bytes that were read."""
        self._descriptor.close()
        self._file, self._descriptor = successor, successor.open()
