"""Connections on which other hosts can't send endless headers, and which they can't hold open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, BrowserLikePolicyForHTTPS, HostnameCachingHTTPSPolicy
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from pacserve.errors import RemoteProtocolError
from pacserve.fetch.twisted_internals import permit_lines
from pacserve.fetch.urls import literal_address
from pacserve.network.sockets import NO_MARK, has_unread, set_low_water_mark


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """
    The headers that an answer may have.

    Attributes:
        line: Bytes of one line.
        total: Bytes of all of them, interim answers included.
    """

    line: int
    total: int


# nginx and Apache send some 300 bytes of headers, a CDN some 2,000, and some far more in one line.  Mirrors are read as curl reads them for pacman
# (CURL_MAX_HTTP_HEADER, MAX_HTTP_RESP_HEADER_SIZE); a pacserve sends a few hundred bytes.
MIRROR_HEADERS = HeaderLimits(line=100 << 10, total=300 << 10)
PEER_HEADERS = HeaderLimits(line=16 << 10, total=64 << 10)

# Seconds from closing a connection until it is aborted: under TLS the other side has to agree to a close.
CLOSE_TIMEOUT = 2.0
# Seconds for the TCP handshake with one address.
CONNECT_TIMEOUT = 5.0
# TLS contexts that an agent keeps, one for each host: each takes some 1 MB, and 8 ms to read the system's certificates.
_TLS_CONTEXTS = 4

# Bytes of one read: each read of a large file costs a run through all code that handles it.  A connection that begins with smaller ones stays with
# them, since the kernel sizes its window by what is taken at once.
READ = 512 * 1024
# Rate limits need smaller ones, since no limit holds back the last read of a body: at least so many bytes, and what a limit permits in so many
# seconds.  These are more than `LONG_PAUSE`, once in which a slow source is read, or the reads would be the limit.
READ_LIMITED = 16 * 1024
_READ_LIMITED_SECONDS = 0.05


def read_of(limit: int | None) -> int:
    """
    Returns how much is read at once of what comes in under a limit.

    Args:
        limit: Bytes per second; None for no limit.
    """
    return READ if limit is None else min(READ, max(READ_LIMITED, int(limit * _READ_LIMITED_SECONDS)))


class _BoundedProtocol(ProtocolWrapper):
    """
    Counts the bytes from a request on until Twisted pauses the connection, which it does between the headers and a body.

    After a HEAD no body follows, so everything counts.

    While a body is paused the other side hears of each byte as if it were read (ADR 31), up to the size of one read.
    """

    transport: Any
    _below: Any  # the transport that reads from the socket, which is another one under TLS
    _mark = NO_MARK
    _received = 0
    _in_headers = False
    _refused: Exception | None = None
    _closing: IDelayedCall | None = None

    @property
    def _bounds(self) -> _BoundingFactory:
        """The factory, which Twisted's types don't know better."""
        assert isinstance(self.factory, _BoundingFactory)  # noqa: S101
        return self.factory

    def makeConnection(self, transport: Any) -> None:  # noqa: N802
        self._below = transport
        while isinstance(self._below, ProtocolWrapper):
            self._below = self._below.transport
        self._below.bufferSize = self._bounds.read
        super().makeConnection(transport)

    def writeSequence(self, data: Any) -> None:  # noqa: N802
        self._begin()
        super().writeSequence(data)

    def write(self, data: bytes) -> None:
        self._begin()
        super().write(data)

    def pauseProducing(self) -> None:  # noqa: N802
        if self._in_headers:
            # They have ended.  The protocol that takes the body has limits of its own.
            self._in_headers = False
        else:
            self._set_mark(self._bounds.read)
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802
        self._set_mark(NO_MARK)  # or fewer bytes would not be read, nor the next answer
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._refused is not None:
            return
        limits = self._bounds.headers
        if self._in_headers:
            permit_lines(self.wrappedProtocol, limits.line)
        super().dataReceived(data)
        self._received += len(data)
        if self._in_headers and self._received > limits.total:
            self._refused = RemoteProtocolError(f"headers of more than {limits.total >> 10} KiB")
            self.transport.abortConnection()

    def loseConnection(self) -> None:  # noqa: N802
        super().loseConnection()
        if self._closing is None:
            self._closing = self._bounds.clock.callLater(CLOSE_TIMEOUT, self._abort)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        super().connectionLost(reason if self._refused is None else Failure(self._refused))

    def _begin(self) -> None:
        """
        Gets ready for the answer to a request that is being written.

        On a connection that was used before, bytes that nobody has asked for would be taken for the answer.  It is ended instead, and Twisted asks
        again on a new one.  Under TLS there are bytes of its own, such as session tickets.
        """
        if self._received and isinstance(self.transport, Connection) and has_unread(self.transport.getHandle().fileno()):
            self.transport.abortConnection()
        self._received = 0
        self._in_headers = True

    def _set_mark(self, mark: int) -> None:
        if mark != self._mark and isinstance(self._below, Connection) and self._below.connected:
            self._mark = mark
            set_low_water_mark(self._below.getHandle(), mark)

    def _abort(self) -> None:
        self.transport.abortConnection()


if TYPE_CHECKING:
    _Factory = WrappingFactory[_BoundedProtocol]
else:
    _Factory = WrappingFactory  # in Twisted before 25.5 it takes no type


class _BoundingFactory(_Factory):
    """Builds `_BoundedProtocol`s, and logs nothing about starting and stopping."""

    protocol = _BoundedProtocol
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, clock: IReactorTime, read: int, headers: HeaderLimits) -> None:
        super().__init__(wrapped)
        self.clock = clock
        self.read = read
        self.headers = headers

    def doStart(self) -> None:  # noqa: N802
        pass  # nothing is to be started, and the factory inside would log its start

    def doStop(self) -> None:  # noqa: N802
        pass  # nothing is to be stopped


@implementer(IStreamClientEndpoint)
class BoundedEndpoint:
    """
    Connects by another endpoint, with limits for HTTP/1.1 clients.

    Headers of more than the limit end the connection with a `RemoteProtocolError`, and a closed connection is aborted after `CLOSE_TIMEOUT`.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, clock: IReactorTime, read: int = READ, headers: HeaderLimits = MIRROR_HEADERS) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._read = read
        self._headers = headers

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        def unwrapped(protocol: Any) -> IProtocol:
            inside: IProtocol = protocol.wrappedProtocol
            return inside

        return self._endpoint.connect(_BoundingFactory(protocolFactory, self._clock, self._read, self._headers)).addCallback(unwrapped)


