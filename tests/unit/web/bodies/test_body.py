"""Tests for `pacserve.web.bodies.body`."""

from __future__ import annotations

import pathlib
from io import FileIO
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from pacserve.errors import RequestError
from pacserve.packages.files import HeldFile
from pacserve.web.bodies.body import SINGLE_WRITE_BYTES, Sent, send_document, send_file
from pacserve.web.bodies.copying import PIECE_BYTES
from pacserve.web.server.responses import Responder
from tests.fakes.browser import Browser, Response, site_of

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LARGE = bytes(range(256)) * 1024


class Files(Resource):
    """
    Answers every request with a file, or with `document` where there is one.

    Attributes:
        sent: What became of each response.
    """

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.path = path
        self.size: int | None = None
        self.document: bytes | None = None
        self.named = False
        self.ranges = True
        self.held: list[HeldFile] = []
        self.sent: list[Deferred[Sent]] = []
        self._responder = Responder(lambda: 0.0)

    def render(self, request: Request) -> int:
        if self.document is not None:
            sending = send_document(request, self._responder, 200, "Content-Type: text/plain\r\n", self.document)
        else:
            size = self.path.stat().st_size if self.size is None else self.size
            self.held.append(HeldFile(self.path.name, FileIO(str(self.path)), size, 784111777, '"tag"'))
            sending = send_file(request, self._responder, self.held[-1], named=self.named, ranges=self.ranges)
        self.sent.append(Deferred.fromCoroutine(sending))
        return NOT_DONE_YET


