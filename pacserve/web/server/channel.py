"""One HTTP/1 connection of a client, with bounds for everything that the client can make long, many or slow."""

from __future__ import annotations

import enum
from collections.abc import Callable
from http import HTTPStatus

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.resource import IResource

from pacserve.http.heads import ends_connection
from pacserve.web.server.connections import ClientConnection, Connections, Visitor
from pacserve.web.server.pipeline import Ahead, Pipeline, too_many
from pacserve.web.server.sockets import Flusher, Outgoing, has_unread, outgoing
from pacserve.web.server.turns import Turns
from pacserve.web.server.twisted_internals import BareChannel

LONGEST_LINE = 8192
"""Bytes of the request line or of one header: what nginx and Apache allow, and far more than pacman or a peer send."""

MOST_HEADERS = 100
"""Headers of a request: browsers send about 20."""

MOST_HEADER_BYTES = 16384
"""All headers of a request together."""

HEAD_TIMEOUT = 15.0
"""Seconds from the beginning of a connection, or from the first byte of a further request, to the end of its head."""

IDLE_TIMEOUT = 60.0
"""Seconds that a connection is kept between two requests."""

RETIRED_IDLE_TIMEOUT = 0.5
"""The same when the daemon is to end.  A client sends its first request as soon as it is connected, and pacman asks for a signature as soon as it has
the package: after this time none is on its way."""

STALL_TIMEOUT = 60.0
"""Seconds in which a client must acknowledge at least one byte of those that wait for it."""

CLOSE_TIMEOUT = 6.0
"""Seconds that a client has to close, after it was told that its request is refused, or after this side closed."""

_MOST_DISCARDED_BYTES = 1024 * 1024
"""Bytes of a refused request that are read, so that its client gets to see the answer: closing with unread bytes would reset the connection."""


_OWN_ADDRESS = IPv4Address("TCP", "", 0)
"""This end of every connection, for Twisted, which asks for it with each request.  It is never used, and asking the kernel takes time."""


class Phase(enum.Enum):
    """The state of a connection."""

    FRESH = "nothing came yet"
    IDLE = "between two requests"
    HEAD = "a request's head is arriving"
    RESPONSE = "a request is being answered"
    REFUSED = "the client was told to go"
    CLOSING = "closed by this side, what is left is being sent"


_TIMEOUTS = {
    Phase.FRESH: HEAD_TIMEOUT,
    Phase.IDLE: IDLE_TIMEOUT,
    Phase.HEAD: HEAD_TIMEOUT,
    Phase.RESPONSE: STALL_TIMEOUT,
    Phase.REFUSED: CLOSE_TIMEOUT,
    Phase.CLOSING: CLOSE_TIMEOUT,
}