def tcp_endpoint(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """
    Returns an endpoint for a host.  Addresses are not looked up, and link-local ones keep their zone, which a lookup would lose.

    Args:
        reactor: Provides what `HostnameEndpoint` needs: IReactorTCP, IReactorTime and IReactorPluggableNameResolver.
    """
    address = literal_address(host)
    if address is None:
        return HostnameEndpoint(reactor, host, port, timeout=CONNECT_TIMEOUT)
    if address.version == 4:
        return TCP4ClientEndpoint(reactor, str(address), port, timeout=CONNECT_TIMEOUT)
    return TCP6ClientEndpoint(reactor, host, port, timeout=CONNECT_TIMEOUT)


@implementer(IAgentEndpointFactory)
class Endpoints:
    """
    Makes the endpoints of an agent that connects directly to the host of the URL.

    Args:
        policy: The TLS policy; None for the system's trusted certificates, which are read at the first connection to an https host.
        read: The most bytes that one read takes.
        headers: The headers that an answer may have.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None = None, read: int = READ, headers: HeaderLimits = MIRROR_HEADERS) -> None:
        self._reactor = reactor
        self._read = read
        self._headers = headers
        self._policy = policy or HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS(), cacheSize=_TLS_CONTEXTS)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        endpoint = self.tcp(uri)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return BoundedEndpoint(endpoint, self._reactor, self._read, self._headers)

    def tcp(self, uri: URI) -> IStreamClientEndpoint:
        """Returns the endpoint below TLS."""
        return tcp_endpoint(self._reactor, uri.host.decode("ascii").replace("%25", "%"), uri.port)
