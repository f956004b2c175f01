"""Tests for `pacserve.fetch.client`."""

import errno
import gzip
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IResponse
from twisted.web.resource import Resource
from twisted.web.server import Request
from zope.interface import implementer

from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.client import BodyAnswer, HeadAnswer, HTTPClient


class Page(Resource):
    """Answers with a fixed body, and remembers what it was asked with."""

    isLeaf = True  # noqa: N815

    def __init__(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        super().__init__()
        self.body, self.status, self.answered = body, status, headers
        self.asked: list[Headers] = []

    def render(self, request: Request) -> bytes:
        """Answers HEAD with the length that GET would have."""
        self.asked.append(request.requestHeaders.copy())
        request.setResponseCode(self.status)
        for name, value in self.answered.items():
            request.setHeader(name.replace("_", "-").encode(), value.encode())
        request.setHeader(b"Content-Length", str(len(self.body)).encode())
        return b"" if request.method == b"HEAD" else self.body


class Wire(StringTransport):
    """A connection that is under the test's hand."""

    aborted = False

    def abortConnection(self) -> None:  # noqa: N802
        """The connection was dropped."""
        self.aborted = True

    def loseConnection(self) -> None:  # noqa: N802
        """The connection was dropped."""
        self.aborted = True


@implementer(IAgentEndpointFactory)
class Wires:
    """Connects every request at once to a `Wire`."""

    def __init__(self) -> None:
        self.made: list[tuple[Protocol, Wire]] = []

    def endpointForURI(self, uri: object) -> "Wires":  # noqa: N802
        """Every place is the same."""
        return self

    def connect(self, factory: Factory) -> Deferred[Any]:
        """Connects."""
        address: IAddress | None = None
        protocol: Any = factory.buildProtocol(address)
        wire = Wire()
        protocol.makeConnection(wire)
        self.made.append((protocol, wire))
        connected: Deferred[Any] = Deferred()
        connected.callback(protocol)
        return connected


@implementer(IAgent)
class Silent:
    """An agent that never answers; what becomes of a cancelled request is given."""

    def __init__(self, *, on_cancel: Exception | None = None) -> None:
        self.cancelled = 0
        self.on_cancel = on_cancel

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Deferred[IResponse]:  # noqa: N803
        """Waits for ever."""

        def cancel(deferred: Deferred[IResponse]) -> None:
            self.cancelled += 1
            if self.on_cancel is not None:
                deferred.errback(Failure(self.on_cancel))

        return Deferred(cancel)


class ClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def wired(self) -> tuple[HTTPClient, Wires]:
        """A client on raw connections."""
        wires = Wires()
        clock: IReactorTime = self.clock
        agent = Agent.usingEndpointFactory(clock, wires, pool=HTTPConnectionPool(clock))
        return HTTPClient(agent, clock), wires

    def run_(self, coroutine: Coroutine[Deferred[Any], Any, Any]) -> Deferred[Any]:
        """Starts a coroutine."""
        return Deferred.fromCoroutine(coroutine)

    def head(self, answer: bytes) -> HeadAnswer:
        """What a client makes of the bytes of an answer to HEAD."""
        client, wires = self.wired()
        asked = self.run_(client.head("http://host.example/file", timeout=2))
        wires.made[0][0].dataReceived(answer)
        result: HeadAnswer = self.successResultOf(asked)
        return result

    def test_head(self) -> None:
        """A HEAD gives status, length and headers, and sends the client's own headers."""
        page = Page(b"12345", X_Thing="a")
        client = HTTPClient(RequestTraversalAgent(page), self.clock, {"Via": "1.1 pacserve-00"})
        answer = self.successResultOf(self.run_(client.head("http://host.example/file", timeout=2)))
        self.assertEqual((answer.status, answer.length, answer.header("x-thing"), answer.header("etag")), (200, 5, "a", None))
        self.assertEqual(page.asked[0].getRawHeaders("via"), ["1.1 pacserve-00"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_redirect_is_an_answer(self) -> None:
        """A redirect is handed back, not followed."""
        page = Page(b"", 302, Location="http://other.example/")
        answer = self.successResultOf(self.run_(HTTPClient(RequestTraversalAgent(page), self.clock).head("http://a.example/", timeout=2)))
        self.assertEqual((answer.status, answer.header("Location"), len(page.asked)), (302, "http://other.example/", 1))

    def test_get_is_raw(self) -> None:
        """The body of a GET arrives as it was transferred, its encoding still on it."""
        packed = gzip.compress(b"text")
        page = Page(packed, Content_Encoding="gzip")
        client = HTTPClient(RequestTraversalAgent(page), self.clock)
        headers = {"Accept-Encoding": "gzip", "If-None-Match": '"x"'}
        answer: BodyAnswer = self.successResultOf(self.run_(client.get("http://a.example/info", timeout=2, limit=100, headers=headers)))
        self.assertEqual((answer.status, answer.body, answer.header("content-encoding")), (200, packed, "gzip"))
        self.assertEqual(page.asked[0].getRawHeaders("if-none-match"), ['"x"'])

    def test_announced_too_long(self) -> None:
        """A body that is announced as longer than the limit is refused before a byte of it, and the connection dropped."""
        client, wires = self.wired()
        asked = self.run_(client.get("http://a.example/", timeout=2, limit=10))
        wires.made[0][0].dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n")
        self.assertIn("more than 10 bytes", str(self.failureResultOf(asked, RemoteProtocolError).value))
        self.assertTrue(wires.made[0][1].aborted)

    def test_arrives_too_long(self) -> None:
        """A body without a length is refused at the first byte above the limit."""
        client, wires = self.wired()
        asked = self.run_(client.get("http://a.example/", timeout=2, limit=10))
        protocol, wire = wires.made[0]
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n")
        self.assertNoResult(asked)
        protocol.dataReceived(b"1\r\nx\r\n")
        self.failureResultOf(asked, RemoteProtocolError)
        self.assertTrue(wire.aborted)

    def test_at_the_limit(self) -> None:
        """A body of exactly the limit is accepted."""
        client, wires = self.wired()
        asked = self.run_(client.get("http://a.example/", timeout=2, limit=10))
        wires.made[0][0].dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")
        self.assertEqual(self.successResultOf(asked).body, b"0123456789")

    def test_body_ends_early(self) -> None:
        """A connection that is lost in the body is a failure, not a short body."""
        client, wires = self.wired()
        asked = self.run_(client.get("http://a.example/", timeout=2, limit=10))
        protocol, _ = wires.made[0]
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(str(self.failureResultOf(asked, FetchError).value), "connection closed")

    def test_no_answer(self) -> None:
        """When the time is up the request is cancelled, and the message says how long was waited."""
        for on_cancel in (None, ConnectionLost(), ValueError("whatever")):
            agent = Silent(on_cancel=on_cancel)
            asked = self.run_(HTTPClient(agent, self.clock).head("http://a.example/", timeout=0.15))
            self.clock.advance(0.149)
            self.assertNoResult(asked)
            self.clock.advance(0.002)
            self.assertEqual(str(self.failureResultOf(asked, FetchError).value), "no answer within 0.15 s")
            self.assertEqual(agent.cancelled, 1)

    def test_slow_body(self) -> None:
        """One time covers headers and body: a body that dribbles does not get another."""
        client, wires = self.wired()
        asked = self.run_(client.get("http://a.example/", timeout=2, limit=10))
        protocol, wire = wires.made[0]
        self.clock.advance(1.5)
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0")
        self.clock.advance(0.4)
        protocol.dataReceived(b"1")
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.assertEqual(str(self.failureResultOf(asked, FetchError).value), "no answer within 2 s")
        self.assertTrue(wire.aborted)

    def test_cancelled(self) -> None:
        """A caller that cancels gets CancelledError, whatever twisted makes of it, and the request ends."""
        for on_cancel in (None, ConnectionLost()):
            agent = Silent(on_cancel=on_cancel)
            asked = self.run_(HTTPClient(agent, self.clock).head("http://a.example/", timeout=2))
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            self.assertEqual((agent.cancelled, self.clock.getDelayedCalls()), (1, []))

    def test_cancelled_on_the_wire(self) -> None:
        """A request that is cancelled while its answer is awaited aborts its connection."""
        client, wires = self.wired()
        asked = self.run_(client.head("http://a.example/", timeout=2))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(wires.made[0][1].aborted)

    def test_not_a_url(self) -> None:
        """What is no URL fails as a request, not as a defect."""
        for url in ("http://a.example/\u00fc", "http://a.example/a b", "ftp://a.example/", "http://a.example/\r\nX: y"):
            client = HTTPClient(RequestTraversalAgent(Page()), self.clock)
            self.failureResultOf(self.run_(client.head(url, timeout=2)), FetchError)

    def test_foreign_errors(self) -> None:
        """An error of the system, or of a library that is given a name, fails the request, at once or later; a defect stays one."""

        @implementer(IAgent)
        class Failing:
            def __init__(self, error: Exception, *, at_once: bool) -> None:
                self.error, self.at_once = error, at_once

            def request(self, *_: object) -> Deferred[IResponse]:
                if self.at_once:
                    raise self.error
                return fail(self.error)

        foreign = (
            (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
            (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection reset by peer"),
            (UnicodeError("label too long"), "no valid URL"),
        )
        for at_once in (True, False):
            for error, words in foreign:
                client = HTTPClient(Failing(error, at_once=at_once), self.clock)
                self.assertEqual(str(self.failureResultOf(self.run_(client.head("https://a_b.example/", timeout=2)), FetchError).value), words)
            client = HTTPClient(Failing(ZeroDivisionError(), at_once=at_once), self.clock)
            self.failureResultOf(self.run_(client.head("https://a.example/", timeout=2)), ZeroDivisionError)

    def test_password(self) -> None:
        """User and password of a URL are sent as Basic authentication, and not as part of the host."""
        client, wires = self.wired()
        asked = self.run_(client.head("http://a:b@host.example/x", timeout=2))
        sent = wires.made[0][1].value()
        self.assertIn(b"\r\nAuthorization: Basic YTpi\r\n", sent)
        self.assertIn(b"\r\nHost: host.example\r\n", sent)
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_zone_stays_here(self) -> None:
        """The zone of a link-local address is not sent to the peer."""
        client, wires = self.wired()
        asked = self.run_(client.head("http://[fe80::1%25eth0]:15678/info", timeout=2))
        self.assertIn(b"\r\nHost: [fe80::1]:15678\r\n", wires.made[0][1].value())
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_lengths(self) -> None:
        """Only one decimal number is a length: anything else counts as none stated."""
        for stated, expected in (
            (b"Content-Length: 42\r\n", 42),
            (b"Content-Length: 42\r\nContent-Length: 42\r\n", 42),
            (b"Content-Length: 42, 42\r\n", 42),
            (b"Content-Length: 42\r\nContent-Length: 43\r\n", None),
            (b"Content-Length: -1\r\n", None),
            (b"Content-Length: 4_2\r\n", None),
            (b"Content-Length: \xd9\xa1\r\n", None),
            (b"Content-Length: " + b"9" * 5000 + b"\r\n", None),
            (b"", None),
        ):
            answer = self.head(b"HTTP/1.1 200 OK\r\n" + stated + b"\r\n")
            self.assertEqual(answer.length, expected, stated)

    def test_garbage(self) -> None:
        """What is no HTTP is the other host's fault, and nothing is logged."""
        for answer in (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 200 OK\r\n continued\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
            b"HTTP/1.1 -200 OK\r\n\r\n",
            b"HTTP/1.1 999 OK\r\n\r\n",
            b"HTTP/x.y 200 OK\r\n\r\n",
        ):
            client, wires = self.wired()
            asked = self.run_(client.head("http://host.example/file", timeout=2))
            wires.made[0][0].dataReceived(answer)
            self.failureResultOf(asked, RemoteProtocolError)

    @given(st.binary(max_size=200), st.booleans())
    def test_any_bytes(self, noise: bytes, started: bool) -> None:
        """Whatever bytes come back: an answer, a FetchError, or a wait that ends in time."""
        answer = (b"HTTP/1.1 200 OK\r\n" if started else b"") + noise
        for ask in ("head", "get"):
            client, wires = self.wired()
            url = "http://host.example/file"
            asked = self.run_(client.head(url, timeout=2) if ask == "head" else client.get(url, timeout=2, limit=50))
            outcome: list[Any] = []
            asked.addBoth(outcome.append)
            wires.made[0][0].dataReceived(answer)
            self.clock.advance(2)
            if isinstance(outcome[0], Failure):
                outcome[0].trap(FetchError)