class Channel(BareChannel, ClientConnection):
    """
    An HTTP/1 connection.

    Twisted starts a timer for each request; here `Connections` checks all of them, which also gives the head of a request an absolute deadline: a
    byte now and then does not extend it.  Requests with a body are refused before a byte of it is kept.

    One request is answered in a turn of the reactor, however many have arrived: others have their turn before the next one.  A resource that has an
    `ahead` is told of those that wait while an answer takes its time.
    """

    MAX_LENGTH = LONGEST_LINE
    totalHeadersSize = 2 * MOST_HEADER_BYTES  # noqa: N815  # only for folded lines, which headerReceived sees when they have ended
    _log = Logger()

    def __init__(
        self,
        resource: IResource,
        visitor: Visitor,
        connections: Connections,
        flusher: Flusher,
        turns: Turns,
        measure: Callable[[object], Outgoing | None] = outgoing,
    ) -> None:
        """
        Begins with a connection on which nothing has arrived yet.

        Args:
            resource: Its `render` answers every request, and finishes it itself, now or later.
            measure: Returns how many of the transport's bytes the client has taken.
        """
        super().__init__()
        self.resource = resource
        self._visitor = visitor
        self._connections = connections
        self._flusher = flusher
        self._turns = turns
        self._measure = measure
        self._phase = Phase.FRESH
        self._since: float | None = None  # set by the first check after a change, which costs a request less than asking the clock
        self._acknowledged = -1
        self._headers = 0
        self._header_bytes = 0
        self._discarded = 0
        self._retired = False
        self._congested = False
        self._receiving = False
        self._flooding = False  # more has arrived than is answered: the connection ends after this response
        self._waiting = False
        self._flushable: Connection | None = None
        self._done: Request | None = None  # the request that was answered, until the next one may follow
        self._peer: IAddress | None = None
        ahead: Ahead | None = getattr(resource, "ahead", None)
        self._pipeline = None if ahead is None else Pipeline(ahead, visitor.address)

    @property
    def visitor(self) -> Visitor:
        return self._visitor

    @property
    def idle(self) -> bool:
        return self._phase is not Phase.RESPONSE or self._done is not None

    @property
    def quiet(self) -> bool:
        sent = self._measure(self.transport)
        return self._done is None and not has_unread(self.transport) and (sent is None or not sent.waiting)

    # The connection begins and ends.

    def connectionMade(self) -> None:  # noqa: N802
        super().connectionMade()
        if isinstance(self.transport, Connection) and not ISSLTransport.providedBy(self.transport):
            self._flushable = self.transport
            if not self._visitor.own:
                self._turns.share(self.transport)
        self._connections.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self._done = None
        self._connections.remove(self)
        super().connectionLost(reason)

    def getPeer(self) -> IAddress:  # noqa: N802
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:  # noqa: N802
        return _OWN_ADDRESS

    # A request arrives.

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        elif self._phase is Phase.FRESH:
            self._phase = Phase.HEAD  # its time runs since the connection began
        elif self._phase is Phase.REFUSED:
            self._discarded += len(data)
            if self._discarded > _MOST_DISCARDED_BYTES:
                self._close()
            return
        elif self._flooding:
            return
        allowance = self._visitor.allowance
        began = 0.0 if allowance is None else self._turns.cpu_seconds()
        self._receiving = True
        try:
            super().dataReceived(data)
            if self.waiting_bytes:
                self._look_behind(b"".join(self.waiting_bytes))
        finally:
            self._receiving = False
        if allowance is not None:
            allowance.use(0, self._turns.cpu_seconds() - began)
        if self._done is not None:
            self._proceed()

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if self.has_request_line else HTTPStatus.REQUEST_URI_TOO_LONG)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802
        if self._phase is Phase.REFUSED:
            return False
        self._headers += 1
        self._header_bytes += len(line)
        if self._headers > MOST_HEADERS or self._header_bytes > MOST_HEADER_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return False
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of more digits than Python reads
            self._refuse(HTTPStatus.BAD_REQUEST)
            return False

    def allHeadersReceived(self) -> None:  # noqa: N802
        self._headers = self._header_bytes = 0
        if self.announces_body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        super().allHeadersReceived()
        if self._retired:
            self.close_afterwards()

    def checkPersistence(self, request: Request, version: bytes) -> bool:  # noqa: N802
        return version == b"HTTP/1.1" and not any(map(ends_connection, request.requestHeaders.getRawHeaders(b"Connection", ())))

    def allContentReceived(self) -> None:  # noqa: N802
        self._enter(Phase.RESPONSE)
        if self._visitor.allowance is not None:
            self._visitor.allowance.use(1, 0.0)
        if self._pipeline is not None:
            self._pipeline.next()
        super().allContentReceived()

    def _look_behind(self, waiting: bytes) -> None:
        """Looks at what has arrived behind the request that is being answered."""
        if too_many(waiting):
            self._flooding = True
            self.waiting_bytes.clear()
            return
        # A request that was answered at once is followed by the next one in a moment.
        if self._pipeline is None or self._phase is not Phase.RESPONSE or self._done is not None:
            return
        allowance = self._visitor.allowance
        if self.stays_open and not self._retired and (allowance is None or allowance.wait(self._turns.seconds()) <= 0):
            self._pipeline.look(waiting)

    # A response goes out.

    def write(self, data: bytes) -> None:
        self.transport.write(data)
        if self._flushable is not None:
            self._flusher.add(self._flushable)

    def requestDone(self, request: Request) -> None:  # noqa: N802
        self._done = request
        if not self._receiving:  # else what has arrived behind the request is still on its way to where it waits
            self._proceed()

    def pauseProducing(self) -> None:  # noqa: N802
        self._congested = True
        super().pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802
        self._congested = False
        super().resumeProducing()
        if not self._receiving:
            self._proceed()

    def _proceed(self, *, in_turn: bool = False) -> None:
        """
        Goes on to the next request, or has that done later.

        Args:
            in_turn: True if it is this connection's turn.
        """
        request = self._done
        if request is None or self._waiting:
            return
        if self.stays_open:
            if self._congested or self._waits(in_turn):
                return
            self._enter(Phase.IDLE)
        self._done = None
        super().requestDone(request)

    def _waits(self, in_turn: bool) -> bool:
        """
        Returns whether the next request must wait.

        It does until this client takes what it has asked for before, until its host may use more of this one, and until others had their turn.
        """
        if self._flooding:
            self._done = None
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
            return True
        allowance = self._visitor.allowance
        if in_turn or not (self.waiting_bytes or (allowance is not None and allowance.wait(self._turns.seconds()) > 0)):
            return False
        self._waiting = True
        self._turns.next(allowance, self._go_on)
        return True

    def _go_on(self) -> None:
        self._waiting = False
        self._proceed(in_turn=True)

    # The connection is looked after.

    def check(self, now: float) -> None:
        if self._since is None or (self._phase is Phase.RESPONSE and not self._stalls()):
            self._since = now
        elif now - self._since > (RETIRED_IDLE_TIMEOUT if self._retired and self._is_silent else _TIMEOUTS[self._phase]):
            self._time_out()

    def retire(self) -> None:
        self._retired = True
        allowance = self._visitor.allowance
        if self._waiting and allowance is not None and allowance.wait(self._turns.seconds()) > 0:
            self.close_afterwards()  # the end of the daemon does not wait for a host that has used too much of it
            self._waiting = False
            self._proceed()
        elif self._phase is Phase.RESPONSE and not self.response_has_begun:
            self.close_afterwards()  # otherwise the client was told that it may ask again, and the answer to that says that it is the last

    def abort(self) -> None:
        self.transport.abortConnection()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = None

    @property
    def _is_silent(self) -> bool:
        """True if nothing of a request has been read."""
        return self._phase in (Phase.FRESH, Phase.IDLE)

    def _stalls(self) -> bool:
        """Returns whether bytes wait for the client, and it has acknowledged none since the last check."""
        now = self._measure(self.transport)
        if now is None:
            return False
        before, self._acknowledged = self._acknowledged, now.acknowledged
        return now.waiting > 0 and now.acknowledged == before

    def _time_out(self) -> None:
        if self._is_silent and has_unread(self.transport):
            return  # a request came in this turn of the reactor, and closing would reset the connection
        self._log.debug("{client} took too long: {phase}", client=self._visitor.address, phase=self._phase.value)
        if self._phase is Phase.HEAD:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._phase in (Phase.RESPONSE, Phase.CLOSING):
            self.transport.abortConnection()
        else:
            self._close()

    def _close(self) -> None:
        self._enter(Phase.CLOSING)
        self.loseConnection()

    def malformed(self) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answers a request that can't be accepted, and ends the connection in such a way that its client can read the answer."""
        if self._phase is Phase.REFUSED:
            return
        self._log.debug("{client} sent a request that is refused: {status}", client=self._visitor.address, status=status.value)
        body = f"{status.phrase}\n"
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.transport.write((head + body).encode("ascii"))
        self._enter(Phase.REFUSED)
        self.clearLineBuffer()
        self.setRawMode()
        close_writing = getattr(self.transport, "loseWriteConnection", None)
        if close_writing is None or self.isSecure():
            self._close()
        else:
            close_writing()
