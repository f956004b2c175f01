"""Tests for `pacserve.web.bodies.following` and of what `pacserve.web.bodies.body` sends while it arrives."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.errors import RequestError
from pacserve.web.bodies import following
from pacserve.web.bodies.arriving import ArrivingFile, ArrivingReader, Span
from pacserve.web.bodies.body import Sent, send_stream
from pacserve.web.bodies.copying import PIECE_BYTES
from pacserve.web.bodies.pacing import Pacing
from pacserve.web.origins import Share
from pacserve.web.server.responses import Responder
from pacserve.web.server.site import Site
from tests.fakes.browser import Browser, site_of
from tests.fakes.sockets import HandReactor, Pair

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = os.urandom(1 << 20) * 3
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


class Growing(ArrivingFile, ArrivingReader):
    """
    A file that arrives by hand.

    Attributes:
        closed: How often a reader was done with it.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size
        self.data = b""
        self.ended = False
        self.failed = False
        self.closed = 0
        self.date: int | None = 784111777
        self.tag = '"tag"'
        self.cut_off = False
        self._waiting: list[Deferred[None]] = []

    @property
    def size(self) -> int | None:
        return self._size

    @property
    def modified(self) -> int | None:
        return self.date

    @property
    def etag(self) -> str:
        return self.tag

    @property
    def shares(self) -> Sequence[Share]:
        return [Share("mirror http://a", len(self.data))]

    def reader(self) -> ArrivingReader:
        return self

    def arrive(self, data: bytes = b"", *, end: bool = False) -> None:
        """More of it is there."""
        self.data += data
        self.ended = end
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def read(self, offset: int, size: int) -> bytes:
        return b"" if self.cut_off else self.data[offset : offset + size]

    def span(self, offset: int, size: int) -> Span | None:
        return None

    async def more(self, offset: int) -> bool:
        while offset >= len(self.data):
            if self.ended:
                return False
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        return True

    @property
    def whole(self) -> bool:
        return self.ended and not self.failed

    def close(self) -> None:
        self.closed += 1


class Stream(Resource):
    """Answers every request with a file that arrives."""

    isLeaf = True  # noqa: N815

    def __init__(self, file: Growing) -> None:
        super().__init__()
        self.file = file
        self.sent: list[Deferred[Sent]] = []
        self.pacing: Pacing | None = None
        self.ranges = True
        self._responder = Responder(lambda: 0.0)

    def render(self, request: Request) -> Any:
        """Answers."""
        self.sent.append(Deferred.fromCoroutine(send_stream(request, self._responder, self.file, self.pacing, ranges=self.ranges)))
        return NOT_DONE_YET


