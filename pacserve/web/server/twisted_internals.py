"""
Twisted's web server where it promises nothing: every private name and every undocumented behaviour that this package relies on.

The rest of the package uses the functions and classes here, so that a new Twisted is read against this file alone.  Its test checks that each name
exists with the signature that is relied on.
"""

from __future__ import annotations

import select
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IPullProducer, IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.posixbase import _ContinuousPolling
from twisted.internet.tcp import Connection, Port
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request
from zope.interface import implementer

_DONE = Failure(CONNECTION_DONE)


class BareRequest(Request):
    """
    A request without a body, given straight to the resource of its channel.

    `Request` would make a file for the body, parse cookies and arguments, and look for a site: none of it has a use here, and each costs time.
    """

    channel: Any

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        pass

    def parseCookies(self) -> None:  # noqa: N802
        pass

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        pass

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        self.method, self.uri, self.clientproto = command, path, version
        self.channel.resource.render(self)


class BareChannel(HTTPChannel):
    """
    Twisted's parser of HTTP/1 without its log and its timers: a `factory` would be told of every request, a `timeOut` would start a timer for each.

    Subclasses override further methods of `HTTPChannel` that have public names, and rely on when they are called: `headerReceived` for each header,
    `allHeadersReceived` at the end of a head, `allContentReceived` before a request is handled, `requestDone` when it was finished.

    Attributes:
        resource: Its `render` answers every request.
    """

    requestFactory = BareRequest  # noqa: N815
    factory = None
    timeOut = None  # noqa: N815
    resource: Any
    transport: Any

    @abstractmethod
    def malformed(self) -> None:
        """Refuses a request that Twisted can't parse, and ends the connection."""

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        self.malformed()

    def _send100Continue(self) -> None:  # noqa: N802
        """Sends nothing: a request without a body has nothing to go on with (RFC 9110, 10.1.1), and apt takes a 1xx for the answer."""

    @property
    def has_request_line(self) -> bool:
        """True if the request line of the request that arrives is complete."""
        return bool(self.requests)

    @property
    def waiting_bytes(self) -> list[bytes]:
        """The pieces that have arrived behind the request that is being answered."""
        return self._dataBuffer

    @property
    def announces_body(self) -> bool:
        """True if the head that has arrived says that a body follows; its length is None where it comes in chunks."""
        return bool(self.length != 0)

    @property
    def stays_open(self) -> bool:
        """True if the connection is kept after the response under way."""
        return bool(self.persistent)

    @property
    def response_has_begun(self) -> bool:
        """True if the head of the response under way was written."""
        return bool(self.requests) and response_has_begun(self.requests[0])

    def close_afterwards(self) -> None:
        """Has the connection closed after the response under way, of which its head tells the client."""
        self.persistent = 0


# Responses, which are written to the channel: `Request.write` and its header objects would cost a redirect a third of its time.


def begin_response(request: Request, status: int, head: bytes) -> None:
    """Writes the head of a response, and whatever follows it.  Without the mark `Request.finish` would write a head of its own."""
    request.code = status
    request.startedWriting = 1
    request.channel.write(head)


def response_has_begun(request: Request) -> bool:
    """Returns whether any of the response was written."""
    return bool(request.startedWriting)


def write_body(request: Request, data: bytes) -> None:
    """Writes bytes of a body as they are."""
    request.channel.write(data)


def stays_open(request: Request) -> bool:
    """Returns whether the connection is kept after the response to this request."""
    return bool(request.channel.persistent)


def close_after(request: Request) -> None:
    """Has the connection closed after the response to this request; to be called before its head is written."""
    request.channel.persistent = False


def abort(request: Request) -> None:
    """Ends the connection now, so that the client does not take what it has got for the whole."""
    transport: Any = request.transport
    transport.abortConnection()


# Transports.


def tcp_connection(transport: object) -> Connection | None:
    """Returns the TCP connection that a transport is, or that lies below it as below TLS; None where there is none, or it is lost."""
    connection = transport if isinstance(transport, Connection) else getattr(transport, "transport", None)
    return connection if isinstance(connection, Connection) and connection.connected else None


