"""Files of unknown size for clients that know no chunks: they must be told the size before the first byte, and so wait for the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime

from pacserve.errors import RequestError
from pacserve.web.answers import StreamAnswer
from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader
from pacserve.web.origins import Share

WHOLE_TIMEOUT = 20.0
"""Seconds that a client waits: apt gives up after 30 without a byte."""

_PIECE_BYTES = 512 * 1024


async def whole(answer: StreamAnswer, clock: IReactorTime) -> StreamAnswer:
    """
    Returns an answer with the same file when all of it is there, so that its size is known.  Where that fails the answer's reader is closed.

    Raises:
        OSError: The file can't be read.
        RequestError: 503, it did not arrive in time, or failed.
    """
    reader = answer.file.reader() if answer.reader is None else answer.reader
    try:
        size = await Deferred.fromCoroutine(_size(reader)).addTimeout(WHOLE_TIMEOUT, clock)
    except DeferredTimeoutError:
        reader.close()
        raise RequestError(503, "the size of this file is known when all of it is here: ask again then, or by HTTP/1.1") from None
    except BaseException:
        reader.close()
        raise
    return replace(answer, file=_WholeFile(answer.file, size), reader=reader)


async def _size(reader: ArrivingReader) -> int:
    size = 0
    while await reader.more(size):
        span = reader.span(size, _PIECE_BYTES)
        size += len(reader.read(size, _PIECE_BYTES)) if span is None else span.length
    if not reader.whole:
        raise RequestError(503, "this file could not be fetched to its end: ask again")
    return size


class _WholeFile(ArrivingFile):
    """A file that is there, of a size that its source did not state."""

    def __init__(self, file: ArrivingFile, size: int) -> None:
        self._file = file
        self._size = size

    @property
    def size(self) -> int | None:
        return self._size

    @property
    def modified(self) -> int | None:
        return self._file.modified

    @property
    def etag(self) -> str:
        return self._file.etag

    @property
    def shares(self) -> Sequence[Share]:
        return self._file.shares

    def reader(self) -> ArrivingReader:
        return self._file.reader()