class FollowingTests(SynchronousTestCase):
    def open(self, size: int | None) -> None:
        """A file of this size of which nothing has arrived, and a client."""
        self.file = Growing(size)
        self.stream = Stream(self.file)
        self.browser = Browser(site_of(self.stream, Clock()))

    def sent(self) -> Sent:
        """Returns the response that was sent."""
        return self.successResultOf(self.stream.sent[-1])

    def test_while_it_arrives(self) -> None:
        """The head is sent at once, with the size that is known, and each piece when it is there."""
        self.open(6)
        self.browser.ask("/")
        head = self.browser.wire.value()
        self.assertIn(b"Content-Length: 6\r\n", head)
        self.assertIn(f"Last-Modified: {DATE}".encode(), head)
        self.assertTrue(head.endswith(b"\r\n\r\n"))
        self.file.arrive(b"abc")
        self.assertTrue(self.browser.wire.value().endswith(b"\r\n\r\nabc"))
        self.assertNoResult(self.stream.sent[-1])
        self.file.arrive(b"def")
        (response,) = self.browser.responses()
        self.assertEqual((response.status, response.body, self.sent(), self.file.closed), (200, b"abcdef", Sent(200, 6), 1))
        self.assertEqual(self.browser.get("/").body, b"abcdef")

    def test_ranges(self) -> None:
        """A range is answered exactly, as soon as it is there; what lies behind it is not waited for."""
        self.open(10)
        self.file.arrive(b"0123")
        self.browser.ask("/", "Range: bytes=2-5")
        self.file.arrive(b"456")
        (response,) = self.browser.responses()
        self.assertEqual((response.status, response.headers["content-range"], response.body), (206, "bytes 2-5/10", b"2345"))
        response = self.browser.get("/", "Range: bytes=10-")
        self.assertEqual((response.status, response.headers["content-range"]), (416, "bytes */10"))

    def test_no_ranges(self) -> None:
        """Where ranges are not to be answered all of the file is sent, and none is offered; whoever has it is told so as ever."""
        self.open(10)
        self.file.arrive(b"0123456789")
        self.assertEqual(self.browser.get("/").headers["accept-ranges"], "bytes")
        self.stream.ranges = False
        for header in ("Range: bytes=2-5", f"Range: bytes=2-\r\nIf-Range: {DATE}", "Range: bytes=10-"):
            response = self.browser.get("/", header)
            self.assertEqual((response.status, response.body), (200, b"0123456789"))
            self.assertNotIn("accept-ranges", response.headers)
        self.assertEqual(self.browser.get("/", "Range: bytes=2-", f"If-Modified-Since: {DATE}").status, 304)

    def test_head_and_validators(self) -> None:
        """Neither HEAD nor who has the file waits for it."""
        self.open(10)
        self.assertEqual(self.browser.get("/", method="HEAD").headers["content-length"], "10")
        self.assertEqual(self.browser.get("/", 'If-None-Match: "tag"').status, 304)

    def test_failed(self) -> None:
        """A file that fails ends the connection, so that the client does not take it for whole."""
        self.open(6)
        self.browser.ask("/")
        self.file.arrive(b"abc", end=True)
        self.assertTrue(self.browser.closed)
        self.assertEqual((self.sent(), self.file.closed), (Sent(200, 3, complete=False), 1))

    def test_no_size(self) -> None:
        """A file whose size is not known comes in chunks, so that only the last one says that this was all; the connection stays."""
        self.open(None)
        self.browser.ask("/", "Range: bytes=1-")
        self.file.arrive(b"abc")
        self.file.arrive(bytes(20))
        self.assertFalse(self.browser.wire.value().endswith(b"0\r\n\r\n"))
        self.file.arrive(end=True)
        head, _, body = self.browser.wire.value().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "))
        self.assertIn(b"Transfer-Encoding: chunked", head)
        self.assertNotIn(b"Content-Length", head)
        self.assertEqual(body, b"3\r\nabc\r\n14\r\n" + bytes(20) + b"\r\n0\r\n\r\n")
        self.assertEqual((self.browser.closed, self.sent()), (False, Sent(200, 23)))

    def test_no_size_and_old_client(self) -> None:
        """A client that knows no chunks gets nothing of a file that would have to end with the connection, but is told that there is one."""
        self.open(None)
        self.browser.ask("/", version="HTTP/1.0")
        self.assertEqual(self.failureResultOf(self.stream.sent[-1], RequestError).value.status, 505)
        self.assertEqual(self.browser.wire.value(), b"")
        self.browser = Browser(site_of(self.stream, Clock()))
        response = self.browser.get("/", method="HEAD", version="HTTP/1.0")
        self.assertEqual((response.status, response.headers.get("content-length"), self.browser.closed), (200, None, True))

    def test_no_date(self) -> None:
        """A client that has an older file gets this one, though its date is not known; no condition holds that can't be checked."""
        self.open(4)
        self.file.date = None
        self.file.tag = ""
        self.file.arrive(b"abcd")
        for condition in (f"If-Modified-Since: {DATE}", 'If-None-Match: "unknown"'):
            response = self.browser.get("/", condition)
            self.assertEqual((response.status, response.body), (200, b"abcd"))

    def test_cut_off(self) -> None:
        """A file that somebody cuts off while it is read ends the connection, and nothing spins."""
        self.open(6)
        self.file.arrive(b"abcd")
        self.file.cut_off = True
        self.browser.ask("/")
        self.assertTrue(self.browser.closed)
        self.assertEqual(self.sent(), Sent(200, 0, complete=False))

    def test_no_size_and_failed(self) -> None:
        """Where the end of the connection is the end of the file, one that failed does not end like one that is whole."""
        self.open(None)
        self.browser.ask("/")
        self.file.arrive(b"abc")
        self.file.failed = True
        self.file.arrive(end=True)
        self.assertTrue(self.browser.closed)
        self.assertEqual(self.sent(), Sent(200, 3, complete=False))

    def test_paced(self) -> None:
        """With a limit each piece waits until there is room for it, for a client that is still there."""
        clock = Clock()
        self.open(10 * PIECE_BYTES)
        self.stream.pacing = Pacing(lambda count: 1.0 if count else 0.0, clock)
        self.browser.ask("/")
        self.file.arrive(bytes(10 * PIECE_BYTES))
        for number in range(1, 4):
            self.assertTrue((number - 1) * PIECE_BYTES < len(self.browser.wire.value()) < (number + 1) * PIECE_BYTES)
            clock.advance(1.0)
        self.browser.close(cleanly=False)
        self.assertEqual((self.sent(), self.file.closed, clock.getDelayedCalls()), (Sent(200, 4 * PIECE_BYTES, complete=False), 1, []))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow_client(self) -> None:
        """A client that takes nothing is sent no more than its buffer holds, and goes on when it does."""
        self.open(4_000_000)
        self.browser.wire.limit = 100_000
        self.browser.ask("/")
        self.file.arrive(bytes(4_000_000))
        self.assertLess(len(self.browser.wire.value()), 2 * following.PIECE_BYTES)
        for _ in range(20):
            self.browser.wire.take()
        self.assertEqual(len(self.browser.responses()[0].body), 4_000_000)
        self.assertEqual(self.sent(), Sent(200, 4_000_000))

    def test_client_leaves(self) -> None:
        """A client that goes is waited for no more, whether the file arrives or not."""
        self.open(6)
        self.browser.ask("/")
        self.file.arrive(b"abc")
        self.browser.close(cleanly=False)
        self.assertEqual((self.sent(), self.file.closed), (Sent(200, 3, complete=False), 1))
        self.assertEqual(self.flushLoggedErrors(), [])


