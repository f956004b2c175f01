"""Tests for `pacserve.web.bodies.whole`, by the router that has it done."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.web.answers import Answer, StreamAnswer
from pacserve.web.bodies.whole import WHOLE_TIMEOUT
from pacserve.web.front import Ask, Front
from pacserve.web.router import Router
from tests.fakes.browser import Browser, router_of, site_of
from tests.unit.web.bodies.test_following import DATE, Growing


class FileFront(Front):
    """Answers with one file."""

    def __init__(self, file: Growing) -> None:
        self.file = file

    async def answer(self, ask: Ask) -> Answer:
        return StreamAnswer(self.file, "downloaded", ranges=False)


class WholeTests(SynchronousTestCase):
    """A client that speaks HTTP/1.0 asks for a file whose size is not known."""

    def setUp(self) -> None:
        self.file = Growing(None)
        self.clock = Clock()
        self.router: Router = router_of({"a": FileFront(self.file)}, self.clock)
        self.browser = Browser(site_of(self.router, self.clock))

    def ask(self, *headers: str) -> None:
        """Asks for the file."""
        self.browser.ask("/a", *headers, version="HTTP/1.0")

    def error(self) -> tuple[int, bytes]:
        """Returns the error that was answered; the file is closed, and nothing is under way any more."""
        (response,) = self.browser.responses()
        self.assertEqual((self.file.closed, self.router.running, self.browser.closed), (1, 0, True))
        return response.status, response.body

    def test_whole(self) -> None:
        """It gets the file with its size when all of it is there, and nothing before."""
        self.ask("Range: bytes=2-")
        self.file.arrive(b"abc")
        self.file.arrive(b"def")
        self.assertEqual(self.browser.wire.value(), b"")
        self.file.arrive(end=True)
        (response,) = self.browser.responses()
        self.assertEqual((response.status, response.headers["content-length"], response.body), (200, "6", b"abcdef"))
        self.assertEqual((response.headers["last-modified"], response.headers["etag"]), (DATE, '"tag"'))
        self.assertEqual((self.file.closed, self.router.running, self.browser.closed), (1, 0, True))
        self.assertEqual(self.clock.getDelayedCalls()[:-1], [])  # the sweep of the connections

    def test_there(self) -> None:
        """A file that is there is sent at once; the conditions of the client hold."""
        self.file.arrive(b"abcdef", end=True)
        self.ask()
        self.assertEqual([response.body for response in self.browser.responses()], [b"abcdef"])
        self.browser = Browser(site_of(self.router, self.clock))
        self.ask(f"If-Modified-Since: {DATE}")
        self.assertEqual([response.status for response in self.browser.responses()], [304])
        self.assertEqual(self.file.closed, 2)

    def test_too_long(self) -> None:
        """It is told to ask again before it gives up by itself; the file goes on to arrive."""
        self.ask()
        self.file.arrive(b"abc")
        self.clock.advance(WHOLE_TIMEOUT - 1)
        self.assertEqual(self.browser.wire.value(), b"")
        self.clock.advance(1)
        status, line = self.error()
        self.assertEqual((status, b"ask again" in line), (503, True))

    def test_failed(self) -> None:
        """It is told that the file failed."""
        self.ask()
        self.file.arrive(b"abc")
        self.file.failed = True
        self.file.arrive(end=True)
        self.assertEqual(self.error()[0], 503)

    def test_client_leaves(self) -> None:
        """A client that leaves ends the wait, and the file is closed."""
        self.ask()
        self.browser.close()
        self.assertEqual((self.file.closed, self.router.running), (1, 0))
        self.file.arrive(b"abc", end=True)

    def test_chunks(self) -> None:
        """A client that knows chunks does not wait, nor does a HEAD."""
        self.browser.ask("/a")
        self.file.arrive(b"abc")
        self.assertTrue(self.browser.wire.value().endswith(b"3\r\nabc\r\n"))
        self.browser = Browser(site_of(self.router, self.clock))
        self.browser.ask("/a", method="HEAD", version="HTTP/1.0")
        self.assertEqual([response.status for response in self.browser.responses("HEAD")], [200])
