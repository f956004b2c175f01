"""Tests for `pacserve.fetch.tunnel`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as RefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.proxy import Proxy
from pacserve.fetch.tunnel import ProxyEndpoint, TunnelEndpoint


class Inside(Protocol):
    """What speaks through the tunnel."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self.lost = True


class Wire(StringTransportWithDisconnection):
    """A connection that tells whether it was dropped."""

    aborted = False

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True
        super().abortConnection()


@implementer(IStreamClientEndpoint)
class Outside:
    """Connects at once to a proxy that the test plays, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.wire = Wire()
        self.protocol: Any = None

    def connect(self, protocolFactory: Any) -> Deferred[Any]:  # noqa: N803
        """Connects."""
        connected: Deferred[Any] = Deferred()
        if self.failure is not None:
            connected.errback(self.failure)
            return connected
        self.protocol = protocolFactory.buildProtocol(None)
        self.wire.protocol = self.protocol
        self.protocol.makeConnection(self.wire)
        connected.callback(self.protocol)
        return connected


class TunnelTests(SynchronousTestCase):
    def open(self, host: str = "a.example", authorization: str | None = None) -> tuple[Outside, Deferred[Any]]:
        """Begins to open a tunnel."""
        outside = Outside()
        endpoint = TunnelEndpoint(outside, Proxy("p", 3128, authorization), host, 443)
        return outside, endpoint.connect(Factory.forProtocol(Inside))

    def test_open(self) -> None:
        """After a 2xx the protocol inside has the connection for itself, in both directions and to the end."""
        outside, opening = self.open(authorization="Basic xyz")
        self.assertEqual(outside.wire.value(), b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic xyz\r\n\r\n")
        outside.protocol.dataReceived(b"HTTP/1.1 200 Connection est")
        self.assertNoResult(opening)
        outside.protocol.dataReceived(b"ablished\r\nVia: p\r\n\r\n")
        inside: Inside = self.successResultOf(opening)
        self.assertIs(inside.transport, outside.wire)
        outside.protocol.dataReceived(b"hello")
        outside.wire.loseConnection()
        self.assertEqual((inside.heard, inside.lost), (b"hello", True))

    def test_ipv6(self) -> None:
        """An IPv6 address is put into brackets."""
        outside, _ = self.open("fd77::1")
        self.assertTrue(outside.wire.value().startswith(b"CONNECT [fd77::1]:443 HTTP/1.1\r\n"))

    def test_refused(self) -> None:
        """A proxy that refuses is named with its status, and let go."""
        for status in (b"403", b"407", b"502"):
            outside, opening = self.open()
            outside.protocol.dataReceived(b"HTTP/1.1 " + status + b" No\r\nContent-Length: 5\r\n\r\nsorry")
            self.assertEqual(str(self.failureResultOf(opening, FetchError).value), f"proxy: {status.decode()}")
            self.assertTrue(outside.wire.aborted)

    def test_garbage(self) -> None:
        """What is no HTTP, never ends, or goes on where the client must speak first is refused."""
        for answer in (b"SSH-2.0\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n\x16", b"a" * 20_000):
            outside, opening = self.open()
            outside.protocol.dataReceived(answer)
            self.failureResultOf(opening, RemoteProtocolError)
            self.assertTrue(outside.wire.aborted)

    def test_lost(self) -> None:
        """A proxy that closes the connection is a failure."""
        outside, opening = self.open()
        outside.protocol.connectionLost(connectionDone)
        self.assertEqual(str(self.failureResultOf(opening, FetchError).value), "proxy: connection closed")

    def test_cancelled(self) -> None:
        """Who gives up waiting drops the connection to the proxy."""
        outside, opening = self.open()
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertTrue(outside.wire.aborted)

    def test_unreachable_proxy(self) -> None:
        """When the proxy can't be reached the message says that it was the proxy."""
        connecting = ProxyEndpoint(Outside(RefusedError())).connect(Factory())
        self.assertEqual(str(self.failureResultOf(connecting, FetchError).value), "proxy: connection refused")

    @given(st.lists(st.binary(max_size=40), max_size=5))
    def test_any_answer(self, pieces: list[bytes]) -> None:
        """Whatever a proxy answers: the tunnel opens, fails, or waits for more."""
        outside, opening = self.open()
        outcome: list[Any] = []
        opening.addBoth(outcome.append)
        for piece in pieces:
            outside.protocol.dataReceived(piece)
        if outcome and isinstance(outcome[0], Failure):
            outcome[0].trap(FetchError)
