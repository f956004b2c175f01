"""Tests for `pacserve.web.bodies.pacing`, and of how bodies share what it limits."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.fetch.rate import BURST_SECONDS, TokenBucket
from pacserve.packages.files import HeldFile
from pacserve.web.bodies.body import Sent, send_file
from pacserve.web.bodies.copying import PIECE_BYTES
from pacserve.web.bodies.pacing import HeldReader, Pacing
from pacserve.web.server.responses import Responder
from tests.fakes.browser import Browser, site_of

SIZE = 40 * PIECE_BYTES
RATE = 8.0 * PIECE_BYTES


class Held(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "file")
        self.path.write_bytes(bytes(SIZE))

    def held(self) -> HeldFile:
        """The file, opened."""
        file = FileIO(self.path, "rb")
        self.addCleanup(file.close)
        return HeldFile(file=file, name="file", size=SIZE, modified=0, etag='"x"')


class HeldReaderTests(Held):
    def test_reads(self) -> None:
        """All of a file that is there can be read, from any place."""
        reader = HeldReader(self.held())
        self.assertTrue(self.successResultOf(Deferred.fromCoroutine(reader.more(SIZE - 1))))
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(reader.more(SIZE))))
        self.assertEqual((len(reader.read(SIZE - 3, 10)), reader.whole), (3, True))
        reader.close()

    def test_shorter(self) -> None:
        """Of a file that has become shorter nothing is waited for."""
        reader = HeldReader(self.held())
        with self.path.open("r+b") as file:
            file.truncate(10)
        self.assertFalse(self.successResultOf(Deferred.fromCoroutine(reader.more(10))))


class Paced(Resource):
    """Sends the file to everybody, within one limit."""

    isLeaf = True  # noqa: N815

    def __init__(self, case: Held, pacing: Pacing) -> None:
        super().__init__()
        self._case = case
        self._pacing = pacing
        self.sent: list[Deferred[Sent]] = []

    def render(self, request: Request) -> Any:
        """Answers."""
        self.sent.append(Deferred.fromCoroutine(send_file(request, Responder(lambda: 0.0), self._case.held(), self._pacing)))
        return NOT_DONE_YET


class SharingTests(Held):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        bucket = TokenBucket(RATE)
        self.page = Paced(self, Pacing(lambda count: bucket.take(count, self.clock.seconds()), self.clock))
        self.site = site_of(self.page, Clock())

    def ask(self) -> Browser:
        """One more client that asks for the file."""
        browser = Browser(self.site)
        browser.ask("/")
        return browser

    def run_for(self, seconds: float) -> None:
        """Lets time pass."""
        self.clock.pump([0.01] * int(seconds * 100))

    def got(self, browser: Browser) -> int:
        """Bytes that a client was sent."""
        return len(browser.wire.value())

    def test_together(self) -> None:
        """All together get what the limit allows, and each its share, whenever it came."""
        early = [self.ask() for _ in range(3)]
        self.run_for(2.0)
        late = self.ask()
        before = [self.got(browser) for browser in (*early, late)]
        self.run_for(8.0)
        gained = [self.got(browser) - base for browser, base in zip((*early, late), before, strict=True)]
        self.assertLessEqual(sum(before), RATE * (2.0 + BURST_SECONDS) + 5 * PIECE_BYTES)
        self.assertLessEqual(abs(sum(gained) - RATE * 8.0), 5 * PIECE_BYTES)
        for one in gained:
            self.assertLessEqual(abs(one - RATE * 8.0 / 4), 3 * PIECE_BYTES, gained)

    def test_slow_one(self) -> None:
        """A client that takes nothing takes nothing away from the others."""
        slow, fast = self.ask(), self.ask()
        producer: Any = slow.wire.producer
        producer.pauseProducing()
        before = self.got(fast)
        self.run_for(4.0)
        self.assertGreaterEqual(self.got(fast) - before, RATE * 4.0 - 3 * PIECE_BYTES)

    def test_leaves(self) -> None:
        """A client that leaves while it waits frees the file, and its share."""
        first, second = self.ask(), self.ask()
        self.run_for(1.0)
        first.close(cleanly=False)
        self.assertFalse(self.successResultOf(self.page.sent[0]).complete)
        before = self.got(second)
        self.run_for(2.0)
        self.assertGreaterEqual(self.got(second) - before, RATE * 2.0 - 3 * PIECE_BYTES)
        second.close(cleanly=False)
        self.assertEqual(self.clock.getDelayedCalls(), [])
