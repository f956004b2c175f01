"""A file that grows: one download writes it, and any number of readers are given the bytes that are there already."""

from __future__ import annotations

import contextlib
import enum
import errno
import hashlib
import os
from io import FileIO

from twisted.internet.interfaces import IReactorTime

from pacserve.transfer.spans import Spans
from pacserve.transfer.stores import KeptFile
from pacserve.waiting import Waiters

# Bytes that were placed ahead and are read again at once, to be hashed.
_READ_BYTES = 256 << 10


class Progress(enum.Enum):
    """The state of a file that arrives."""

    ARRIVING = "arriving"
    COMPLETE = "complete"
    """All bytes are there, and they are those that were expected."""
    FAILED = "failed"
    """The download failed or did not match its digest."""
    REPLACED = "replaced"
    """The file is fetched again from the start: see `GrowingFile.successor`."""


class GrowingFile:
    """
    A file of the spool while it is written.

    Each reader has a descriptor of its own, so the file may be renamed or removed meanwhile, and the writer may have closed it.

    Attributes:
        size: Bytes that the file will have; None while that is not known.
        written: Bytes that the file has from its start on: readers are given these.
        ahead: The bytes behind them that are there already.
        progress: Its state.
        successor: The file that takes its place when `progress` is REPLACED.
        held: True if any bytes came from an untrusted source; readers then wait for verification.
        common: With a predecessor: the bytes from the start that are the same in both, as far as they are written.
    """

    def __init__(self, file: FileIO | KeptFile, size: int | None = None, predecessor: GrowingFile | None = None) -> None:
        kept = None if isinstance(file, FileIO) else file
        self.file = file if isinstance(file, FileIO) else file.file
        self.size = size
        self.written = 0
        self.ahead = Spans(() if kept is None else kept.spans)
        self.progress = Progress.ARRIVING
        self.successor: GrowingFile | None = None
        self.common = 0
        self.held = kept is not None and kept.held
        self._record = None if kept is None else kept.record
        self._predecessor = predecessor
        self._digest = hashlib.sha256()
        self._waiters = Waiters()

    @property
    def sha256(self) -> bytes:
        """The digest of the bytes that are written."""
        return self._digest.digest()

    def open(self) -> FileIO:
        """Returns the file for one reader, who closes it."""
        return FileIO(os.dup(self.file.fileno()), "rb")

    def close(self) -> None:
        """Closes the file of the writer; readers read on."""
        self.file.close()
        if self._predecessor is not None:
            self._predecessor.close()
            self._predecessor = None

    def write(self, data: bytes) -> None:
        """
        Appends bytes, and wakes the readers.

        Raises:
            OSError: They can't be written: the disk is full, say.
        """
        view = memoryview(data)
        began = self.written
        while view:
            written = os.pwrite(self.file.fileno(), view, self.written)
            self._append(view[:written])
            view = view[written:]
        self._note(began, self.written)
        self._appended()

    def place(self, offset: int, data: bytes) -> None:
        """
        Writes bytes where they belong, behind others that are still missing.

        Args:
            offset: Not before the end of the bytes that are written.

        Raises:
            OSError: They can't be written.
        """
        view = memoryview(data)
        at = offset
        while view:
            written = os.pwrite(self.file.fileno(), view, at)
            at += written
            view = view[written:]
        self._note(offset, at)
        self.ahead.add(offset, at)

    def take_in(self, limit: int) -> int:
        """
        Appends bytes that were placed where the file ends by now, and wakes the readers.

        Args:
            limit: The most bytes at once, since each of them is hashed.

        Returns:
            The number of bytes; 0 where the next one is missing.

        Raises:
            OSError: They can't be read again.
        """
        began = self.written
        end = min(self.ahead.end_of(began), began + limit)
        while self.written < end:
            data = os.pread(self.file.fileno(), min(end - self.written, _READ_BYTES), self.written)
            if not data:
                raise OSError(errno.EIO, "the file has become shorter")
            self._append(memoryview(data))
        if self.written > began:
            self._appended()
        return self.written - began

    def hold(self) -> None:
        """Keeps readers waiting for verification from now on, since bytes of an untrusted source come."""
        if not self.held and self._record is not None:
            self._record.hold()
        self.held = True

    def write_down(self) -> None:
        """Has a daemon that is started again know of every byte that is here by now, should this one be killed."""
        if self._record is not None:
            self._record.write_down()

    def reserve(self) -> None:
        """
        Makes room for the whole file: a full disk is better known before the first byte is handed on.

        Raises:
            OSError: There is no room.
        """
        if self.size:
            try:
                os.posix_fallocate(self.file.fileno(), 0, self.size)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise

    def cut(self, size: int) -> None:
        """Gives back the room of all but so many bytes."""
        with contextlib.suppress(OSError, ValueError):
            os.ftruncate(self.file.fileno(), size)

    def end(self, progress: Progress) -> None:
        """Notes that no more bytes come; the first reason for that stands."""
        if self.progress is Progress.ARRIVING:
            self.progress = progress
            self._waiters.wake()

    def replace(self, successor: GrowingFile) -> None:
        """Sends the readers to the file into which everything is fetched again."""
        self.successor = successor
        self.end(Progress.REPLACED)

    async def changed(self) -> None:
        """Returns when more bytes are written, or `progress` has changed."""
        if self.progress is Progress.ARRIVING:
            await self._waiters.wait()

    async def changed_within(self, seconds: float, clock: IReactorTime) -> bool:
        """Waits as `changed` does, but no longer than so many seconds; returns False when the time was up first."""
        return self.progress is not Progress.ARRIVING or await self._waiters.wait_for(seconds, clock)

    def continues(self, offset: int) -> bool | None:
        """
        Returns whether a reader that was sent the first `offset` bytes of the predecessor may go on here.

        Returns:
            None while that is not known.
        """
        if self.common >= offset:
            return True
        return False if self.written > self.common or self.progress is not Progress.ARRIVING else None

    def _note(self, first: int, end: int) -> None:
        if self._record is not None:
            self._record.add(first, end)

    def _append(self, data: memoryview) -> None:
        """Takes bytes that are on the disk for the next ones of the file."""
        self._compare(data)
        self._digest.update(data)
        self.written += len(data)

    def _appended(self) -> None:
        if len(self.ahead):
            self.ahead.remove(0, self.written)
        self._waiters.wake()

    def _compare(self, data: memoryview) -> None:
        """Notes how far this file is the same as its predecessor."""
        if self._predecessor is None or self.common < self.written:
            return
        before = os.pread(self._predecessor.file.fileno(), len(data), self.written)
        # A predecessor has its whole room on the disk: behind its last byte there are zeros, which count for nothing.
        before = before[: max(0, self._predecessor.written - self.written)]
        same = len(before) if data[: len(before)] == before else next(i for i, (a, b) in enumerate(zip(data, before, strict=False)) if a != b)
        self.common += same
