"""Tests for `pacserve.fetch.connections`."""

import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import HTTPClient
from pacserve.fetch.connections import (
    CLOSE_TIMEOUT,
    MIRROR_HEADERS,
    PEER_HEADERS,
    READ,
    READ_LIMITED,
    BoundedEndpoint,
    Endpoints,
    HeaderLimits,
    read_of,
)
from pacserve.fetch.gathering import LONG_PAUSE
from pacserve.fetch.rate import BURST_SECONDS
from pacserve.network.sockets import NO_MARK, has_unread, set_low_water_mark


class Wire(StringTransport):
    """A connection that does not close by itself, as under TLS when the other side does not agree."""

    aborted = False

    def abortConnection(self) -> None:  # noqa: N802
        """Dropped."""
        self.aborted = True


@implementer(IAgentEndpointFactory, IStreamClientEndpoint)
class Wires:
    """Connects at once; what is connected is under the test's hand."""

    def __init__(self, clock: Clock, limits: HeaderLimits = PEER_HEADERS) -> None:
        self.clock = clock
        self.limits = limits
        self.wire = Wire()
        self.protocol: Any = None

    def endpointForURI(self, uri: URI) -> BoundedEndpoint:  # noqa: N802
        """A bounded connection."""
        return BoundedEndpoint(self, self.clock, headers=self.limits)

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        """Connects, and starts the factory as the reactor does."""
        protocolFactory.doStart()
        self.protocol = protocolFactory.buildProtocol(None)
        self.protocol.makeConnection(self.wire)
        connected: Deferred[Any] = Deferred()
        connected.callback(self.protocol)
        return connected


class BoundedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ask(PEER_HEADERS)

    def ask(self, limits: HeaderLimits) -> None:
        """Asks hosts that may send so much."""
        self.wires = Wires(self.clock, limits)
        agent = Agent.usingEndpointFactory(self.clock, self.wires, pool=HTTPConnectionPool(self.clock))
        self.client = HTTPClient(agent, self.clock)

    def head(self) -> Deferred[Any]:
        """Asks by HEAD."""
        return Deferred.fromCoroutine(self.client.head("http://a.example/", timeout=5))

    def get(self, limit: int) -> Deferred[Any]:
        """Asks by GET."""
        return Deferred.fromCoroutine(self.client.get("http://a.example/", timeout=5, limit=limit))

    def flood(self, asked: Deferred[Any], piece: bytes) -> None:
        """The host sends as much as it can, until it is cut off."""
        sent = 0
        while not self.wires.wire.aborted:
            self.wires.protocol.dataReceived(piece)
            sent += len(piece)
            self.assertLess(sent, 2 * self.wires.limits.total)
        for _ in range(10):  # what was on its way
            self.wires.protocol.dataReceived(piece)
        self.wires.protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(str(self.failureResultOf(asked, RemoteProtocolError).value), f"headers of more than {self.wires.limits.total >> 10} KiB")

    def test_endless_headers(self) -> None:
        """Headers without an end are cut off."""
        for limits in (PEER_HEADERS, MIRROR_HEADERS):
            for ask in (self.head, lambda: self.get(10)):
                self.ask(limits)
                asked = ask()
                self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n")
                self.flood(asked, b"a: b\r\n" * 1000)

    def test_long_lines(self) -> None:
        """A header of a mirror may have 100 KB, of a peer 16, and all together no more than three times that."""
        for limits, size, taken in (
            (MIRROR_HEADERS, 20_000, True),
            (MIRROR_HEADERS, 100_000, True),
            (MIRROR_HEADERS, 110_000, False),
            (PEER_HEADERS, 16_000, True),
            (PEER_HEADERS, 20_000, False),
        ):
            for ask in (self.head, lambda: self.get(10)):
                self.ask(limits)
                asked = ask()
                self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nSet-Cookie: " + b"x" * size)
                self.assertEqual(self.wires.wire.disconnecting, not taken)
                if not taken:
                    self.wires.protocol.connectionLost(Failure(ConnectionAborted()))
                    self.failureResultOf(asked, FetchError)
                    continue
                self.wires.protocol.dataReceived(b"\r\nContent-Length: 2\r\n\r\n" + (b"" if ask == self.head else b"ab"))
                self.assertEqual(len(self.successResultOf(asked).header("Set-Cookie")), size)

    def test_endless_continues(self) -> None:
        """Interim answers without an end are cut off too."""
        self.flood(self.head(), b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    def test_large_body(self) -> None:
        """A body is not counted with the headers: whoever takes it bounds it."""
        asked = self.get(10 * PEER_HEADERS.total)
        self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (5 * PEER_HEADERS.total))
        for _ in range(5):
            self.wires.protocol.dataReceived(b"x" * PEER_HEADERS.total)
        self.assertEqual(len(self.successResultOf(asked).body), 5 * PEER_HEADERS.total)

    def test_read_size(self) -> None:
        """Reads are large from the first one on, and small where the speed is limited."""
        for read in (READ, READ_LIMITED):
            self.successResultOf(BoundedEndpoint(self.wires, self.clock, read).connect(Factory.forProtocol(Protocol)))
            wire: Any = self.wires.wire
            self.wires.protocol.dataReceived(b"few")
            self.assertEqual(wire.bufferSize, read)

    def test_read_size_below_tls(self) -> None:
        """Reads are as large under TLS, where what is connected is not what reads."""
        factory = TLSMemoryBIOFactory(optionsForClientTLS("a.example"), True, Factory.forProtocol(Protocol), clock=self.clock)
        tls: Any = factory.buildProtocol(None)
        wires: Any = Wires(self.clock)
        wire: Any = wires.wire
        tls.transport, wires.wire = wire, tls
        self.successResultOf(BoundedEndpoint(wires, self.clock, 12345).connect(Factory.forProtocol(Protocol)))
        self.assertEqual(wire.bufferSize, 12345)

    def test_read_size_of_limits(self) -> None:
        """Under a limit a read takes a moment of it, which is small beside the burst, and one in each pause is more than the limit permits."""
        self.assertEqual(read_of(None), READ)
        for limit in (64 << 10, 1 << 20, 5 << 20, 1 << 30):
            read = read_of(limit)
            self.assertGreater(read / LONG_PAUSE, min(1.2 * limit, READ / LONG_PAUSE - 1))
            self.assertLessEqual(read, max(READ_LIMITED, limit * BURST_SECONDS / 4))

    def test_each_answer_counts_anew(self) -> None:
        """A kept-alive connection may be used for ever."""
        for _ in range(100):
            asked = self.head()
            self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2000 + b"\r\n\r\n")
            self.assertEqual(self.successResultOf(asked).status, 200)
        self.assertFalse(self.wires.wire.aborted)

    def test_close_is_final(self) -> None:
        """A connection that was closed is aborted when the other side does not let go."""
        asked = self.get(1)
        self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.failureResultOf(asked, RemoteProtocolError)
        self.assertFalse(self.wires.wire.aborted)
        self.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.wires.wire.aborted)

    def test_close_in_time(self) -> None:
        """A connection that closed leaves no timer behind."""
        asked = self.get(1)
        self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.failureResultOf(asked, RemoteProtocolError)
        self.wires.protocol.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silence(self) -> None:
        """A request leaves no line in the log."""
        events: list[LogEvent] = []
        observer: Any = events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        asked = self.head()
        self.wires.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
        self.successResultOf(asked)
        self.assertEqual(events, [])


class Held(Connection):
    """A TCP connection of a reactor that does nothing by itself."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.aborted = False
        self.connected = True

    def write(self, data: bytes) -> None:
        """Sends nothing."""

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True

    def pauseProducing(self) -> None:  # noqa: N802
        """Reads nothing anyway."""

    def resumeProducing(self) -> None:  # noqa: N802
        """Reads nothing either."""

    def mark(self) -> int:
        """How many bytes the kernel waits for."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


