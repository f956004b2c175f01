"""Bodies that are read and written piece by piece, for transports that sendfile(2) can't write to, and for bodies that are no files."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.http import Request
from zope.interface import implementer

from pacserve.errors import plain_reason
from pacserve.web.server.twisted_internals import abort, write_body

PIECE_BYTES = 64 * 1024
"""Bytes that are read and written at once: Twisted's own buffer size, so that a slow client has one piece copied for it."""


@implementer(IPushProducer)
class CopyingProducer:
    """
    Sends a part of a body that can be read at any offset, as fast as the client takes it.

    Attributes:
        left: Bytes that are still to be written.
    """

    _log = Logger()

    def __init__(self, request: Request, read: Callable[[int, int], bytes], first: int, length: int) -> None:
        """
        Prepares a body; `run` sends it.

        Args:
            read: Takes an offset and a number of bytes, and returns up to so many; none where the body has become shorter.
        """
        self._request = request
        self._read = read
        self._offset = first
        self.left = length
        self._paused = False
        self._writing = False
        self._ended: Deferred[None] | None = Deferred()

    async def run(self) -> None:
        """Returns when everything was written, or when the connection is lost: then `left` is not zero."""
        ended = self._ended
        if ended is None:
            return
        self._request.registerProducer(self, True)
        self.resumeProducing()
        await ended

    def resumeProducing(self) -> None:  # noqa: N802
        self._paused = False
        if self._writing:
            return
        self._writing = True
        try:
            while self.left and not self._paused and self._ended is not None:
                self._write_piece()
        except OSError as error:
            self._abort(error)
        finally:
            self._writing = False
        if not self.left and self._ended is not None:
            self._request.unregisterProducer()
            self._end()

    def pauseProducing(self) -> None:  # noqa: N802
        self._paused = True

    def stopProducing(self) -> None:  # noqa: N802
        self._end()

    def _write_piece(self) -> None:
        piece = self._read(self._offset, min(self.left, PIECE_BYTES))
        if not piece:
            raise OSError("the file has become shorter")
        self._offset += len(piece)
        self.left -= len(piece)
        write_body(self._request, piece)

    def _abort(self, error: OSError) -> None:
        """Ends the connection, since the length of the body was promised."""
        self._log.warn("a file could not be sent any further: {error}", error=plain_reason(error))
        self._paused = True
        abort(self._request)

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.callback(None)
