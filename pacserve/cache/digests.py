"""The SHA-256 of local files, each read once as long as it does not change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime

from pacserve.bounded import ExpiringMemory
from pacserve.packages.files import HeldFile

# Bytes of a file that is read for its digest: some 3 s of a slow core.  pacman waits for 10 s.
_SIZE_LIMIT = 1 << 30
_READ_BYTES = 1 << 20
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

    def __init__(self, in_thread: InThread, clock: IReactorTime) -> None:
        self._in_thread = in_thread
        self._clock = clock
        self._known: ExpiringMemory[tuple[str, str], bytes] = ExpiringMemory(_FILES_LIMIT, _LIFETIME)

    async def of(self, held: HeldFile) -> bytes | None:
        """
        Returns the SHA-256 of a file; None where it is too large to be read while pacman waits.

        Raises:
            OSError: The file can't be read.
        """
        key = held.name, held.etag
        known = self._known.get(key, self._clock.seconds())
        if known is None and held.size <= _SIZE_LIMIT:
            known = await self._in_thread(lambda: _digest(held.file.fileno(), held.size))
            self._known.remember(key, known, self._clock.seconds())
        return known


def _digest(descriptor: int, size: int) -> bytes:
    digest = hashlib.sha256()
    for offset in range(0, size, _READ_BYTES):
        digest.update(os.pread(descriptor, _READ_BYTES, offset))
    return digest.digest()