class MarkTests(SynchronousTestCase):
    def setUp(self) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        self.host = Held(socket.create_connection(server.getsockname()))
        self.addCleanup(self.host.socket.close)
        other, _ = server.accept()
        self.addCleanup(other.close)

    def connect(self, connection: Any) -> Any:
        """A protocol's transport, bounded, on a connection."""
        connected = BoundedEndpoint(Connecting(connection), Clock(), READ_LIMITED).connect(Factory.forProtocol(Protocol))
        inside: Any = self.successResultOf(connected)
        return inside.transport

    def test_paused(self) -> None:
        """While a body is paused the kernel takes as much as one read without being asked, and any byte is readable after that, as a head is."""
        transport = self.connect(self.host)
        for _ in range(2):
            transport.write(b"GET / HTTP/1.1\r\n\r\n")
            transport.pauseProducing()
            self.assertEqual(self.host.mark(), NO_MARK)
            transport.resumeProducing()
            for _ in range(2):
                transport.pauseProducing()
                transport.pauseProducing()
                self.assertEqual(self.host.mark(), READ_LIMITED)
                transport.resumeProducing()
                self.assertEqual(self.host.mark(), NO_MARK)

    def test_paused_below_tls(self) -> None:
        """So it is under TLS."""
        factory = TLSMemoryBIOFactory(optionsForClientTLS("a.example"), True, Factory.forProtocol(Protocol), clock=Clock())
        tls: Any = factory.buildProtocol(None)
        tls.transport = self.host
        transport = self.connect(tls)
        transport.pauseProducing()
        self.assertEqual(self.host.mark(), READ_LIMITED)
        transport.resumeProducing()
        self.assertEqual(self.host.mark(), NO_MARK)

    def test_lost(self) -> None:
        """A connection that was lost has no socket any more, and may be paused all the same."""
        transport = self.connect(self.host)
        self.host.connected = False
        self.patch(self.host, "getHandle", lambda: self.fail("asked for its socket"))
        transport.pauseProducing()
        transport.resumeProducing()

    def test_no_mark(self) -> None:
        """Where the kernel has no such mark nothing is lost."""
        with socket.socket(socket.AF_UNIX) as unmarked:
            unmarked.close()
            set_low_water_mark(unmarked, READ)


class StaleTests(SynchronousTestCase):
    def test_stale_bytes(self) -> None:
        """A connection on which bytes have arrived that nobody asked for is ended when the next request is written, and used otherwise."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            for stale in (b"", b"HTTP/1.1 404 Not Found\r\n\r\n"):
                host = Held(socket.create_connection(server.getsockname()))
                other, _ = server.accept()
                with host.socket, other:
                    protocol = BoundedEndpoint(Connecting(host), Clock()).connect(Factory.forProtocol(Protocol))
                    self.assertFalse(host.aborted)
                    inside: Any = self.successResultOf(protocol)
                    inside.transport.write(b"GET / HTTP/1.1\r\n")
                    inside.transport.write(b"\r\n")
                    inside.transport.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
                    other.sendall(stale)
                    for _ in range(100):
                        if bool(stale) is has_unread(host.socket.fileno()):
                            break
                    inside.transport.write(b"GET / HTTP/1.1\r\n\r\n")
                    self.assertIs(host.aborted, bool(stale))


@implementer(IStreamClientEndpoint)
class Connecting:
    """Connects at once, by a connection that is there."""

    def __init__(self, connection: Held) -> None:
        self._connection = connection

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        """Returns the protocol on the connection."""
        protocol = protocolFactory.buildProtocol(None)
        protocol.makeConnection(self._connection)
        return succeed(protocol)


class EndpointsTests(SynchronousTestCase):
    def connect(self, url: bytes) -> tuple[str, int]:
        """Where the endpoint of a URL connects to."""
        reactor = MemoryReactorClock()
        pool = HTTPConnectionPool(reactor)
        Agent.usingEndpointFactory(reactor, Endpoints(reactor), pool=pool).request(b"HEAD", url)
        host, port, *_ = reactor.tcpClients[0]
        return host, port

    def test_addresses(self) -> None:
        """Addresses are connected to as they are, a link-local one with its zone."""
        self.assertEqual(self.connect(b"http://10.0.0.4:15678/x"), ("10.0.0.4", 15678))
        self.assertEqual(self.connect(b"https://[fd77::1]/x"), ("fd77::1", 443))
        self.assertEqual(self.connect(b"http://[fe80::1%25eth0]:15678/x"), ("fe80::1%eth0", 15678))
