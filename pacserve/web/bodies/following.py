"""Bodies of files that may still be arriving."""

from __future__ import annotations

import contextlib
import os

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.web.http import Request
from zope.interface import implementer

from pacserve.errors import plain_reason
from pacserve.waiting import Done, begin
from pacserve.web.bodies.arriving import ArrivingReader, Span
from pacserve.web.bodies.copying import PIECE_BYTES as PACED_PIECE_BYTES
from pacserve.web.bodies.pacing import Pacing
from pacserve.web.bodies.sendfile import CLIENT_ERRORS, sendfile_transport
from pacserve.web.server.twisted_internals import abort, has_unsent, resume_when_writable, write_body

PIECE_BYTES = 512 * 1024
"""Bytes that are written at once, where the rate is not limited: with a limit a client would get at once what it may have in many seconds."""


@implementer(IPushProducer)
class FollowingProducer:
    """
    Sends a part of a file as fast as it arrives and the client takes it, whichever is slower.

    Attributes:
        sent: Bytes that were written so far.
        complete: True if the whole part was written.
    """

    _log = Logger()

    def __init__(
        self, request: Request, reader: ArrivingReader, first: int, length: int | None, pacing: Pacing | None = None, *, chunked: bool = False
    ) -> None:
        """
        Prepares a body; `run` sends it.

        Args:
            length: Bytes to send; None for everything up to the end of the file.
            pacing: Limits how fast they are sent; None for no limit.
            chunked: True if the body is sent in chunks (RFC 9112, 7.1).
        """
        self._request = request
        self._reader = reader
        self._offset = first
        self._length = length
        self._pacing = pacing
        self._chunked = chunked
        # Takes bytes straight from the file, where they go out as they are and as fast as they can.
        self._socket = sendfile_transport(request) if pacing is None and not chunked else None
        self._pausing: Deferred[None] | None = None
        self._flowing: Deferred[None] | None = None
        self._arriving: Deferred[bool] | None = None
        self._gone = False
        self.sent = 0
        self.complete = False

    async def run(self) -> None:
        """
        Returns when everything was written, or the client has gone.

        When the file fails the connection is aborted: the client must not take what it has got for the whole.
        """
        self._request.registerProducer(self, True)
        read_nothing = False
        try:
            while not self._gone and (self._length is None or self.sent < self._length):
                if not await self._more():
                    break
                await self._writable()
                if not self._gone:
                    written = self._write_piece()
                    if written is None:
                        continue  # the socket is full
                    if not written and read_nothing:
                        break  # the file was truncated meanwhile: twice there was nothing to read where there should have been
                    read_nothing = not written
                    await self._pace(written)
        except OSError as error:
            if error.errno not in CLIENT_ERRORS:
                self._log.warn("a file could not be sent any further: {error}", error=plain_reason(error))
            abort(self._request)
            self._gone = True
            return
        finally:
            if not self._gone:
                self._request.unregisterProducer()
        self._end()

    def pauseProducing(self) -> None:  # noqa: N802
        if self._flowing is None:
            self._flowing = Deferred()

    def resumeProducing(self) -> None:  # noqa: N802
        flowing, self._flowing = self._flowing, None
        if flowing is not None:
            flowing.callback(None)

    def stopProducing(self) -> None:  # noqa: N802
        self._gone = True
        self.resumeProducing()
        for waiting in (self._arriving, self._pausing):
            if waiting is not None:
                waiting.cancel()

    async def _more(self) -> bool:
        """Waits until there is more of the file, and returns whether there is; ends when the client leaves."""
        asked = begin(self._reader.more(self._offset))
        if isinstance(asked, Done):
            return asked.result
        self._arriving = Deferred.fromCoroutine(asked)
        try:
            return await self._arriving
        except CancelledError:
            return False
        finally:
            self._arriving = None

    async def _writable(self) -> None:
        if self._flowing is not None:
            await self._flowing

    def _write_piece(self) -> int | None:
        """Returns how many bytes were written; None where the socket takes none now, and `_writable` is to be waited for."""
        most = PIECE_BYTES if self._pacing is None else PACED_PIECE_BYTES
        most = most if self._length is None else min(most, self._length - self.sent)
        span = None if self._socket is None else self._reader.span(self._offset, most)
        if self._socket is not None and span is not None:
            return self._send(self._socket, span)
        piece = self._reader.read(self._offset, most)
        if piece:
            self._count(len(piece))
            write_body(self._request, b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
        return len(piece)

    def _send(self, socket: Connection, span: Span) -> int | None:
        """Has the kernel send a part of the file, once everything that was written before is out."""
        if not span.length:
            return 0
        sent = None
        if not has_unsent(socket):
            with contextlib.suppress(BlockingIOError):
                sent = os.sendfile(socket.fileno(), span.descriptor, self._offset, span.length)
                self._count(sent)
        if sent in (None, PIECE_BYTES):  # there may be much more, and other clients have their turn first
            self.pauseProducing()
            resume_when_writable(socket)
        return sent

    def _count(self, written: int) -> None:
        self._offset += written
        self.sent += written

    async def _pace(self, count: int) -> None:
        """Waits until the limit lets more be sent; ends when the client leaves."""
        wait = 0.0 if self._pacing is None else self._pacing.take(count)
        if self._pacing is None or wait <= 0:
            return
        self._pausing = deferLater(self._pacing.clock, wait)
        try:
            await self._pausing
        except CancelledError:
            return
        finally:
            self._pausing = None

    def _end(self) -> None:
        if self._gone:
            return
        self.complete = self._reader.whole if self._length is None else self.sent == self._length
        if not self.complete:
            abort(self._request)
        elif self._chunked:
            write_body(self._request, b"0\r\n\r\n")
