"""Connections to other hosts that can't be flooded with headers, nor held open by a host that does not let go."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, BrowserLikePolicyForHTTPS, HostnameCachingHTTPSPolicy
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from pacserve.errors import RemoteProtocolError
from pacserve.fetch.urls import literal_address

# Bytes of all headers of an answer: nginx and Apache send some 300, a CDN some 2,000.  Twisted bounds a line (16 KiB), but not their number.
HEADERS_LIMIT = 64 << 10
# Seconds from the wish to close a connection to its abortion: under TLS the other side would have to agree.
CLOSE_TIMEOUT = 2.0
# Seconds for the TCP handshake with one address.
CONNECT_TIMEOUT = 5.0
# TLS contexts that an agent keeps, one for each host, each some 1 MB and 8 ms of reading the system's certificates.
_TLS_CONTEXTS = 4


# Bytes that are read at once: each read of a large file costs a turn of everything that handles it.  Less where the flow is limited, or all that may
# come in many seconds would come at once.
READ = 512 * 1024
READ_LIMITED = 16 * 1024


class _BoundedProtocol(ProtocolWrapper):
    """
    Counts what arrives from a request on until twisted pauses the connection, which it does where the headers end and a body begins.  After a HEAD no
    body begins, so that everything counts.
    """

    transport: Any
    _received = 0
    _in_headers = False
    _refused: Exception | None = None
    _closing: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:  # noqa: N802
        if isinstance(self.factory, _BoundingFactory):
            transport.bufferSize = self.factory.read
        super().makeConnection(transport)

    def writeSequence(self, data: Any) -> None:  # noqa: N802
        self._begin()
        super().writeSequence(data)

    def write(self, data: bytes) -> None:
        self._begin()
        super().write(data)

    def pauseProducing(self) -> None:  # noqa: N802
        """The headers are over: whoever takes the body bounds it."""
        self._in_headers = False
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._refused is not None:
            return
        super().dataReceived(data)
        self._received += len(data)
        if self._in_headers and self._received > HEADERS_LIMIT:
            self._refused = RemoteProtocolError(f"headers of more than {HEADERS_LIMIT >> 10} KiB")
            self.transport.abortConnection()

    def loseConnection(self) -> None:  # noqa: N802
        super().loseConnection()
        if self._closing is None and isinstance(self.factory, _BoundingFactory):
            self._closing = self.factory.clock.callLater(CLOSE_TIMEOUT, self._abort)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        super().connectionLost(reason if self._refused is None else Failure(self._refused))

    def _begin(self) -> None:
        self._received = 0
        self._in_headers = True

    def _abort(self) -> None:
        self.transport.abortConnection()


class _BoundingFactory(WrappingFactory[_BoundedProtocol]):
    """Builds `_BoundedProtocol`s, and logs nothing about starting and stopping."""

    protocol = _BoundedProtocol
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, clock: IReactorTime, read: int) -> None:
        super().__init__(wrapped)
        self.clock = clock
        self.read = read

    def doStart(self) -> None:  # noqa: N802
        """Nothing is to be started, and the factory inside would say so in the log."""

    def doStop(self) -> None:  # noqa: N802
        """Nothing is to be stopped."""


@implementer(IStreamClientEndpoint)
class BoundedEndpoint:
    """
    Connects by another endpoint, for HTTP/1.1 clients: an answer whose headers are longer than `HEADERS_LIMIT` ends the connection with a
    `RemoteProtocolError`, and a connection that was closed is gone after `CLOSE_TIMEOUT` whatever the other side does.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, clock: IReactorTime, read: int = READ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._read = read

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        def unwrapped(protocol: Any) -> IProtocol:
            inside: IProtocol = protocol.wrappedProtocol
            return inside

        return self._endpoint.connect(_BoundingFactory(protocolFactory, self._clock, self._read)).addCallback(unwrapped)


def tcp_endpoint(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """
    Connects to a host.  Addresses are not looked up, and link-local ones keep their zone, which a lookup would lose.

    Args:
        reactor: What `HostnameEndpoint` needs: IReactorTCP, IReactorTime and IReactorPluggableNameResolver.
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
    Where an agent connects to: straight to the host of the URL.

    Args:
        policy: TLS, None for the system's trusted certificates.  They are read at the first connection to an https host, not before.
        read: Bytes that are read at once.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None = None, read: int = READ) -> None:
        self._reactor = reactor
        self._read = read
        self._policy = policy or HostnameCachingHTTPSPolicy(BrowserLikePolicyForHTTPS(), cacheSize=_TLS_CONTEXTS)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        endpoint = self.tcp(uri)
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return BoundedEndpoint(endpoint, self._reactor, self._read)

    def tcp(self, uri: URI) -> IStreamClientEndpoint:
        """Returns the connection below TLS."""
        return tcp_endpoint(self._reactor, uri.host.decode("ascii").replace("%25", "%"), uri.port)