class OnDisk(Growing):
    """A file that arrives by hand, and that the kernel can send."""

    def __init__(self, size: int | None) -> None:
        super().__init__(size)
        self.file = TemporaryFile(buffering=0)  # noqa: SIM115 - the test closes it
        self.on_disk = 0
        self.copied = 0

    def arrive(self, data: bytes = b"", *, end: bool = False) -> None:
        self.file.write(data)
        self.on_disk += len(data)
        super().arrive(data, end=end)

    def read(self, offset: int, size: int) -> bytes:
        self.copied += 1
        return super().read(offset, size)

    def span(self, offset: int, size: int) -> Span:
        return Span(self.file.fileno(), max(0, min(size, self.on_disk - offset)))


class SendfileTests(SynchronousTestCase):
    """Real sockets, whose reactor is turned by hand."""

    def setUp(self) -> None:
        self.reactor = HandReactor()

    def connect(self, size: int | None, *, buffer: int | None = None) -> Pair:
        """A client that asks for a file of this size of which nothing has arrived."""
        self.file = OnDisk(size)
        self.addCleanup(self.file.file.close)
        self.stream = Stream(self.file)
        channel = Site(self.stream, self.reactor).buildProtocol(StringTransport().getPeer())
        assert channel is not None
        pair = Pair(self.reactor, channel, buffer=buffer)
        self.addCleanup(pair.close)
        return pair

    def ask(self, pair: Pair, *headers: str) -> None:
        pair.client.send("\r\n".join(["GET / HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        pair.settle(5)

    def body(self, pair: Pair, size: int) -> bytes:
        """Reads one response, whose body has so many bytes."""
        return pair.read(lambda data: len(data.partition(b"\r\n\r\n")[2]) >= size).partition(b"\r\n\r\n")[2]

    def pieces(self) -> list[int]:
        """The bytes of each call of sendfile(2) from now on."""
        pieces: list[int] = []
        sendfile = os.sendfile

        def noted(to: int, source: int, offset: int, count: int) -> int:
            sent = sendfile(to, source, offset, count)
            pieces.append(sent)
            return sent

        self.patch(os, "sendfile", noted)
        return pieces

    def test_not_copied(self) -> None:
        """The kernel sends what has arrived, and the process copies none of it; the connection goes on with the next request."""
        pieces = self.pieces()
        pair = self.connect(len(LARGE))
        self.ask(pair)
        self.file.arrive(LARGE[:7])
        self.file.arrive(LARGE[7:])
        self.assertEqual(self.body(pair, len(LARGE)), LARGE)
        self.assertEqual(self.successResultOf(self.stream.sent[0]), Sent(200, len(LARGE)))
        self.ask(pair, "Range: bytes=5-104")
        self.assertEqual(self.body(pair, 100), LARGE[5:105])
        self.assertEqual((sum(pieces), self.file.copied, self.file.closed), (len(LARGE) + 100, 0, 2))

    def test_last_connection(self) -> None:
        """A connection that is to be closed after the answer is, wherever the last piece ends."""
        for size in (10, following.PIECE_BYTES, 2 * following.PIECE_BYTES):
            pair = self.connect(size)
            self.ask(pair, "Connection: close")
            self.file.arrive(LARGE[:size], end=True)
            self.assertEqual(pair.read(lambda _: False).partition(b"\r\n\r\n")[2], LARGE[:size])

    def test_slow_client(self) -> None:
        """A client that takes less than arrives gets everything in the end, and is waited for without being asked."""
        pair = self.connect(len(LARGE), buffer=8192)
        self.ask(pair)
        self.file.arrive(LARGE)
        pieces = self.pieces()
        pair.settle()
        self.assertEqual(sum(pieces), 0)
        self.assertEqual(self.body(pair, len(LARGE)), LARGE)
        self.assertEqual(self.successResultOf(self.stream.sent[0]), Sent(200, len(LARGE)))

    def test_turns(self) -> None:
        """However much of the file is there, one client gets a piece of it in a turn of the reactor, and one more with the head."""
        pair = self.connect(len(LARGE))
        self.file.arrive(LARGE)
        pieces = self.pieces()
        pair.client.send(REQUEST)
        while sum(pieces) < len(LARGE):
            before = len(pieces)
            self.reactor.turn()
            self.assertLessEqual(len(pieces) - before, 1 if before else 2)
            with contextlib.suppress(BlockingIOError):
                pair.client.recv(1 << 20)
        self.assertEqual(max(pieces), following.PIECE_BYTES)

    def test_client_gone(self) -> None:
        """A client that goes away in the middle is no trouble of the file."""
        pair = self.connect(len(LARGE), buffer=8192)
        self.ask(pair)
        self.file.arrive(LARGE[:1000])
        pair.settle()
        pair.client.close()
        self.file.arrive(LARGE[1000:])
        with capturedLogs() as logs:
            pair.settle(40)
        self.assertFalse(self.successResultOf(self.stream.sent[0]).complete)
        self.assertEqual([event for event in logs if event["log_level"] is LogLevel.warn], [])
        self.assertEqual(self.file.closed, 1)

    def test_errors(self) -> None:
        """What goes wrong with a client ends its connection; a file that can't be read is told as well."""
        for error, told in ((BrokenPipeError(errno.EPIPE, "gone"), 0), (OSError(errno.EIO, "a broken disk"), 1)):

            def fail(*_: int, error: OSError = error) -> int:
                raise error

            pair = self.connect(10)
            self.patch(os, "sendfile", fail)
            self.file.arrive(LARGE[:10])
            with capturedLogs() as logs:
                self.ask(pair)
            self.assertEqual(self.successResultOf(self.stream.sent[0]), Sent(200, 0, complete=False))
            self.assertEqual([event["log_level"] for event in logs], [LogLevel.warn] * told)
            self.assertFalse(pair.transport.connected)

    def test_cut_off(self) -> None:
        """A file that is shorter than it should be ends the connection."""
        pair = self.connect(100)
        self.ask(pair)
        self.file.arrive(LARGE[:10])
        pair.settle()
        self.file.file.truncate(10)
        self.file.arrive()
        self.file.on_disk = 50
        self.file.data = LARGE[:50]
        self.file.arrive()
        pair.settle()
        self.assertEqual(self.successResultOf(self.stream.sent[0]), Sent(200, 10, complete=False))

    def test_copied(self) -> None:
        """Chunks, and bodies whose speed is limited, are not the file as it is, or not as fast as it can be sent."""
        pair = self.connect(None)
        self.file.arrive(b"abc", end=True)
        self.ask(pair)
        self.assertIn(b"\r\n3\r\nabc\r\n0\r\n", pair.read(lambda data: data.endswith(b"0\r\n\r\n")))
        pair = self.connect(3)
        self.stream.pacing = Pacing(lambda _: 0.0, self.reactor)
        self.file.arrive(b"abc", end=True)
        self.ask(pair)
        self.assertEqual(self.body(pair, 3), b"abc")
        self.assertGreater(self.file.copied, 0)
