"""A file that arrives: one writes, any number read what is there already."""

from __future__ import annotations

import contextlib
import enum
import errno
import hashlib
import os
from io import FileIO

from twisted.internet.defer import Deferred


class Progress(enum.Enum):
    """What becomes of a file that arrives."""

    ARRIVING = "arriving"
    COMPLETE = "complete"
    """All of it is there, and it is what was expected."""
    FAILED = "failed"
    """Nothing more will come, or what came is wrong."""
    REPLACED = "replaced"
    """It is fetched again from the start: see `GrowingFile.successor`."""


class GrowingFile:
    """
    A file of the spool while it is written.

    Each reader has a descriptor of its own, so it may be renamed or removed meanwhile, and the writer may be done with it.

    Attributes:
        size: Bytes that it will have; None while that is not known.
        written: Bytes that it has.
        progress: What becomes of it.
        successor: The file that takes its place when `progress` is REPLACED.
        held: True if some of it came from where it must be checked before it is handed on.
        common: With a predecessor: the bytes from the start that are the same in both, as far as they are written.
    """

    def __init__(self, file: FileIO, size: int | None = None, predecessor: GrowingFile | None = None) -> None:
        self.file = file
        self.size = size
        self.written = 0
        self.progress = Progress.ARRIVING
        self.successor: GrowingFile | None = None
        self.common = 0
        self.held = False
        self._predecessor = predecessor
        self._digest = hashlib.sha256()
        self._waiting: list[Deferred[None]] = []

    @property
    def sha256(self) -> bytes:
        """The digest of what is written."""
        return self._digest.digest()

    def open(self) -> FileIO:
        """Returns the file for one reader, who closes it."""
        return FileIO(os.dup(self.file.fileno()), "rb")

    def close(self) -> None:
        """The writer is done with it."""
        self.file.close()
        if self._predecessor is not None:
            self._predecessor.close()
            self._predecessor = None

    def write(self, data: bytes) -> None:
        """
        Appends what has arrived.

        Raises:
            OSError: It can't be written: the disk is full, say.
        """
        view = memoryview(data)
        while view:
            written = os.pwrite(self.file.fileno(), view, self.written)
            self._compare(view[:written])
            self._digest.update(view[:written])
            self.written += written
            view = view[written:]
        self._wake()

    def reserve(self) -> None:
        """
        Makes room for all of it: that the disk is full is better known before the first byte is handed on.

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
        """Nothing more comes."""
        if self.progress is Progress.ARRIVING:
            self.progress = progress
            self._wake()

    def replace(self, successor: GrowingFile) -> None:
        """It is fetched again from the start."""
        self.successor = successor
        self.end(Progress.REPLACED)

    async def news(self) -> None:
        """Returns when more is written, or something else has become of the file."""
        if self.progress is not Progress.ARRIVING:
            return
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        await waiting

    def continues(self, offset: int) -> bool | None:
        """
        Returns whether a reader that was sent the first `offset` bytes of the predecessor may go on here.

        Returns:
            None while that is not known.
        """
        if self.common >= offset:
            return True
        return False if self.written > self.common or self.progress is not Progress.ARRIVING else None

    def _compare(self, data: memoryview) -> None:
        """Notes how far this file is the same as its predecessor."""
        if self._predecessor is None or self.common < self.written:
            return
        before = os.pread(self._predecessor.file.fileno(), len(data), self.written)
        before = before[: max(0, self._predecessor.written - self.written)]
        same = len(before) if data[: len(before)] == before else next(i for i, (a, b) in enumerate(zip(data, before, strict=False)) if a != b)
        self.common += same

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(None)
