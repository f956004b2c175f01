"""Which of several sources gave wrong bytes of a file of which only the whole digest is known: each byte is asked of another one as well."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import FileIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pacserve.errors import FetchError
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.arrival import Arrival
from pacserve.transfer.checks import Check, Rejected
from pacserve.transfer.division import Division
from pacserve.transfer.growing import GrowingFile
from pacserve.transfer.spans import Span, Spans
from pacserve.transfer.striping import TAKE_IN_BYTES, Striping
from pacserve.transfer.suspects import Suspects
from pacserve.transfer.terms import Terms

# Bytes that are read at once.
_READ_BYTES = 256 << 10


class Recheck:
    """
    Fetches a file a second time, each byte from another source than the first time, and finds out whose bytes were wrong.

    A source has given wrong bytes if the file is right once all that it gave is exchanged for what others gave.  That is tried for each as soon as
    others have given all its bytes.

    Args:
        name: The file.
        arrival: All of it, as it came the first time; its digest is the wrong one.
    """

    _log = Logger()

    def __init__(self, name: str, arrival: Arrival, clock: IReactorTime, terms: Terms) -> None:
        self._name = name
        self._arrival = arrival
        self._clock = clock
        self._terms = terms
        self._first = arrival.file
        self._size = arrival.file.written
        self._ready: deque[tuple[Upstream, Sequence[Span]]] = deque()
        self._examining: Deferred[None] | None = None
        self._copying: Deferred[None] = Deferred()
        self._liar: Upstream | None = None

    async def run(self, upstreams: Sequence[Upstream]) -> Upstream | None:
        """
        Returns the source that gave wrong bytes; the file of the arrival is the right one then.

        Args:
            upstreams: The mirrors that are asked, best first.

        Returns:
            None where it can't be told: the file of the arrival is a new one then, which is not whole.

        Raises:
            OSError: The bytes can't be written or read.
        """
        suspects = Suspects(self._arrival.givers, self._size, upstreams)
        self._arrival.restart()
        # Nothing is handed on before there are two equal copies, so that no reader waits for parts in their order.
        division = Division([(0, self._size)], replace(self._terms.lines.sizes, window=self._size), suspects.before)
        striping = Striping(self._name, self._arrival, upstreams, division, self._clock, self._terms)
        check = _Comparison(self._first, self._arrival.file, partial(self._copied, suspects))
        try:
            await self._copy(striping, check)
            if self._examining is not None:
                await self._examining
        finally:
            if self._examining is not None:
                self._examining.addErrback(_forget).cancel()
        if self._liar is not None:
            await self._put_together(suspects, self._liar)
        return self._liar

    async def _copy(self, striping: Striping, check: Check) -> None:
        """Fetches the second copy, until it is known who gave wrong bytes."""
        self._copying = Deferred.fromCoroutine(striping.run(check))
        try:
            await self._copying
        except CancelledError:
            if self._liar is None:  # the daemon stops, or another host is followed
                raise
        except FetchError as error:
            self._log.debug("{name}: there is no second copy of all bytes: {error}", name=self._name, error=error)

    def _copied(self, suspects: Suspects, first: int, end: int) -> None:
        """Takes note of bytes of which there are two copies now."""
        self._ready.extend((suspect, suspects.given_by(suspect)) for suspect in suspects.copied(first, end))
        if self._ready and self._examining is None:
            self._examining = Deferred.fromCoroutine(self._examine())

    async def _examine(self) -> None:
        """
        Finds out whether the file is right with the bytes of one suspect exchanged.

        Raises:
            OSError: The bytes can't be read.
        """
        await deferLater(self._clock, 0.0)  # a mirror is not dropped in the moment in which it gives bytes
        expected = self._arrival.expected
        while self._ready and expected is not None:
            suspect, spans = self._ready.popleft()
            work = partial(_exchanged, self._first.open(), self._arrival.file.open(), spans, self._size)
            if await self._terms.in_thread(work) == expected.sha256:
                self._liar = suspect
                self._ready.clear()
        self._examining = None
        if self._liar is not None:
            self._copying.cancel()

    async def _put_together(self, suspects: Suspects, liar: Upstream) -> None:
        """
        Makes the second file the right one, with the first copy of all bytes but those of the liar, in steps between which other work is done.

        Raises:
            OSError: The bytes can't be read or written.
        """
        file = self._arrival.file
        for first, end in list(Spans(suspects.given_by(liar)).missing(file.written, self._size)):
            for at, count in _steps(first, end, TAKE_IN_BYTES):
                file.place(at, _read(self._first.file.fileno(), at, count))
                await deferLater(self._clock, 0.0)
        for given in suspects.before:
            if given.giver is not liar:
                self._arrival.credit(given)
        while file.take_in(TAKE_IN_BYTES):
            await deferLater(self._clock, 0.0)


class _Comparison(Check):
    """
    Lets bytes be handed on as long as both copies are the same.

    Args:
        copied: Told of the bytes of which there are two copies.
    """

    def __init__(self, first: GrowingFile, second: GrowingFile, copied: Callable[[int, int], object]) -> None:
        self._first = first
        self._second = second
        self._copied = copied
        self._differs = False

    def arrived(self, first: int, end: int) -> Sequence[Rejected]:
        self._copied(first, end)
        return ()

    def certain(self, position: int, limit: int) -> int:
        if self._differs:
            return position
        end = min(self._second.ahead.end_of(position), position + limit)
        for at, count in _steps(position, end, _READ_BYTES):
            if _read(self._first.file.fileno(), at, count) != _read(self._second.file.fileno(), at, count):
                self._differs = True
                return at
        return end


def _exchanged(first: FileIO, second: FileIO, spans: Sequence[Span], size: int) -> bytes | None:
    """
    Returns the SHA-256 of the first file with some of its bytes exchanged for those of the second; None where these are the same.

    Args:
        spans: The bytes, in their order.

    Raises:
        OSError: A file can't be read.
    """
    with first, second:
        if not any(
            _read(first.fileno(), at, count) != _read(second.fileno(), at, count) for span in spans for at, count in _steps(*span, _READ_BYTES)
        ):
            return None
        digest = hashlib.sha256()
        exchanged = Spans(spans)
        found = [(start, end, first) for start, end in exchanged.missing(0, size)] + [(start, end, second) for start, end in exchanged]
        for start, end, file in sorted(found, key=lambda one: one[0]):
            for at, count in _steps(start, end, _READ_BYTES):
                digest.update(_read(file.fileno(), at, count))
        return digest.digest()


def _steps(first: int, end: int, most: int) -> Iterator[Span]:
    """Yields offset and length of successive parts of so many bytes at most."""
    return ((at, min(most, end - at)) for at in range(first, end, most))


def _read(descriptor: int, offset: int, count: int) -> bytes:
    """
    Returns so many bytes.

    Raises:
        OSError: They are not there.
    """
    data = os.pread(descriptor, count, offset)
    if len(data) != count:
        raise OSError(errno.EIO, "the file has become shorter")
    return data


def _forget(failure: Failure) -> None:
    """Forgets the failure of work whose result is of no use any more."""
