"""File bodies that the kernel sends: sendfile(2) straight from the page cache into the socket."""

from __future__ import annotations

import errno
import os

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.web.http import HTTPChannel, Request
from zope.interface import implementer

from pacserve.errors import plain_reason
from pacserve.web.server.twisted_internals import return_transport, take_transport

BYTES_PER_TURN = 256 * 1024
"""Bytes that one client is sent before the others are: a small request beside 8 saturating downloads waits 1.4 ms (with 1 MiB 6.8 ms)."""

CLIENT_ERRORS = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""Errors that say something of the client, and nothing of the file."""


def sendfile_transport(request: Request) -> Connection | None:
    """Returns the connection of a request whose socket sendfile(2) can write to; None where there is TLS, or no socket."""
    transport: object = request.transport
    return transport if isinstance(transport, Connection) and not request.isSecure() else None


@implementer(IPullProducer)
class SendfileProducer:
    """
    Sends a part of a file as the transport's producer, in place of the channel.

    A pull producer is resumed exactly when the transport's own buffer is empty.  The response's head, which the channel wrote, is in the kernel by
    then, so that the socket may be written to without the transport.

    Attributes:
        left: Bytes that are still to be handed to the kernel.
    """

    _log = Logger()

    def __init__(self, channel: HTTPChannel, transport: Connection, descriptor: int, first: int, length: int) -> None:
        """
        Prepares a body; `run` sends it.

        Args:
            channel: The transport's producer, which takes its place again afterwards.
            descriptor: The file, which stays open until `run` has returned.
        """
        self._channel = channel
        self._transport = transport
        self._descriptor = descriptor
        self._offset = first
        self.left = length
        self._registered = False
        self._ended: Deferred[None] | None = Deferred()

    async def run(self) -> None:
        """Returns when everything was handed to the kernel, or when the connection is lost: then `left` is not zero."""
        ended = self._ended
        if ended is None:
            return
        take_transport(self._transport, self)  # resumes at once, while the head still waits in the transport's buffer
        self._registered = True
        self._transport.startWriting()  # resumes again when it does not wait any more
        await ended

    def resumeProducing(self) -> None:  # noqa: N802
        if not self._registered or self._ended is None:
            return
        try:
            sent = os.sendfile(self._transport.fileno(), self._descriptor, self._offset, min(self.left, BYTES_PER_TURN))
        except BlockingIOError:
            self._transport.startWriting()
            return
        except OSError as error:
            self._abort(error)
            return
        if not sent:
            self._abort(OSError(errno.ENODATA, "the file has become shorter"))
            return
        self._offset += sent
        self.left -= sent
        if self.left:
            self._transport.startWriting()
        else:
            self._finish()

    def stopProducing(self) -> None:  # noqa: N802
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.callback(None)

    def _finish(self) -> None:
        return_transport(self._transport, self._channel)
        self.stopProducing()

    def _abort(self, error: OSError) -> None:
        """Ends the connection, since the length of the body was promised."""
        if error.errno not in CLIENT_ERRORS:
            self._log.warn("a file could not be sent any further: {error}", error=plain_reason(error))
        self._transport.abortConnection()
