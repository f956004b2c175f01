"""The SHA-256 of local files, each read once as long as it does not change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.bounded import ExpiringMemory
from pacserve.complaints import Complaints
from pacserve.errors import FetchError
from pacserve.packages.files import HeldFile
from pacserve.waiting import Waiters

# Bytes of a file that is read for its digest.
_SIZE_LIMIT = 1 << 30
_READ_BYTES = 1 << 20
# Seconds that a client waits for a file to be read, which goes on: of the 10 that pacman waits, the rest is for other places.
READING_TIMEOUT = 2.5
# Files whose digests are remembered, and seconds for which they are.
_FILES_LIMIT = 4096
_LIFETIME = 24 * 3600.0

InThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]


class Digests:
    """
    Knows the digests of files.

    Args:
        in_thread: Reads a file in a thread.
    """

    _log = Logger()

    def __init__(self, in_thread: InThread, clock: IReactorTime) -> None:
        self._in_thread = in_thread
        self._clock = clock
        self._complaints = Complaints(self._log)
        self._known: ExpiringMemory[tuple[str, str], bytes] = ExpiringMemory(_FILES_LIMIT, _LIFETIME)
        self._reading: dict[tuple[str, str], Waiters] = {}

    async def of(self, held: HeldFile) -> bytes | None:
        """
        Returns the SHA-256 of a file; None where it is too large to be read while pacman waits.

        Raises:
            FetchError: The file can't be read, or not in time.
            OSError: There is no descriptor to read it by.
        """
        key = held.name, held.etag
        known = self._known.get(key, self._clock.seconds())
        if known is not None or held.size > _SIZE_LIMIT:
            return known
        waiters = self._reading.get(key)
        if waiters is None:
            waiters = self._reading[key] = Waiters()
            # The client may leave, and its descriptor be that of another file then.
            reading = Deferred.fromCoroutine(self._read(key, os.dup(held.file.fileno()), held.size))
            self._complaints.hear(reading, f"reading {held.name}")
        if key in self._reading:
            await waiters.wait_for(READING_TIMEOUT, self._clock)
        known = self._known.get(key, self._clock.seconds())
        if known is None:
            raise FetchError("it could not be read in time to be checked")
        return known

    async def _read(self, key: tuple[str, str], descriptor: int, size: int) -> None:
        try:
            digest = await self._in_thread(lambda: _digest(descriptor, size))
            self._known.remember(key, digest, self._clock.seconds())
        finally:
            os.close(descriptor)
            self._reading.pop(key).wake()


def _digest(descriptor: int, size: int) -> bytes:
    digest = hashlib.sha256()
    for offset in range(0, size, _READ_BYTES):
        digest.update(os.pread(descriptor, _READ_BYTES, offset))
    return digest.digest()
