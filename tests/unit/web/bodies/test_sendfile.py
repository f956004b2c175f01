"""Tests for `pacserve.web.bodies.sendfile`, on real sockets whose reactor is turned by hand."""

from __future__ import annotations

import gc
import os
import pathlib
from io import FileIO
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.network.addresses import parse_address
from pacserve.packages.files import HeldFile
from pacserve.web.bodies.body import SINGLE_WRITE_BYTES, Sent, send_file
from pacserve.web.bodies.sendfile import BYTES_PER_TURN, SendfileProducer
from pacserve.web.server.channel import STALL_TIMEOUT
from pacserve.web.server.responses import Responder
from pacserve.web.server.site import Site
from tests.fakes.sockets import HandReactor, Pair

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
DATA = os.urandom(1 << 20) * 3
SMALL_BUFFER = 8192


class Files(Resource):
    """
    Answers every request with a file.

    Attributes:
        sent: What became of each response.
    """

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.path = path
        self.held: list[HeldFile] = []
        self.sent: list[Deferred[Sent]] = []
        self._responder = Responder(lambda: 0.0)

    def render(self, request: Request) -> int:
        self.held.append(HeldFile("name", FileIO(str(self.path)), self.path.stat().st_size, 0, '"tag"'))
        self.sent.append(Deferred.fromCoroutine(send_file(request, self._responder, self.held[-1])))
        return NOT_DONE_YET


class Congesting(Files):
    """Answers when the transport's buffer has just become full."""

    def render(self, request: Request) -> int:
        result = super().render(request)
        request.channel.pauseProducing()
        return result


class SendfileTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "name"
        self.path.write_bytes(DATA)
        self.files = Files(self.path)
        self.reactor = HandReactor()
        self.site = Site(self.files, self.reactor)

    def connect(self, *, buffer: int | None = None) -> Pair:
        """A client's connection."""
        address = StringTransport().getPeer()
        channel = self.site.buildProtocol(address)
        assert channel is not None
        pair = Pair(self.reactor, channel, buffer=buffer)
        self.addCleanup(pair.close)
        return pair

    def body(self, pair: Pair, size: int) -> bytes:
        """Reads one response, whose body has so many bytes."""

        def enough(data: bytes) -> bool:
            _, found, body = data.partition(b"\r\n\r\n")
            return bool(found) and len(body) >= size

        head, _, body = pair.read(enough).partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d\r\n" % size, head + b"\r\n")
        return body

    def last(self) -> Sent:
        """Returns the last response that was sent; its file is closed."""
        self.assertTrue(self.files.held[-1].file.closed)
        return self.successResultOf(self.files.sent[-1])

    def test_used(self) -> None:
        """A large file on a TCP connection is sent by sendfile(2)."""
        turns: list[int] = []
        original = SendfileProducer.resumeProducing

        def counted(producer: SendfileProducer) -> None:
            turns.append(producer.left)
            original(producer)

        self.patch(SendfileProducer, "resumeProducing", counted)
        pair = self.connect()
        pair.client.send(REQUEST)
        self.assertEqual(self.body(pair, len(DATA)), DATA)
        self.assertGreater(len(turns), len(DATA) // BYTES_PER_TURN)

    def test_whole_and_again(self) -> None:
        """A large file arrives as it is, and so does the next one on the same connection, large or small."""
        pair = self.connect()
        for size in (len(DATA), SINGLE_WRITE_BYTES + 1, BYTES_PER_TURN, 10, BYTES_PER_TURN + 1, len(DATA)):
            self.path.write_bytes(DATA[:size])
            pair.client.send(REQUEST)
            self.assertEqual(self.body(pair, size), DATA[:size])
            self.assertEqual(self.last(), Sent(200, size))
        self.assertTrue(pair.transport.connected)

    def test_pipelined(self) -> None:
        """Large files that are asked for without waiting come one after the other."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST * 3)
        data = pair.read(lambda data: data.endswith(DATA[-100:]) and data.count(DATA[-100:]) == 9)
        self.assertEqual(data.count(b"HTTP/1.1 200 OK"), 3)
        self.assertEqual(data.count(DATA), 3)

    def test_congested(self) -> None:
        """A connection that was paused when the file was begun goes on after it."""
        self.files = Congesting(self.path)
        self.site = Site(self.files, self.reactor)
        pair = self.connect()
        for _ in range(2):
            pair.client.send(REQUEST)
            self.assertEqual(self.body(pair, len(DATA)), DATA)

    def test_range(self) -> None:
        """A large range is exactly those bytes."""
        pair = self.connect()
        pair.client.send(b"GET / HTTP/1.1\r\nRange: bytes=12345-1012344\r\n\r\n")
        self.assertEqual(self.body(pair, 1_000_000), DATA[12345:1012345])
        self.assertEqual(self.last(), Sent(206, 1_000_000))

    def test_slow_client(self) -> None:
        """A client with small buffers gets the file as well, and costs no memory for it."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST)
        pair.settle()
        self.assertEqual(pair.transport.dataBuffer, b"")
        self.assertEqual(self.body(pair, len(DATA)), DATA)

    def test_fair(self) -> None:
        """A turn sends a bounded part: a large file does not keep a small request waiting."""
        large, small = self.connect(), self.connect()
        large.client.send(REQUEST)
        self.reactor.turn()
        small.client.send(b"GET / HTTP/1.1\r\nRange: bytes=0-9\r\n\r\n")
        large.settle(3)
        self.assertTrue(small.client.recv(1000).endswith(DATA[:10]))
        self.assertNoResult(self.files.sent[0])

    def test_connection_close(self) -> None:
        """Where the connection is to be closed, it is, after the last byte."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        self.assertTrue(pair.read(lambda data: False).endswith(DATA[-1000:]))
        self.assertFalse(pair.transport.connected)
        self.assertEqual(len(self.site.connections), 0)

    def test_client_leaves(self) -> None:
        """When the client leaves in the middle, the file is closed, and what was sent is known."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST)
        pair.settle()
        pair.client.close()
        pair.settle()
        sent = self.last()
        self.assertFalse(sent.complete)
        self.assertTrue(0 < (sent.size or 0) < len(DATA))
        self.assertEqual(len(self.site.connections), 0)

    def test_shrinks(self) -> None:
        """A file that becomes shorter while it is sent ends the connection."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST)
        pair.settle()
        with self.path.open("r+b") as file:
            file.truncate(BYTES_PER_TURN)
        self.assertRaises(ConnectionResetError, pair.read, lambda data: False)
        self.assertFalse(self.last().complete)

    def test_stalled_client(self) -> None:
        """A client that stops to read is cut off, and the file closed."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST)
        pair.settle()
        for _ in range(int(STALL_TIMEOUT) // 2 + 5):
            pair.settle(2)
            self.reactor.advance(2)
        self.assertFalse(pair.transport.connected)
        self.assertFalse(self.last().complete)

    def test_slow_but_moving(self) -> None:
        """A client that reads a little now and then is not cut off, however long it takes."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST)
        pair.settle()
        for _ in range(8):
            for _ in range(int(STALL_TIMEOUT) // 2 - 5):
                self.reactor.advance(2)
            pair.settle(2)
            pair.client.recv(20_000)
            pair.settle(2)
        self.assertTrue(pair.transport.connected)

    def test_nothing_is_left(self) -> None:
        """After the last connection has ended nothing of it is left: no timer, no socket, no open file."""
        pair = self.connect(buffer=SMALL_BUFFER)
        pair.client.send(REQUEST)
        pair.settle()
        self.site.connections.abort()
        self.reactor.advance(0)
        gc.collect()
        self.assertEqual((self.reactor.readers, self.reactor.writers, self.reactor.getDelayedCalls()), (set(), set(), []))
        self.assertFalse(self.last().complete)

    def test_client_of_the_site(self) -> None:
        """The site knows its client by the address that the connection came from."""
        channel = self.site.buildProtocol(StringTransport().getPeer())
        assert channel is not None
        self.assertEqual(channel.visitor.address, parse_address("192.168.1.1"))
