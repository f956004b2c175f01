"""Answers of mirrors that are passed on as they come: neither kept, nor shared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from pacserve.complaints import Complaints
from pacserve.errors import FetchError
from pacserve.fetch.answers import IncomingBody
from pacserve.packages.files import ExpectedFile
from pacserve.waiting import Waiters
from pacserve.web.bodies.arriving import ArrivingReader, Span

# Bytes that are held for a client that is slower than the mirror, which is read again when the client has taken half of them.
HELD_BYTES = 1 << 20
# Seconds until the mirror is read at the latest.  A client that takes next to nothing may have asked for gigabytes: each time more is held for it.
FULL_DELAY = 600.0
# Seconds without a byte after which the mirror is given up: apt gives up after 30.
STALL_TIMEOUT = 25.0


class PassedBody(ArrivingReader):
    """
    The body of a mirror's answer, read once from its beginning to its end.

    Where the file is stated, its last byte is held back until all of it is known to be right: a client that lacks it takes nothing for the whole.

    Args:
        expected: What is stated of the file, whose first byte the body begins with; None where nothing is.
        limit: Returns the seconds until more than these bytes may come.
    """

    _log = Logger()

    def __init__(self, body: IncomingBody, expected: ExpectedFile | None = None, limit: Callable[[int], float] = lambda _: 0.0) -> None:
        self._body = body
        self._expected = expected
        self._limit = limit
        self._digest = hashlib.sha256()
        self._arrived = self._taken = 0
        self._held = bytearray()
        self._ended = self._right = self._full = False
        self._waiters = Waiters()
        self._reading = Complaints(self._log).hear(Deferred.fromCoroutine(self._read()), "passing a file on")

    @property
    def whole(self) -> bool:
        return self._ended and self._right

    def read(self, offset: int, size: int) -> bytes:
        if offset != self._taken:
            raise OSError("a file that is passed on can be read once")
        piece = bytes(self._held[: min(size, self._readable() - offset)])
        del self._held[: len(piece)]
        self._taken += len(piece)
        if self._full and len(self._held) <= HELD_BYTES // 2:
            self._full = False
            self._body.hurry()
        return piece

    def span(self, offset: int, size: int) -> Span | None:
        return None

    async def more(self, offset: int) -> bool:
        while self._readable() <= offset:
            if self._ended:
                return False
            await self._waiters.wait()
        return True

    def close(self) -> None:
        self._held.clear()
        # A body that has come is not given up: its connection is about to be another request's, which would be cut off with it.
        if self._arrived != self._body.answer.length:
            self._reading.cancel()

    def _readable(self) -> int:
        """Returns how many bytes from the beginning may be sent."""
        if self._expected is None or self.whole:
            return self._arrived
        return min(self._arrived, self._expected.size - 1)

    async def _read(self) -> None:
        try:
            await self._body.consume(self._take, STALL_TIMEOUT)
            self._right = self._is_right()
        except (FetchError, CancelledError):
            self._right = False
        finally:
            self._ended = True
            self._waiters.wake()

    def _take(self, data: bytes) -> float:
        self._arrived += len(data)
        if self._expected is not None:
            if self._arrived > self._expected.size:
                raise FetchError("it has more bytes than are stated")
            self._digest.update(data)
        self._held += data
        self._waiters.wake()
        self._full = len(self._held) > HELD_BYTES
        return max(self._limit(len(data)), FULL_DELAY if self._full else 0.0)

    def _is_right(self) -> bool:
        expected = self._expected
        return expected is None or (self._arrived == expected.size and expected.sha256 in (None, self._digest.digest()))