def flush(connection: Connection) -> None:
    """Writes what waits in a connection's buffer as the reactor would when the socket can be written to."""
    if not connection.connected:
        return
    why = connection.doWrite()
    if why is CONNECTION_DONE:  # it was to be closed after what was written
        connection.connectionLost(_DONE)
    elif why is not None:
        connection.startWriting()  # the reactor meets the error again, and knows what to do then


def take_transport(transport: Connection, producer: IPullProducer) -> None:
    """
    Makes a pull producer the transport's producer, in the place of the channel.

    It is resumed at once, while earlier writes may still wait in the transport's buffer, and from then on exactly when that buffer is empty.
    """
    transport.unregisterProducer()
    transport.registerProducer(producer, False)


def return_transport(transport: Connection, channel: HTTPChannel) -> None:
    """Makes the channel its transport's producer again, as it makes itself when the connection begins."""
    transport.unregisterProducer()
    transport.registerProducer(channel, True)
    channel.resumeProducing()  # it may have been paused when the transport was taken away


def has_unsent(connection: Connection) -> bool:
    """Returns whether bytes that were written to a connection wait in its own buffer: the socket must not be written to before these."""
    transport: Any = connection
    return bool(transport.dataBuffer or transport._tempDataBuffer)


def resume_when_writable(connection: Connection) -> None:
    """Has the push producer of a connection resumed, as after a pause, when its buffer is empty and its socket takes more; never at once."""
    connection.producerPaused = True
    connection.startWriting()


# Reactors.


@implementer(IReadDescriptor)
class NestedReactor(EPollReactor):
    """
    Watches sockets for another reactor, which sees all of them as one descriptor and leaves it to a function how many are served at a time.

    Of a reactor it has only the methods that sockets use: the registration for events, and `callLater`.
    """

    def __init__(self, outer: Any, serve: Callable[[NestedReactor], None]) -> None:
        """
        Begins to be watched by the outer reactor.

        Args:
            serve: Is called when at least one socket is ready; it calls `serve`.

        Raises:
            OSError: There is no descriptor for it.
        """
        # Not the initializer of the base class, which would make threads and pipes for a reactor that runs.
        self._poller = select.epoll()
        self._reads = set()
        self._writes = set()
        self._selectables = {}
        self._continuousPolling = _ContinuousPolling(self)
        self._outer = outer
        self._serve_some = serve
        outer.addReader(self)

    def serve(self, most: int) -> int:
        """Serves up to so many of the sockets that are ready, without waiting; returns how many were."""
        ready = self._poller.poll(0, most)
        for descriptor, event in ready:
            selectable = self._selectables.get(descriptor)
            if selectable is not None:  # one that was served before it may have closed it
                self._doReadOrWrite(selectable, descriptor, event)
        return len(ready)

    def fileno(self) -> int:
        """Returns the descriptor that the outer reactor watches."""
        return int(self._poller.fileno())

    def callLater(self, delay: float, *call: Any, **arguments: Any) -> Any:  # noqa: N802
        """Plans a call as the outer reactor does."""
        return self._outer.callLater(delay, *call, **arguments)

    def doRead(self) -> None:  # noqa: N802
        """Has the sockets served that are ready."""
        self._serve_some(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802
        """Does nothing: it ends with the process."""

    def logPrefix(self) -> str:  # noqa: N802
        """Returns the name that the outer reactor would log."""
        return "other hosts"


def move(descriptor: FileDescriptor, reactor: IReactorFDSet) -> None:
    """Has a connection that was just accepted watched by another reactor."""
    descriptor.stopReading()
    descriptor.reactor = reactor
    descriptor.startReading()


def accept_by(port: Port, accept: Callable[[Port], object]) -> None:
    """Has a function called whenever connections wait at a port; it calls `accept_some`."""
    listening: Any = port
    listening.doRead = partial(accept, port)


def accept_some(port: Port, most: int) -> bool:
    """Accepts up to so many connections; returns whether more may wait.  By itself a port takes 20 more each time, as long as there are any."""
    port.numberAccepts = most
    Port.doRead(port)
    return bool(port.numberAccepts > most)
