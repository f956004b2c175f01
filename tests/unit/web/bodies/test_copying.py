"""Tests for `pacserve.web.bodies.copying`."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.web.bodies.copying import PIECE_BYTES, CopyingProducer
from tests.fakes.browser import Browser, site_of

DATA = bytes(range(256)) * 1024


class Copy(Resource):
    """Copies a part of something into the response of every request."""

    def __init__(self, read: Callable[[int, int], bytes], first: int, length: int) -> None:
        super().__init__()
        self._part = (read, first, length)

    def render(self, request: Request) -> int:
        self.request = request
        self.producer = CopyingProducer(request, *self._part)
        self.done = Deferred.fromCoroutine(self.producer.run())
        return NOT_DONE_YET


class CopyingProducerTests(SynchronousTestCase):
    def copy(self, read: Callable[[int, int], bytes] | None = None, first: int = 0, length: int = len(DATA), limit: int | None = None) -> None:
        """Begins to copy."""
        self.resource = Copy(read or (lambda offset, size: DATA[offset : offset + size]), first, length)
        self.browser = Browser(site_of(self.resource, Clock()))
        self.browser.wire.limit = limit
        self.browser.ask("/")

    def test_part(self) -> None:
        """Exactly the part that is meant is copied."""
        self.copy(first=5, length=2 * PIECE_BYTES)
        self.successResultOf(self.resource.done)
        self.assertEqual(self.browser.wire.value(), DATA[5 : 5 + 2 * PIECE_BYTES])
        self.assertEqual(self.resource.producer.left, 0)

    def test_small_pieces(self) -> None:
        """A source that gives less than was asked for is asked again."""
        self.copy(lambda offset, size: DATA[offset : offset + min(size, 1000)])
        self.successResultOf(self.resource.done)
        self.assertEqual(self.browser.wire.value(), DATA)

    def test_paused(self) -> None:
        """While the client takes nothing, nothing is read."""
        reads: list[int] = []

        def read(offset: int, size: int) -> bytes:
            reads.append(offset)
            return DATA[offset : offset + size]

        self.copy(read, limit=PIECE_BYTES - 1)
        self.assertEqual(reads, [0])
        self.browser.wire.take()
        self.assertEqual(reads, [0, PIECE_BYTES])
        self.assertNoResult(self.resource.done)

    def test_resumed_while_writing(self) -> None:
        """A client that takes everything while it is written to is written to no deeper in the stack, and in order."""
        depth = 0

        def read(offset: int, size: int) -> bytes:
            nonlocal depth
            depth += 1
            self.assertEqual(depth, 1)
            self.resource.producer.resumeProducing()
            depth -= 1
            return DATA[offset : offset + min(size, 1000)]

        self.copy(read, limit=0)
        while self.resource.producer.left:
            self.browser.wire.take()
        self.successResultOf(self.resource.done)
        self.assertEqual(self.browser.wire.value(), DATA)

    def test_shrunk(self) -> None:
        """A source that ends too early ends the connection."""
        self.copy(lambda offset, size: DATA[offset : min(offset + size, 100)])
        self.assertTrue(self.browser.wire.disconnected)
        self.browser.wire.take()
        self.resource.producer.stopProducing()
        self.successResultOf(self.resource.done)
        self.assertEqual(self.resource.producer.left, len(DATA) - 100)

    def test_stopped(self) -> None:
        """After it was stopped, twice even, nothing is read or written any more."""
        self.copy(limit=0)
        self.resource.producer.stopProducing()
        self.resource.producer.stopProducing()
        self.successResultOf(self.resource.done)
        written = self.browser.wire.value()
        self.resource.producer.resumeProducing()
        self.assertEqual(self.browser.wire.value(), written)