class BodyTestCase(SynchronousTestCase):
    """Has a file, and one connection to a site that answers with it."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "name"
        self.path.write_bytes(b"0123456789")
        self.files = Files(self.path)
        self.clock = Clock()
        self.site = site_of(self.files, self.clock)
        self.browser = Browser(self.site)

    def sent(self) -> Sent:
        """Returns the last response that was sent; its file is closed."""
        for held in self.files.held:
            self.assertTrue(held.file.closed)
        return self.successResultOf(self.files.sent[-1])


class FileTests(BodyTestCase):
    def test_whole(self) -> None:
        """A file is sent with its exact length, its validators, and as no type that anyone would unpack."""
        response = self.browser.get("/")
        self.assertEqual((response.status, response.body), (200, b"0123456789"))
        self.assertEqual(
            {name: response.headers.get(name) for name in ("content-length", "last-modified", "etag", "accept-ranges", "content-type")},
            {"content-length": "10", "last-modified": DATE, "etag": '"tag"', "accept-ranges": "bytes", "content-type": "application/octet-stream"},
        )
        self.assertNotIn("content-encoding", response.headers)
        self.assertEqual(self.sent(), Sent(200, 10))

    def test_named(self) -> None:
        """The name is stated on demand, unless a client might take a part of it for something else."""
        for name, stated in (("zlib-1:1.3+r1~rc_1@x.pkg", True), ("a;b", False), ('a"b', False), ("a b", False), ("caf\u00e9", False)):
            self.path = self.files.path = self.path.rename(self.path.with_name(name))
            for named in (True, False):
                self.files.named = named
                for method, *fields in (("GET",), ("HEAD",), ("GET", "Range: bytes=7-")):
                    found = self.browser.get("/", *fields, method=method).headers.get("content-disposition")
                    self.assertEqual(found, f'attachment; filename="{name}"' if named and stated else None)

    def test_head(self) -> None:
        """A HEAD gets the same headers and no body."""
        expected = self.browser.get("/").headers
        response = self.browser.get("/", method="HEAD")
        self.assertEqual(response, Response(200, expected, b""))
        self.assertEqual(self.sent(), Sent(200, 0))

    def test_range(self) -> None:
        """A range is sent with its place in the file."""
        response = self.browser.get("/", "Range: bytes=7-")
        self.assertEqual((response.status, response.headers["content-range"], response.body), (206, "bytes 7-9/10", b"789"))
        self.assertEqual(self.sent(), Sent(206, 3))

    def test_unsatisfiable(self) -> None:
        """A range outside of the file is refused with the size that the file has."""
        response = self.browser.get("/", "Range: bytes=10-")
        self.assertEqual((response.status, response.headers["content-range"], response.body), (416, "bytes */10", b""))
        self.assertEqual(self.sent(), Sent(416, 0))

    def test_no_ranges(self) -> None:
        """Where ranges are not to be answered all of the file is sent, and none is offered; whoever has it is told so as ever."""
        self.files.ranges = False
        for header in ("Range: bytes=7-", f"Range: bytes=7-\r\nIf-Range: {DATE}", "Range: bytes=10-"):
            response = self.browser.get("/", header)
            self.assertEqual((response.status, response.body, response.headers["last-modified"]), (200, b"0123456789", DATE))
            self.assertNotIn("accept-ranges", response.headers)
        self.assertEqual(self.browser.get("/", "Range: bytes=7-", f"If-Modified-Since: {DATE}").status, 304)

    def test_not_modified(self) -> None:
        """A client that has the file is told so, with its validators and without a length."""
        for header in ('If-None-Match: "tag"', f"If-Modified-Since: {DATE}"):
            response = self.browser.get("/", header)
            self.assertEqual((response.status, response.headers["etag"], response.headers["last-modified"]), (304, '"tag"', DATE))
            self.assertNotIn("content-length", response.headers)
            self.assertEqual(self.sent(), Sent(304, 0))

    def test_empty(self) -> None:
        """An empty file is a whole answer."""
        self.path.write_bytes(b"")
        self.assertEqual(self.browser.get("/").body, b"")
        self.assertEqual(self.browser.get("/", "Range: bytes=-5").status, 200)
        self.assertEqual(self.sent(), Sent(200, 0))

    def test_around_the_pieces(self) -> None:
        """Files of all sizes around those at which the way of sending changes arrive as they are, one after the other on one connection."""
        for size in (1, SINGLE_WRITE_BYTES - 1, SINGLE_WRITE_BYTES, SINGLE_WRITE_BYTES + 1, PIECE_BYTES, PIECE_BYTES + 1, 4 * PIECE_BYTES):
            self.path.write_bytes(LARGE[:size])
            self.assertEqual(self.browser.get("/").body, LARGE[:size])
            self.assertEqual(self.sent(), Sent(200, size))

    @settings(max_examples=30)
    @given(st.integers(0, len(LARGE) - 1), st.integers(1, len(LARGE)))
    def test_any_range(self, first: int, length: int) -> None:
        """Every range of a large file is exactly those bytes."""
        self.path.write_bytes(LARGE)
        last = min(first + length, len(LARGE)) - 1
        self.assertEqual(self.browser.get("/", f"Range: bytes={first}-{last}").body, LARGE[first : last + 1])

    def test_pipelined(self) -> None:
        """Files that are asked for without waiting come one after the other, large and small."""
        self.path.write_bytes(LARGE)
        self.browser.send(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nRange: bytes=-1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        self.clock.advance(0)
        self.assertEqual([response.body for response in self.browser.responses()], [LARGE, LARGE[-1:], LARGE])

    def test_slow_client(self) -> None:
        """A large file is read only as fast as its client takes it."""
        self.path.write_bytes(LARGE)
        self.browser.wire.limit = PIECE_BYTES
        self.browser.ask("/")
        for _ in range(len(LARGE) // PIECE_BYTES + 1):
            self.assertLess(self.browser.wire.waiting, 3 * PIECE_BYTES)
            self.browser.wire.take()
        (response,) = self.browser.responses()
        self.assertEqual(response.body, LARGE)
        self.assertEqual(self.sent(), Sent(200, len(LARGE)))

    def test_client_leaves(self) -> None:
        """When the client leaves, the file is closed, and what was sent until then is known."""
        self.path.write_bytes(LARGE)
        self.browser.wire.limit = PIECE_BYTES
        self.browser.ask("/")
        self.assertFalse(self.files.held[0].file.closed)
        self.browser.close(cleanly=False)
        sent = self.sent()
        self.assertFalse(sent.complete)
        self.assertTrue(0 < (sent.size or 0) < len(LARGE))


class FaultTests(BodyTestCase):
    def test_shrunk_small(self) -> None:
        """A small file that has become shorter is an error while there is still time to say so."""
        self.files.size = 11
        self.browser.ask("/")
        self.assertEqual(self.failureResultOf(self.files.sent[0], RequestError).value.status, 500)
        self.assertEqual(self.browser.wire.value(), b"")
        self.assertTrue(self.files.held[0].file.closed)

    def test_shrunk_large(self) -> None:
        """A large file that becomes shorter while it is sent ends the connection, so that its client does not take it for whole."""
        self.path.write_bytes(LARGE)
        self.browser.wire.limit = PIECE_BYTES
        self.browser.ask("/")
        with self.path.open("r+b") as file:
            file.truncate(PIECE_BYTES)
        while not self.browser.wire.disconnected:
            self.browser.wire.take()
        self.browser.close()
        self.assertFalse(self.sent().complete)

    def test_unreadable(self) -> None:
        """A file that can't be read, small or large, is an error or ends the connection."""
        self.files.path = pathlib.Path("/proc/self/mem")  # open, but its first bytes give EIO
        self.files.size = 10
        self.browser.ask("/")
        self.assertEqual(self.failureResultOf(self.files.sent[0], RequestError).value.status, 500)
        self.browser = Browser(self.site)
        self.files.size = 10 * SINGLE_WRITE_BYTES
        self.browser.ask("/")
        self.assertTrue(self.browser.wire.disconnected)
        self.browser.close()
        self.assertEqual(self.sent(), Sent(200, 0, complete=False))


class DocumentTests(BodyTestCase):
    def test_small_and_large(self) -> None:
        """Documents of any size arrive as they are."""
        for size in (0, 5, SINGLE_WRITE_BYTES, SINGLE_WRITE_BYTES + 1, len(LARGE)):
            self.files.document = LARGE[:size]
            self.assertEqual(self.browser.get("/").body, LARGE[:size])
            self.assertEqual(self.sent(), Sent(200, size))

    def test_slow_client(self) -> None:
        """A large document is copied only as fast as its client takes it."""
        self.files.document = LARGE
        self.browser.wire.limit = PIECE_BYTES
        self.browser.ask("/")
        for _ in range(len(LARGE) // PIECE_BYTES + 1):
            self.assertLess(self.browser.wire.waiting, 3 * PIECE_BYTES)
            self.browser.wire.take()
        self.assertEqual([response.body for response in self.browser.responses()], [LARGE])

    def test_client_leaves(self) -> None:
        """When the client leaves, what was sent until then is known."""
        self.files.document = LARGE
        self.browser.wire.limit = PIECE_BYTES
        self.browser.ask("/")
        self.browser.close()
        self.assertFalse(self.sent().complete)
